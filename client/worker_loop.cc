#include "client/worker_loop.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/worker_messages.h"
#include "storage/base/match.h"

namespace holdfast::client {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

constexpr Duration kReconnectDelay = 100ms;
constexpr Duration kAnswerAgainDelay = 1s;  // after the daemon could not take it
constexpr int kBeatsPerTimeout = 3;

constexpr std::string_view kResourceConflict = "ResourceConflictException";
constexpr std::string_view kServiceUnavailable = "ServiceUnavailableException";

// The same answer may be taken a little later, perhaps by the daemon's next start.
bool passes(const std::string& type) {
  return type == kServiceUnavailable || type == "OutcomeUnknownException" ||
         type == "InsufficientStorageException" || type == "TooManyRequestsException";
}

// A daemon that is about to be started again, or has not been yet.
bool may_come(int system_error) {
  return system_error == ENOENT || system_error == ECONNREFUSED || system_error == EAGAIN;
}

}  // namespace

Answer<Served> WorkerLoop::run() {
  while (!ended_) {
    const Instant now = Clock::now();
    take_results();
    keep_window(now);
    connect(now);
    if (attached_) speak(now);
    if (listen(now)) continue;
    if (is_done(now)) break;
    if (!ended_) wait(now);
  }
  drop(book_.give_up());
  if (ended_) return *ended_;
  if (dropped_while_stopping_ == 0) return served_;
  return Failure{FailureKind::unknown, "",
                 "the daemon did not take the answers of " +
                     std::to_string(dropped_while_stopping_) +
                     " attempts before the worker was stopped"};
}

void WorkerLoop::connect(Instant now) {
  if (connection_.is_open() || now < connect_at_ || (stopping() && book_.empty())) return;
  connect_at_ = now + kReconnectDelay;
  const int system_error = connection_.open(options_.socket_path);
  if (system_error == 0) {
    ask(now, Question::attach, {}, kAttachWorker, [this](wire::MapWriter& params) {
      pack_attach(params, options_, book_.names());
    });
  } else if (!options_.reconnect || (!was_attached_ && !may_come(system_error))) {
    end({FailureKind::unreachable, "",
         "cannot connect to " + options_.socket_path + ": " + std::strerror(system_error),
         system_error});
  }
}

void WorkerLoop::ask(Instant now, Question question, WorkerBook::Which which,
                     std::string_view method, const WorkerConnection::PackParams& pack_params) {
  asked_.emplace(connection_.request(method, pack_params), Asked{question, std::move(which), now});
}

void WorkerLoop::take_results() {
  for (WorkerPool::Finished& finished : pool_.take_finished()) {
    book_.finished(*finished.attempt, sendable(std::move(finished.result)));
  }
}

void WorkerLoop::speak(Instant now) {
  if (stopping() && !detach_asked_) {
    detach_asked_ = true;
    ask(now, Question::detach, {}, kDetachWorker, [](wire::MapWriter&) {});
  }
  if (answer_again_at_ && now >= *answer_again_at_) {
    answer_again_at_.reset();
    book_.resume_put_off();
  }
  for (const WorkerBook::Held* held : book_.take_unsent()) {
    const Attempt& attempt = *held->attempt;
    ask(now, Question::answer, {attempt.request_id(), attempt.number()}, method_of(*held->result),
        [&](wire::MapWriter& params) {
          pack_which(params, attempt);
          pack_result(params, *held->result);
        });
  }
  if (!book_.empty() && now >= beat_at_) beat(now);
}

// While an earlier heartbeat waits for its reply a further one would tell nothing new.
void WorkerLoop::beat(Instant now) {
  beat_at_ = now + beat_period_;
  if (!options_.heartbeats || beats_unanswered_ > 0) return;
  for (const SharedAttempt& attempt : book_.unanswered()) {
    if (attempt->stopped() || pool_.waits(*attempt)) continue;
    ++beats_unanswered_;
    ask(now, Question::heartbeat, {attempt->request_id(), attempt->number()}, kSendAttemptHeartbeat,
        [&](wire::MapWriter& params) { pack_which(params, *attempt); });
  }
}

