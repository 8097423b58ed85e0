// Outcome: how one attempt ended, as a fact the shell reports. client/PROTOCOL.md,
// section 7, tells the same to people.
#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "storage/base/time.h"

namespace holdfast::core {

struct Succeeded {
  std::string result;  // standard output, at most result_bytes_max
};
struct Exited {
  int status;  // 1..255; 0: a persistent command ended without an answer
};
struct Signaled {
  int signal;  // by somebody else than us
};
struct TimedOut {
  Duration timeout;
};
struct ResultTooLarge {
  uint64_t bytes_max;
};
struct CannotStart {
  std::string program;
  std::string reason;  // "No such file or directory"
};
// The handler said so itself: a worker, or a persistent command.
struct Failed {
  std::string error_type;     // at most kErrorTypeBytesMax; empty: none was said
  std::string error_message;  // at most kErrorMessageBytesMax
};
// The connection of the worker that had it ended before an answer.
struct WorkerLost {};
// We stopped it: drain, or cancel. Spends neither a retry nor an interruption.
struct Stopped {};
// No handler has seen it: the one that was to have it was gone. The event waits again as if
// the attempt had not been; only its number is used up.
struct NotStarted {};

using Outcome = std::variant<Succeeded, Exited, Signaled, TimedOut, ResultTooLarge, CannotStart,
                             Failed, WorkerLost, Stopped, NotStarted>;

// What comes with every outcome.
struct AttemptReport {
  Outcome outcome;
  std::string log_tail;  // end of standard error, at most kLogTailBytesMax
};

}  // namespace holdfast::core
