#include "daemon/uv/timer.h"

#include <algorithm>
#include <utility>

#include "daemon/uv/handles.h"
#include "storage/base/check.h"

namespace holdfast::uv {

struct Timer::State : HandleState<uv_timer_t> {
  std::function<void()> on_fire;
};

Timer::Timer(Loop& loop, std::function<void()> on_fire) : state_(new State) {
  state_->on_fire = std::move(on_fire);
  CHECK(uv_timer_init(raw(loop), &state_->handle) == 0);
  state_->handle.data = state_;
}

Timer::~Timer() { release(state_); }

void Timer::arm(Duration delay) {
  // The loop's time stands still during a turn: after a long callback, a delay
  // counted from it would be over too early.
  uv_update_time(state_->handle.loop);
  const auto fire = [](uv_timer_t* handle) noexcept {
    static_cast<State*>(handle->data)->on_fire();
  };
  const auto delay_ms = static_cast<uint64_t>(std::max<Duration::rep>(delay.count(), 0));
  CHECK(uv_timer_start(&state_->handle, fire, delay_ms, 0) == 0);
}

void Timer::disarm() { uv_timer_stop(&state_->handle); }

bool Timer::armed() const {
  return uv_is_active(reinterpret_cast<const uv_handle_t*>(&state_->handle)) != 0;
}

}  // namespace holdfast::uv