// True: something has changed, and there may be something to say at once.
bool WorkerLoop::listen(Instant now) {
  if (!connection_.is_open()) return false;
  std::vector<WorkerConnection::Message> messages = connection_.exchange();
  for (WorkerConnection::Message& message : messages) {
    std::visit(match{
                   [&](wire::Reply& reply) { take_reply(reply, now); },
                   [&](const wire::Push& push) { take_push(push, now); },
               },
               message);
  }
  if (!connection_.is_open()) connection_lost(now);
  return !messages.empty() || !connection_.is_open();
}

void WorkerLoop::take_reply(wire::Reply& reply, Instant now) {
  const auto* refusal = std::get_if<Refusal>(&reply.answer);
  const auto found = asked_.extract(reply.msgid);
  if (found.empty() && refusal == nullptr) {
    return connection_.refuse("a reply came that nobody asked for");
  }
  if (found.empty()) {
    return connection_.close("the daemon closed the connection: " + refusal->type + ": " +
                             refusal->message);
  }
  const Asked& asked = found.mapped();
  switch (asked.question) {
    case Question::attach:
      return attach_answered(reply, now);
    case Question::answer:
      return answer_answered(asked.which, refusal, now);
    case Question::heartbeat: {
      --beats_unanswered_;
      if (refusal == nullptr) return book_.deadline_moved(asked.which, asked.at + timeout_);
      if (refusal->type != kResourceConflict) return;
      const WorkerBook::Held* held = book_.find(asked.which);
      if (held != nullptr && !held->result) let_go(book_.settled(asked.which));
      return;
    }
    case Question::detach:
      detached_ = true;
      return;
  }
}

void WorkerLoop::attach_answered(wire::Reply& reply, Instant now) {
  if (const auto* refusal = std::get_if<Refusal>(&reply.answer)) {
    connection_.close("the attachment was refused: " + refusal->message);
    if (!was_attached_ || refusal->type != kServiceUnavailable) {
      end({FailureKind::refused, refusal->type, refusal->message});
    }
    return;
  }
  const auto& map = *std::get_if<msgpack::object_handle>(&reply.answer);
  const std::optional<AttachReply> attached = AttachReply::unpack(map.get());
  if (!attached) return connection_.refuse("the answer to AttachWorker lacks a field");
  was_attached_ = attached_ = true;
  window_ends_at_.reset();
  timeout_ = attached->timeout;
  beat_period_ = std::max<Duration>(timeout_ / kBeatsPerTimeout, 1ms);
  beat_at_ = now + beat_period_;
  reattach_window_ = attached->reattach_window.value_or(kReattachWindowDefault);
  for (const SharedAttempt& lost : book_.attached(attached->continued, now + timeout_)) {
    let_go(lost);
  }
}

// What is refused for good was answered before, has been given up by the daemon, or has
// failed there by its size: in each case nothing is left to be done for it here.
void WorkerLoop::answer_answered(const WorkerBook::Which& which, const Refusal* refusal,
                                 Instant now) {
  if (refusal != nullptr && passes(refusal->type)) {
    book_.put_off(which);
    if (!answer_again_at_) answer_again_at_ = now + kAnswerAgainDelay;
    return;
  }
  book_.settled(which);
  if (refusal == nullptr) ++served_.answered;
}

// Pushes that this program does not know are of a later version, and passed over.
void WorkerLoop::take_push(const wire::Push& push, Instant now) {
  if (push.method == kRunAttempt) {
    std::optional<RunAttempt> what = RunAttempt::unpack(push.params.get());
    if (!what) return connection_.refuse("RunAttempt lacks a field");
    run_attempt(std::move(*what), now);
  } else if (push.method == kStopAttempt) {
    const auto which = unpack_which(push.params.get());
    if (!which) return connection_.refuse("StopAttempt lacks a field");
    stop_attempt(*which);
  }
}

