// Async: another thread wakes the loop.
//
//    uv::Async durable{loop, [&] { read_watermark(); }};
//    ... on the committer thread: durable.wake();
//
// Many wakes may come out as one call of on_wake, which therefore takes all there
// is. The memory written before wake() is seen by the on_wake that follows it.
//
// Threads    wake() may be called by any thread, as long as the Async lives: join
//            the thread first, then destroy the Async. The rest: daemon/uv/loop.h.
#pragma once

#include <functional>

#include "daemon/uv/loop.h"

namespace holdfast::uv {

class Async {
 public:
  Async(Loop& loop, std::function<void()> on_wake);
  ~Async();
  Async(const Async&) = delete;
  Async& operator=(const Async&) = delete;

  void wake();

 private:
  struct State;
  State* state_;
};

}  // namespace holdfast::uv
