// Runner: carries out attempts, through the spawner, and tells how each one ended.
//
//    Runner runner{loop, link, on_finished};
//    runner.start({.handle = 7, .argv = {"/usr/bin/resize"}, ...});
//
// on_finished comes exactly once for each start, when nothing of the handler's process
// group lives any more and its output is in. It comes from the loop, never from within
// a call, and may start and stop attempts; it must not destroy the Runner.
//
// Ownership  borrows the loop and the link, which outlive it. Destroying it kills nothing.
// Threads    the loop's.
// Bounds     the caller's: result_bytes_max for each attempt, and how many it starts.
// Failure    An attempt for which the daemon has no descriptors left is CannotStart. When
//            the link is lost nothing is reported any more: how the attempts ended is
//            unknown.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "daemon/attempt_process.h"
#include "daemon/core/outcome.h"
#include "daemon/spawner_link.h"
#include "daemon/uv/loop.h"
#include "daemon/uv/timer.h"

namespace holdfast::daemon {

class Runner {
 public:
  using OnFinished = std::function<void(uint64_t handle, core::AttemptReport report)>;

  Runner(uv::Loop& loop, SpawnerLink& link, OnFinished on_finished);
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
  struct Refused {
    uint64_t handle;
    core::AttemptReport report;
  };

  void refuse(uint64_t handle, const std::string& program, const std::string& reason);
  void report_refused();
  uv::Loop& loop_;
  SpawnerLink& link_;
  const OnFinished on_finished_;
  uv::Timer refusals_due_;
  std::map<uint64_t, std::unique_ptr<AttemptProcess>> attempts_;
  std::vector<Refused> refused_;  // did not get as far as the spawner
};

}  // namespace holdfast::daemon