// Attempts that went lost may still keep their threads; then a new one waits in the pool.
void WorkerLoop::run_attempt(RunAttempt what, Instant now) {
  if (attached_ && book_.unanswered().size() >= options_.concurrency) {
    return connection_.refuse("more attempts were pushed than the worker has room for");
  }
  if (book_.empty()) beat_at_ = now + beat_period_;
  auto attempt = std::make_shared<Attempt>(std::move(what));
  if (const SharedAttempt older = book_.pushed(attempt, now + timeout_)) let_go(older);
  pool_.run(std::move(attempt));
}

void WorkerLoop::stop_attempt(const WorkerBook::Which& which) {
  const WorkerBook::Held* held = book_.find(which);
  if (held == nullptr) return;
  held->attempt->stop();
  if (!pool_.forget(*held->attempt)) return;
  book_.finished(*held->attempt, failure("Stopped", "it was stopped before a thread was free"));
}

void WorkerLoop::let_go(const SharedAttempt& attempt) {
  attempt->stop();
  pool_.forget(*attempt);
}

// Without an answer to be had for them.
void WorkerLoop::drop(const std::vector<SharedAttempt>& attempts) {
  for (const SharedAttempt& attempt : attempts) let_go(attempt);
  if (stopping()) dropped_while_stopping_ += attempts.size();
}

void WorkerLoop::connection_lost(Instant now) {
  attached_ = detach_asked_ = detached_ = false;
  beats_unanswered_ = 0;
  asked_.clear();
  if (connection_.makes_no_sense()) {
    return end({FailureKind::unknown, "", connection_.why()});
  }
  if (!options_.reconnect && !(stopping() && book_.empty())) {
    const auto kind = book_.empty() ? FailureKind::unreachable : FailureKind::unknown;
    return end({kind, "", connection_.why()});
  }
  drop(book_.connection_lost(now));
  if (!window_ends_at_) window_ends_at_ = now + reattach_window_;
}

// What is held may run elsewhere when it is over. A connection that still waits for its
// attachment has named it, and goes too.
void WorkerLoop::keep_window(Instant now) {
  if (!window_ends_at_ || now < *window_ends_at_ || book_.empty()) return;
  drop(book_.give_up());
  if (!connection_.is_open()) return;
  connection_.close("the daemon did not answer the attachment");
  connection_lost(now);
}

bool WorkerLoop::is_done(Instant now) {
  if (!stopping() || !pool_.idle()) {
    give_up_at_.reset();
    return false;
  }
  if (book_.empty() && (detached_ || !connection_.is_open())) return true;
  if (!give_up_at_) give_up_at_ = now + std::max(reattach_window_, kReattachWindowDefault);
  return now >= *give_up_at_;
}

void WorkerLoop::wait(Instant now) {
  std::optional<Instant> until = give_up_at_;
  const auto not_after = [&](Instant at) { until = std::min(until.value_or(at), at); };
  if (attached_) {
    if (!book_.empty()) not_after(beat_at_);
    if (answer_again_at_) not_after(*answer_again_at_);
  }
  if (window_ends_at_ && !book_.empty()) not_after(*window_ends_at_);
  if (!connection_.is_open() && !(stopping() && book_.empty())) not_after(connect_at_);

  int timeout_ms = -1;
  if (until) {
    const auto left = std::chrono::ceil<Duration>(*until - now).count();
    timeout_ms = static_cast<int>(std::clamp<int64_t>(left, 0, INT32_MAX));
  }
  pollfd watched[] = {{wake_.descriptor(), POLLIN, 0},
                      {connection_.descriptor(), connection_.events(), 0}};
  ::poll(watched, 2, timeout_ms);
  wake_.clear();
}

void WorkerLoop::end(Failure failure) {
  if (!ended_) ended_ = std::move(failure);
}

}  // namespace holdfast::client
