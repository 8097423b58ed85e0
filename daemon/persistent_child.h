// PersistentChild: one process of a persistent command, from its start to the end of its
// group. It waits for Ready, carries out one attempt at a time, keeps the end of standard
// error, watches the time, and says how each attempt went.
//
//    Result<std::unique_ptr<PersistentChild>> child =
//        PersistentChild::start(loop, link, command, owner);
//    child->give(start, request_id, deadline);      // once owner.child_ready() was called
//    child->retire();
//
// Rule    The first reason to end a process is the outcome of its attempt; but an answer
//         that is a success counts as long as it comes before the end of the process.
// Reason  Its work is done; to run it again would do it twice.
//
// Rule    Of an attempt that fails nothing is told before its process and the whole group
//         of that are gone; an Error, too, ends the process.
// Reason  The next attempt of the same event must not meet the last one.
//
// Ownership  borrows loop, link and owner. Destroying it kills nothing.
// Threads    the loop's. Bounds  one answer, and what is not read yet of one event.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/settings.h"
#include "daemon/core/effect.h"
#include "daemon/core/outcome.h"
#include "daemon/handler_pipes.h"
#include "daemon/pool/frame.h"
#include "daemon/spawner_link.h"
#include "daemon/uv/timer.h"

namespace holdfast::daemon {

// AWS's own limit for the start of a function.
inline constexpr Duration kReadyTimeMax = std::chrono::seconds{10};

struct PersistentCommand {
  std::vector<std::string> argv;
  std::vector<std::string> environment;  // NAME=VALUE, nothing is added
  std::string working_directory;
  config::Framing framing = config::Framing::json_lines;
  Duration kill_grace;
};

// What it tells, from the loop. It may be destroyed in child_ended only.
class ChildOwner {
 public:
  virtual ~ChildOwner() = default;
  virtual void child_ready() = 0;
  // The attempt has succeeded, and the process may have another.
  virtual void child_answered(core::AttemptReport report) = 0;
  // It is being ended; what it has is told at its end.
  virtual void child_ending(bool own_fault) = 0;
  // Last of all. The report is of the attempt that it had, if any.
  virtual void child_ended(std::optional<core::AttemptReport> report, std::string why) = 0;
};

class PersistentChild : public SpawnedProcess {
 public:
  // The error is a reason why it cannot start.
  static Result<std::unique_ptr<PersistentChild>> start(uv::Loop& loop, SpawnerLink& link,
                                                        PersistentCommand command,
                                                        std::unique_ptr<ChildOwner> owner);
  PersistentChild(const PersistentChild&) = delete;
  PersistentChild& operator=(const PersistentChild&) = delete;

  // One event, to a process that is ready and has none.
  void give(const core::StartAttempt& start, const std::string& request_id, WallTime deadline);

  // SIGTERM, and SIGKILL after kill_grace, for the attempt that it has.
  void stop_attempt();

  // End of file on its standard input; SIGKILL after kill_grace.
  void retire();

  pid_t pid() const { return pid_; }  // 0: not known yet
  uint64_t memory_bytes() const;

 private:
  enum class State : uint8_t { starting, idle, busy, ending };

  PersistentChild(uv::Loop& loop, SpawnerLink& link, PersistentCommand& command,
                  HandlerPipes pipes, std::unique_ptr<ChildOwner> owner);
  void process_started(pid_t pid) override { pid_ = pid; }
  void process_ended(const spawner::Ended& ended) override;
  void process_cannot_start(const std::string& reason) override;
  void take_output(std::string_view bytes);
  void read_said();
  void answered(pool::Answer answer);
  void faulted(const pool::Fault& fault);
  void end_because(core::Outcome verdict, bool own_fault);
  void let_it_end();
  void time_is_up();
  void over(std::optional<core::AttemptReport> report, std::string why);
  std::string why_ended(const spawner::Ended& ended) const;

  SpawnerLink& link_;
  const uint64_t handle_;  // the link's
  const std::unique_ptr<ChildOwner> owner_;
  const Duration kill_grace_;
  const config::Framing framing_;
  uv::Timer timer_;  // until Ready; the deadline; the end of the grace
  HandlerPipes pipes_;
  pool::FrameReader reader_;
  State state_ = State::starting;
  pid_t pid_ = 0;

  // Of the attempt that it has.
  bool has_attempt_ = false;
  bool has_said_error_ = false;
  std::string request_id_;
  Duration timeout_{0};
  uint64_t result_bytes_max_ = 0;
  std::optional<core::Outcome> verdict_;
  std::string log_tail_;
  std::string complaint_;  // what it did wrong
};

}  // namespace holdfast::daemon
