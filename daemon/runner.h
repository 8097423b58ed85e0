// Runner: carries out attempts, through the spawner, and tells how each one ended.
//
//    Runner runner{loop, spawner->socket.number(), on_finished, on_spawner_lost};
//    runner.start({.handle = 7, .argv = {"/usr/bin/resize"}, ...});
//
// on_finished comes exactly once for each start, when nothing of the handler's process
// group lives any more and its output is in. It comes from the loop, never from within
// a call, and may start and stop attempts; it must not destroy the Runner.
//
// Ownership  borrows the loop and the spawner's socket, which outlive it. Destroying it
//            kills nothing: closing the socket does.
// Threads    the loop's.
// Bounds     the caller's: result_bytes_max for each attempt, and how many it starts.
// Failure    An attempt for which the daemon has no descriptors left is CannotStart. When
//            the spawner is gone, every handler is ended first, then on_spawner_lost comes
//            once and nothing after it: how the attempts ended is unknown, and the daemon
//            must stop. Until then this process has no children but the spawner.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "daemon/attempt_process.h"
#include "daemon/core/outcome.h"
#include "daemon/spawner/channel.h"
#include "daemon/spawner/protocol.h"
#include "daemon/uv/loop.h"
#include "daemon/uv/poll.h"
#include "daemon/uv/timer.h"

namespace holdfast::daemon {

class Runner {
 public:
  using OnFinished = std::function<void(uint64_t handle, core::AttemptReport report)>;

  Runner(uv::Loop& loop, int spawner_fd, OnFinished on_finished,
         std::function<void()> on_spawner_lost);
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  void start(AttemptStart start);

  // SIGTERM, and SIGKILL after its kill_grace. The report is Stopped, unless the attempt
  // was being ended already or had ended well before the signal came. An attempt that
  // has been reported is none any more: then this is nothing.
  void stop(uint64_t handle);

  // Started, and not yet reported.
  size_t running() const { return attempts_.size() + refused_.size(); }

  uint64_t memory_bytes() const;

 private:
  struct Attempt {
    std::unique_ptr<AttemptProcess> process;
    std::string program;
  };
  struct Refused {
    uint64_t handle;
    core::AttemptReport report;
  };

  void refuse(uint64_t handle, const std::string& program, const std::string& reason);
  void report_refused();
  void send(const spawner::ToSpawner& message, std::vector<spawner::Fd> fds = {});
  void flush();
  void receive();
  void take_in(const spawner::ToDaemon& message);
  void attempt_ended(const spawner::Ended& ended);
  void attempt_cannot_start(const spawner::CannotStart& cannot_start);
  void spawner_lost();

  uv::Loop& loop_;
  const OnFinished on_finished_;
  const std::function<void()> on_spawner_lost_;
  spawner::Channel channel_;
  uv::Poll spawner_;
  uv::Timer send_pause_;
  uv::Timer refusals_due_;
  std::map<uint64_t, Attempt> attempts_;
  std::vector<Refused> refused_;  // did not get as far as the spawner
  bool lost_ = false;
};

}  // namespace holdfast::daemon
