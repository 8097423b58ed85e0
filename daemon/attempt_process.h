// AttemptProcess: the daemon's side of one handler process. It feeds the payload,
// collects the output within its bound, keeps the end of standard error, watches the
// time, and says in the end how the attempt went.
//
//    Result<std::unique_ptr<AttemptProcess>> process =
//        AttemptProcess::start(loop, link, std::move(start), on_over);
//
// Rule    The first reason to end an attempt is its outcome, whatever the handler's exit
//         status says after: stopped, timed out, or too much output.
// Reason  A handler may turn SIGTERM into exit status 0. It has cleaned up, not finished.
//
// Rule    But a handler that ended with status 0 before the signal reached it succeeded.
// Reason  Its work is done; to run it again would do it twice.
//
// Ownership  the runner owns it; destroying it closes the pipes and kills nothing.
// Threads    the loop's.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/outcome.h"
#include "daemon/handler_pipes.h"
#include "daemon/spawner_link.h"
#include "daemon/uv/timer.h"
#include "storage/base/result.h"
#include "storage/base/time.h"

namespace holdfast::daemon {

struct AttemptStart {
  uint64_t handle;  // the caller's, never used twice
  std::vector<std::string> argv;
  std::vector<std::string> environment;  // NAME=VALUE, nothing is added
  std::string working_directory;
  std::shared_ptr<const std::string> payload;
  uint64_t result_bytes_max;
  Duration timeout;
  Duration kill_grace;  // from SIGTERM to SIGKILL
};

class AttemptProcess : public SpawnedProcess {
 public:
  // Once, from the loop, when nothing of the process group lives any more; it may destroy
  // the process.
  using OnOver = std::function<void(core::AttemptReport report)>;

  // The time runs from here. The error is a reason why it cannot start.
  static Result<std::unique_ptr<AttemptProcess>> start(uv::Loop& loop, SpawnerLink& link,
                                                       AttemptStart start, OnOver on_over);

  AttemptProcess(const AttemptProcess&) = delete;
  AttemptProcess& operator=(const AttemptProcess&) = delete;

  // SIGTERM, then SIGKILL. Nothing if the attempt is being ended already.
  void stop();

  // Payload not yet fed, and room for what the handler has written: never more than it
  // may write.
  uint64_t memory_bytes() const;

 private:
  AttemptProcess(uv::Loop& loop, SpawnerLink& link, const AttemptStart& start,
                 HandlerPipes pipes, OnOver on_over);
  void process_ended(const spawner::Ended& ended) override;
  void process_cannot_start(const std::string& reason) override;
  void feed(std::shared_ptr<const std::string> payload);
  void end_because(core::Outcome verdict);
  void time_is_up();
  Duration timeout_left() const;
  void read_outputs();
  void take_output(std::string_view bytes);
  void make_room(size_t result_bytes);
  core::Outcome outcome_of(const spawner::Ended& ended);

  const uint64_t result_bytes_max_;
  const Duration timeout_;
  const std::chrono::nanoseconds began_;
  const Duration kill_grace_;
  uv::Loop& loop_;
  SpawnerLink& link_;
  const uint64_t handle_;  // the link's
  const std::string program_;
  OnOver on_over_;
  uv::Timer timer_;  // until the pipes are read; the deadline; the end of the grace
  HandlerPipes pipes_;
  uint64_t payload_bytes_ = 0;
  std::string result_;
  std::string log_tail_;
  std::optional<core::Outcome> verdict_;
  bool over_ = false;
};

}  // namespace holdfast::daemon
