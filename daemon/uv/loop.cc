#include "daemon/uv/loop.h"

#include <poll.h>

#include <csignal>

#include "daemon/uv/handles.h"
#include "storage/base/check.h"

namespace holdfast::uv {

Loop::Loop() : state_(std::make_unique<State>()) {
  CHECK(std::signal(SIGPIPE, SIG_IGN) != SIG_ERR);
  CHECK(uv_loop_init(&state_->loop) == 0);
}

Loop::~Loop() {
  // An open handle here would outlive its loop, and uv_run() would wait for it.
  uv_walk(
      &state_->loop, [](uv_handle_t* handle, void*) noexcept { CHECK(uv_is_closing(handle)); },
      nullptr);
  // A stop() left over from a run() that had already ended would end this one early.
  while (uv_run(&state_->loop, UV_RUN_DEFAULT) != 0) {
  }
  CHECK(uv_loop_close(&state_->loop) == 0);
}

void Loop::run() { uv_run(&state_->loop, UV_RUN_DEFAULT); }

void Loop::stop() { uv_stop(&state_->loop); }

bool Loop::has_events() const {
  pollfd events{uv_backend_fd(&state_->loop), POLLIN, 0};
  return ::poll(&events, 1, 0) > 0;
}

std::chrono::nanoseconds Loop::monotonic() const {
  return std::chrono::nanoseconds{static_cast<int64_t>(uv_hrtime())};
}

}  // namespace holdfast::uv
