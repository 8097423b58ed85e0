// serve(): a worker. It attaches to the daemon, runs the attempts of one function
// that are pushed to it, and answers each of them (client/PROTOCOL.md, section 8).
//
//    client::WorkerOptions options{.function_name = "resize"};
//    auto served = client::serve(options, [](const client::Attempt& attempt) {
//      if (attempt.payload().empty()) return client::failure("BadInput", "no cat in it");
//      return client::success(resize(attempt.payload()));
//    });
//    if (!served) return complain(served.error().message);
//
// Rule    A lost connection does not stop what runs: the daemon is looked for ten
//         times a second, and told at the attachment what is still held here.
// Reason  A restart of the daemon must not cost an hour of work.
//
// Rule    Stopped with the connection is what was to stop, is over its deadline, or is a
//         synchronous call; and the rest when worker_reattach_window has passed since.
// Reason  The daemon waits for no answer of these, and may run their events again.
//
// Rule    What the daemon has given up (a timeout, a cancellation, an attachment
//         too late) is told to the handler by stopped(), and nothing else is done.
// Reason  A thread cannot be ended from outside. Look at stopped() in every loop.
//
// Rule    An attempt may run a second time beside or after a first one.
// Reason  A crash may fall between the work and its answer. request_id() is the
//         name under which to remember that the work is done.
//
// Ownership  serve() copies the options; the handler must live until it returns.
// Threads    The caller's thread keeps the connection, the handler is called on up
//            to `concurrency` others, and may be called on all of them at once.
//            serve() returns when the last call of the handler has returned.
// Failure    A Failure, never an exception. One that leaves the handler is a failure
//            of the attempt: ErrorType "Exception", and what() as the ErrorMessage.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <msgpack.hpp>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <variant>

#include "client/answer.h"
#include "client/client.h"

namespace holdfast::client {

inline constexpr uint32_t kWorkerConcurrencyMax = 1024;

struct WorkerOptions {
  std::string function_name;
  std::string socket_path{kSocketPathDefault};

  // Attempts at once, each on a thread of its own. Range: 1 .. kWorkerConcurrencyMax.
  uint32_t concurrency = 1;

  // True: serve() waits for a daemon that is not there, also at the beginning. False:
  // then, and when the connection is lost, everything is stopped and serve() returns.
  bool reconnect = true;

  // True: the handler may take as long as it likes, the daemon is told that it still
  // works. False: the function's `timeout` is the longest time that it may take.
  bool heartbeats = true;

  // Ends serve() gracefully: no further attempts are taken, those here are finished and
  // answered. request_stop() is no call for a signal handler: wait for the signal in a
  // thread, with sigwait().
  std::stop_token stop{};
};

// What the daemon has said of an attempt.
struct RunAttempt {
  std::string function_name;
  std::string request_id;
  int64_t number = 0;  // 1 is the first one
  std::string invocation_type;
  int64_t deadline_at_ms = 0;
  std::optional<std::string> idempotency_key;
  std::string payload;
  static std::optional<RunAttempt> unpack(const msgpack::object& map);
};

// An attempt, as its handler sees it. Only stopped() ever changes.
class Attempt {
 public:
  explicit Attempt(RunAttempt what) : what_(std::move(what)) {}
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;

  const std::string& function_name() const { return what_.function_name; }
  const std::string& request_id() const { return what_.request_id; }  // of every attempt of it
  int64_t number() const { return what_.number; }
  const std::string& invocation_type() const { return what_.invocation_type; }
  // When it was pushed, milliseconds since 1970. Heartbeats have moved it since.
  int64_t first_deadline_at_ms() const { return what_.deadline_at_ms; }
  const std::optional<std::string>& idempotency_key() const { return what_.idempotency_key; }
  const std::string& payload() const { return what_.payload; }

  // True: the result is not wanted any more, or only if it comes at once.
  bool stopped() const { return stopped_.load(std::memory_order_acquire); }

  // For the worker.
  void stop() { stopped_.store(true, std::memory_order_release); }

 private:
  const RunAttempt what_;
  std::atomic<bool> stopped_ = false;
};

struct AttemptSuccess {
  std::string result;
};
// The daemon keeps 128 bytes of the type, 1,024 of the message, and of the log the last 4,096.
struct AttemptFailure {
  std::string error_type;  // empty: "Error"
  std::string error_message;
  std::string log_tail;
};
using AttemptResult = std::variant<AttemptSuccess, AttemptFailure>;

inline AttemptResult success(std::string result = {}) { return AttemptSuccess{std::move(result)}; }
inline AttemptResult failure(std::string error_type, std::string error_message,
                             std::string log_tail = {}) {
  return AttemptFailure{std::move(error_type), std::move(error_message), std::move(log_tail)};
}

using Handler = std::function<AttemptResult(const Attempt&)>;

struct Served {
  uint64_t answered = 0;  // attempts whose outcome is on the daemon's disk by our answer
};

// Blocks until it is stopped, or cannot go on: the first attachment was refused, a later one
// for another reason than ServiceUnavailableException, or the daemon's words made no sense.
Answer<Served> serve(const WorkerOptions& options, const Handler& handler);

}  // namespace holdfast::client
