#include "daemon/uv/async.h"

#include <utility>

#include "daemon/uv/handles.h"
#include "storage/base/check.h"

namespace holdfast::uv {

struct Async::State : HandleState<uv_async_t> {
  std::function<void()> on_wake;
};

Async::Async(Loop& loop, std::function<void()> on_wake) : state_(new State) {
  state_->on_wake = std::move(on_wake);
  const auto woken = [](uv_async_t* handle) noexcept {
    static_cast<State*>(handle->data)->on_wake();
  };
  // libuv starts it here, so data must be in place first.
  state_->handle.data = state_;
  CHECK(uv_async_init(raw(loop), &state_->handle, woken) == 0);
}

Async::~Async() { release(state_); }

void Async::wake() { CHECK(uv_async_send(&state_->handle) == 0); }

}  // namespace holdfast::uv
