#include "daemon/uv/prepare.h"

#include <utility>

#include "daemon/uv/handles.h"
#include "storage/base/check.h"

namespace holdfast::uv {

struct Prepare::State : HandleState<uv_prepare_t> {
  std::function<void()> before_blocking;
};

Prepare::Prepare(Loop& loop, std::function<void()> before_blocking) : state_(new State) {
  state_->before_blocking = std::move(before_blocking);
  CHECK(uv_prepare_init(raw(loop), &state_->handle) == 0);
  state_->handle.data = state_;
  const auto prepare = [](uv_prepare_t* handle) noexcept {
    static_cast<State*>(handle->data)->before_blocking();
  };
  CHECK(uv_prepare_start(&state_->handle, prepare) == 0);
}

Prepare::~Prepare() { release(state_); }

}  // namespace holdfast::uv
