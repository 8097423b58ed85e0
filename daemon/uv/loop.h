// Loop: the one thread on which everything that waits is served.
//
//    uv::Loop loop;
//    uv::Timer greeting{loop, [] { say_hello(); }};
//    greeting.arm(1s);
//    loop.run();  // until stop()
//
// Ownership  main() makes one Loop; every handle (Timer, Async, Signal, Prepare,
//            Poll, Stream, Listener) is destroyed before it. A handle may be
//            destroyed inside its own callback, if its header does not say no.
// Threads    Everything here belongs to the thread that calls run(), but for
//            Async::wake().
// Failure    The constructor CHECKs: without an epoll descriptor nothing can run.
//
// A Loop ignores SIGPIPE in this process, because the other end of any socket may
// be gone when it writes. Whoever starts programs puts the default back for them.
#pragma once

#include <chrono>
#include <memory>

namespace holdfast::uv {

class Loop {
 public:
  Loop();
  ~Loop();  // waits for the close callbacks of the handles destroyed before
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Serves until stop(), or until no handle is left that could ever call back.
  void run();

  // run() returns at the end of this turn; called before run(), at once.
  void stop();

  // Something has come that the next turn will serve.
  bool has_events() const;

  // Monotonic time, for measuring lengths only: it stands still while the box is
  // suspended and starts anywhere.
  std::chrono::nanoseconds monotonic() const;

  struct State;
  State& state() { return *state_; }  // for this folder

 private:
  std::unique_ptr<State> state_;
};

}  // namespace holdfast::uv
