// Poll: tells when a descriptor that somebody else reads and writes is ready.
//
//    uv::Poll spawner{loop, fd, [&](bool readable, bool) { if (readable) receive(); }};
//    spawner.watch(true, false);
//
// It asks again each turn: what is not read now is reported again.
//
// Ownership  The fd stays its owner's, becomes non-blocking, and is closed only
//            after the Poll is destroyed. One Poll per fd.
// Failure    When the kernel reports an error on the fd, on_ready(true, true) is
//            called once and watching ends: reading or writing tells the reason.
#pragma once

#include <functional>

#include "daemon/uv/loop.h"

namespace holdfast::uv {

class Poll {
 public:
  Poll(Loop& loop, int fd, std::function<void(bool readable, bool writable)> on_ready);
  ~Poll();
  Poll(const Poll&) = delete;
  Poll& operator=(const Poll&) = delete;

  // From now on report these two, and nothing with both false.
  void watch(bool readable, bool writable);

 private:
  struct State;
  State* state_;
};

}  // namespace holdfast::uv
