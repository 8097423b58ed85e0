#include "daemon/uv/signal.h"

#include <utility>

#include "daemon/uv/handles.h"
#include "storage/base/check.h"

namespace holdfast::uv {

struct Signal::State : HandleState<uv_signal_t> {
  std::function<void()> on_signal;
};

Signal::Signal(Loop& loop, int signum, std::function<void()> on_signal) : state_(new State) {
  state_->on_signal = std::move(on_signal);
  CHECK(uv_signal_init(raw(loop), &state_->handle) == 0);
  state_->handle.data = state_;
  const auto caught = [](uv_signal_t* handle, int) noexcept {
    static_cast<State*>(handle->data)->on_signal();
  };
  CHECK(uv_signal_start(&state_->handle, caught, signum) == 0);
}

Signal::~Signal() { release(state_); }

}  // namespace holdfast::uv
