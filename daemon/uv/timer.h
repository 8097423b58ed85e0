// Timer: calls on_fire once, after a delay.
//
//    uv::Timer retry{loop, [&] { try_again(); }};
//    retry.arm(100ms);
//
// Destroying it cancels it: on_fire is never called again. Contract of all
// handles: daemon/uv/loop.h.
#pragma once

#include <functional>

#include "daemon/uv/loop.h"
#include "storage/base/time.h"

namespace holdfast::uv {

class Timer {
 public:
  Timer(Loop& loop, std::function<void()> on_fire);
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  // Fires once, not earlier than `delay` from now; a delay below zero counts as
  // zero, which is the next turn. Replaces what was armed before.
  void arm(Duration delay);

  void disarm();
  bool armed() const;

 private:
  struct State;
  State* state_;
};

}  // namespace holdfast::uv
