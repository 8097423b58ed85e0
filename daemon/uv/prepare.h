// Prepare: called once per turn, just before the loop blocks. The place where all
// that one turn brought is put together: one batch, one write per connection.
//
//    uv::Prepare turn_end{loop, [&] { service.commit_gathered(); }};
//
// What it does may make further callbacks due (a timer of zero, a wake); the loop
// then does not block. Contract of all handles: daemon/uv/loop.h.
#pragma once

#include <functional>

#include "daemon/uv/loop.h"

namespace holdfast::uv {

class Prepare {
 public:
  Prepare(Loop& loop, std::function<void()> before_blocking);
  ~Prepare();
  Prepare(const Prepare&) = delete;
  Prepare& operator=(const Prepare&) = delete;

 private:
  struct State;
  State* state_;
};

}  // namespace holdfast::uv
