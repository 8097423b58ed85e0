// WorkerLoop: what the caller's thread of serve() does. It keeps the connection, and
// moves attempts and answers between it, the book and the pool. This is the only place
// of a worker that asks the clock.
//
//    Answer<Served> served = WorkerLoop{options, pool, wake}.run();
//
// Ownership  It owns connection and book; the rest outlives it.
// Threads    One. The pool's threads and a stop are heard of through the WakeEvent.
// Failure    What ends it, as serve() tells it. Handlers may still be running then; those
//            of attempts that it held have been told to stop.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "client/worker_book.h"
#include "client/worker_connection.h"
#include "client/worker_pool.h"
#include "storage/base/time.h"

namespace holdfast::client {

class WorkerLoop {
 public:
  WorkerLoop(const WorkerOptions& options, WorkerPool& pool, const WakeEvent& wake)
      : options_(options), pool_(pool), wake_(wake) {}

  Answer<Served> run();

 private:
  using Clock = std::chrono::steady_clock;
  using Instant = Clock::time_point;
  static constexpr Duration kReattachWindowDefault = std::chrono::seconds{10};
  enum class Question : uint8_t { attach, answer, heartbeat, detach };
  struct Asked {
    Question question;
    WorkerBook::Which which;  // of an answer or a heartbeat
    Instant at;
  };
  using Refusal = wire::CallError;

  bool stopping() const { return options_.stop.stop_requested(); }
  void connect(Instant now);
  void ask(Instant now, Question question, WorkerBook::Which which, std::string_view method,
           const WorkerConnection::PackParams& pack_params);
  void take_results();
  void speak(Instant now);
  void beat(Instant now);
  bool listen(Instant now);
  void take_reply(wire::Reply& reply, Instant now);
  void attach_answered(wire::Reply& reply, Instant now);
  void answer_answered(const WorkerBook::Which& which, const Refusal* refusal, Instant now);
  void take_push(const wire::Push& push, Instant now);
  void run_attempt(RunAttempt what, Instant now);
  void stop_attempt(const WorkerBook::Which& which);
  void let_go(const SharedAttempt& attempt);
  void drop(const std::vector<SharedAttempt>& attempts);
  void connection_lost(Instant now);
  void keep_window(Instant now);
  bool is_done(Instant now);
  void wait(Instant now);
  void end(Failure failure);

  const WorkerOptions& options_;
  WorkerPool& pool_;
  const WakeEvent& wake_;
  WorkerConnection connection_;
  WorkerBook book_;
  std::map<uint32_t, Asked> asked_;  // no reply yet, by msgid
  Served served_;

  bool was_attached_ = false;  // ever
  bool attached_ = false;
  bool detach_asked_ = false;
  bool detached_ = false;
  size_t beats_unanswered_ = 0;
  size_t dropped_while_stopping_ = 0;
  Duration timeout_{0};
  Duration beat_period_{0};
  Duration reattach_window_ = kReattachWindowDefault;

  Instant connect_at_{};  // not before then
  Instant beat_at_{};
  std::optional<Instant> answer_again_at_;
  std::optional<Instant> window_ends_at_;  // not attached: so long is kept what is held
  std::optional<Instant> give_up_at_;  // stopping, nothing runs: so long we wait for replies
  std::optional<Failure> ended_;
};

}  // namespace holdfast::client
