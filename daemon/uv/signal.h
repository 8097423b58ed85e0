// Signal: on_signal is called on the loop each time this process gets `signum`.
//
//    uv::Signal terminate{loop, SIGTERM, [&] { service.drain(); }};
//
// While it lives the signal's default action is off. Signals that arrive close
// together may come out as one call. Contract of all handles: daemon/uv/loop.h.
#pragma once

#include <functional>

#include "daemon/uv/loop.h"

namespace holdfast::uv {

class Signal {
 public:
  Signal(Loop& loop, int signum, std::function<void()> on_signal);
  ~Signal();
  Signal(const Signal&) = delete;
  Signal& operator=(const Signal&) = delete;

 private:
  struct State;
  State* state_;
};

}  // namespace holdfast::uv
