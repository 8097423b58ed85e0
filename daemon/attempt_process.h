// AttemptProcess: the daemon's side of one handler process. It feeds the payload,
// collects the output within its bound, keeps the end of standard error, watches the
// time, and says in the end how the attempt went.
//
//    Result<AttemptProcess::Opened> opened = AttemptProcess::open(loop, start, send_signal);
//    spawn(std::move(opened->handler_fds));
//    ...
//    report(opened->process->ended(ended));
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

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/outcome.h"
#include "daemon/spawner/fd.h"
#include "daemon/spawner/protocol.h"
#include "daemon/uv/stream.h"
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

class AttemptProcess {
 public:
  // A signal for the whole process group.
  using SendSignal = std::function<void(int signal)>;

  struct Opened {
    std::unique_ptr<AttemptProcess> process;
    std::vector<spawner::Fd> handler_fds;  // standard input, output, error
  };
  // The time runs from here.
  static Result<Opened> open(uv::Loop& loop, const AttemptStart& start, SendSignal send_signal);

  AttemptProcess(const AttemptProcess&) = delete;
  AttemptProcess& operator=(const AttemptProcess&) = delete;

  // SIGTERM, then SIGKILL. Nothing if the attempt is being ended already.
  void stop();

  // The last call is one of these two.
  core::AttemptReport ended(const spawner::Ended& ended);
  core::AttemptReport never_started(core::CannotStart reason);

  // Payload not yet fed, and room for what the handler has written: never more than it
  // may write.
  uint64_t memory_bytes() const;

 private:
  struct Pipe {
    std::unique_ptr<uv::Stream> stream;
    int fd = -1;  // the stream's
  };

  AttemptProcess(uv::Loop& loop, const AttemptStart& start, SendSignal send_signal);
  static Result<Pipe> adopt(uv::Loop& loop, spawner::Fd fd);
  void feed(std::shared_ptr<const std::string> payload);
  void end_because(core::Outcome verdict);
  void time_is_up();
  void take_output(std::string_view bytes);
  void make_room(size_t result_bytes);
  void take_log(std::string_view bytes);
  core::Outcome outcome_of(const spawner::Ended& ended);

  const uint64_t result_bytes_max_;
  const Duration timeout_;
  const Duration kill_grace_;
  const SendSignal send_signal_;
  uv::Timer timer_;  // the deadline; then the end of the grace
  Pipe input_;
  Pipe output_;
  Pipe log_;
  uint64_t payload_bytes_ = 0;
  std::string result_;
  std::string log_tail_;
  std::optional<core::Outcome> verdict_;
  bool over_ = false;
};

}  // namespace holdfast::daemon
