#include "daemon/uv/poll.h"

#include <utility>

#include "daemon/uv/handles.h"
#include "storage/base/check.h"

namespace holdfast::uv {

struct Poll::State : HandleState<uv_poll_t> {
  std::function<void(bool readable, bool writable)> on_ready;
  int events = 0;  // that are watched
};

Poll::Poll(Loop& loop, int fd, std::function<void(bool readable, bool writable)> on_ready)
    : state_(new State) {
  state_->on_ready = std::move(on_ready);
  CHECK(uv_poll_init(raw(loop), &state_->handle, fd) == 0);
  state_->handle.data = state_;
}

Poll::~Poll() { release(state_); }

void Poll::watch(bool readable, bool writable) {
  const int events = (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0);
  // libuv would take the descriptor out of the kernel's set, and put it in again.
  if (events == state_->events) return;
  state_->events = events;
  if (events == 0) {
    CHECK(uv_poll_stop(&state_->handle) == 0);
    return;
  }
  const auto ready = [](uv_poll_t* handle, int status, int ready_events) noexcept {
    auto* state = static_cast<State*>(handle->data);
    if (status < 0) {
      uv_poll_stop(handle);
      state->events = 0;
      state->on_ready(true, true);
      return;
    }
    state->on_ready((ready_events & UV_READABLE) != 0, (ready_events & UV_WRITABLE) != 0);
  };
  CHECK(uv_poll_start(&state_->handle, events, ready) == 0);
}

}  // namespace holdfast::uv
