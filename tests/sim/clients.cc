// The simulated clients, consumers and handlers.
#include <algorithm>

#include "storage/base/match.h"
#include "tests/sim/simulation.h"

namespace holdfast::sim {

using storage::EventId;
using storage::InvocationType;
using test::Ticket;

namespace {

constexpr size_t kRememberedMax = 100;

template <class Kept>
void keep(std::deque<Kept>& kept, Kept value) {
  kept.push_back(std::move(value));
  if (kept.size() > kRememberedMax) kept.pop_front();
}

}  // namespace

void Simulation::remember(const EventId& id) { keep(recent_, id); }

// --- submits -------------------------------------------------------------------------

void Simulation::submit(InvocationType type, const std::string& key) {
  core::Submission submission;
  submission.function = pick_function();
  submission.type = type;
  submission.idempotency_key = key;
  const bool conflicting = random_.chance(10);
  if (key.empty() || conflicting) {
    submission.payload = "{\"n\":" + std::to_string(++payloads_) + "}";
    if (random_.chance(3)) submission.payload.append(random_.up_to(60'000), ' ');
  } else {
    submission.payload = "of " + submission.function + " " + key;
  }
  if (type == InvocationType::event && random_.chance(plan_.delayed_percent)) {
    submission.delay = Duration{static_cast<int64_t>(random_.up_to(600'000))};
  }
  Asked asked{};
  asked.kind = Asked::Kind::submit;
  asked.request = witness_.checker().submitted(
      submission.function, conflicting ? std::string{} : key, submission.payload);
  ask(world_.submit(std::move(submission)), std::move(asked));
}

void Simulation::repeat_key() {
  const bool call = weights_[3] > 0 && random_.chance(25);
  submit(call ? InvocationType::synchronous : InvocationType::event,
         "k" + std::to_string(pick(plan_.keys)));
}

void Simulation::burst() {
  const std::string function = pick_function();
  for (uint32_t n = 0; n < plan_.burst_events; ++n) {
    core::Submission submission;
    submission.function = function;
    submission.payload = "burst " + std::to_string(++payloads_);
    if (random_.chance(plan_.delayed_percent)) {
      submission.delay = Duration{static_cast<int64_t>(random_.up_to(600'000))};
    }
    Asked asked{};
    asked.kind = Asked::Kind::submit;
    asked.request = witness_.checker().submitted(function, {}, submission.payload);
    ask(world_.submit(std::move(submission)), std::move(asked));
  }
}

// --- other requests --------------------------------------------------------------------

void Simulation::cancel() {
  if (recent_.empty()) return;
  const EventId id = recent_[pick(recent_.size())];
  Asked asked{};
  asked.kind = Asked::Kind::cancel;
  ask(world_.cancel(id), asked);
  if (random_.chance(30)) ask(world_.cancel(id), asked);  // an impatient client
}

void Simulation::await() {
  if (recent_.empty()) return;
  world_.await(recent_[pick(recent_.size())],
               Duration{static_cast<int64_t>(random_.up_to(20'000))});
}

void Simulation::redrive() {
  const auto function = world_.core().ledger().find_function(pick_function());
  if (!function) return;
  core::DeadLettersRequest request;
  request.verb =
      random_.chance(75) ? core::DeadLetterVerb::redrive : core::DeadLetterVerb::discard;
  request.function = *function;
  if (random_.chance(30) && !recent_.empty()) {
    request.one = recent_[pick(recent_.size())];
    request.function = request.one->function;
  }
  Asked asked{};
  asked.kind = Asked::Kind::dead_letters;
  asked.dead_letters = request;
  ask(world_.dead_letters(request), std::move(asked));
}

void Simulation::use_queue() {
  static const std::array kQueues{kSuccessQueue, kFailureQueue, kDeadLetterQueue, kClientQueue};
  const auto messages = static_cast<uint32_t>(1 + random_.up_to(9));
  Asked asked{};
  switch (random_.up_to(3)) {
    case 0: {
      asked.kind = Asked::Kind::send;
      asked.body = "message " + std::to_string(++payloads_);
      const Duration delay{random_.chance(80) ? 0 : static_cast<int64_t>(random_.up_to(60'000))};
      return ask(world_.send(kClientQueue, asked.body, delay), asked);
    }
    case 1:
    case 2: {
      asked.kind = Asked::Kind::receive;
      std::optional<Duration> hidden;
      if (random_.chance(60)) hidden = Duration{static_cast<int64_t>(random_.up_to(60'000))};
      return ask(world_.receive(kQueues[pick(kQueues.size())], messages, hidden), asked);
    }
    default: {
      if (receipts_.empty()) return;
      const size_t at = pick(receipts_.size());
      asked.kind = Asked::Kind::remove;
      asked.receipt = receipts_[at];
      if (random_.chance(80)) receipts_.erase(receipts_.begin() + static_cast<std::ptrdiff_t>(at));
      queue_model_.deleting(asked.receipt);
      return ask(world_.remove(asked.receipt), asked);
    }
  }
}

// --- handlers --------------------------------------------------------------------------

static test::HistoryChecker::Ended seen_end(const core::Outcome& outcome) {
  using Ended = test::HistoryChecker::Ended;
  if (std::holds_alternative<core::Succeeded>(outcome)) return Ended::succeeded;
  if (std::holds_alternative<core::Stopped>(outcome)) return Ended::stopped;
  if (std::holds_alternative<core::NotStarted>(outcome)) return Ended::not_started;
  return Ended::failed;
}

core::Outcome Simulation::roll_outcome(const test::Handler& handler) {
  if (handler.stop_asked && random_.chance(80)) return core::Stopped{};
  if (!faults_ || !random_.chance(plan_.failing_percent)) return core::Succeeded{"\"done\""};
  switch (random_.up_to(5)) {
    case 0: return core::Exited{1};
    case 1: return core::Signaled{9};
    case 2: return core::TimedOut{handler.start.settings->timeout};
    case 3: return core::ResultTooLarge{handler.start.settings->result_bytes_max};
    case 4:  // a call that did not start is refused, and this one was seen to start
      if (handler.start.type == storage::InvocationType::event) return core::NotStarted{};
      [[fallthrough]];
    default: return core::CannotStart{"/bin/true", "No such file or directory"};
  }
}

void Simulation::finish_handler() {
  const auto& handlers = world_.handlers();
  if (handlers.empty()) return;
  const auto at = std::next(handlers.begin(), static_cast<std::ptrdiff_t>(pick(handlers.size())));
  const EventId id = at->first;
  const test::Handler& handler = at->second;
  if (faults_ && random_.chance(plan_.hanging_percent) && !handler.stop_asked) {
    world_.advance(handler.start.settings->timeout);
    world_.tick_if_due();
  }
  const core::Outcome outcome = roll_outcome(handler);
  const core::AttemptNumber attempt = handler.start.attempt;
  witness_.checker().attempt_ended(name_of(id), attempt.value, seen_end(outcome));
  keep(old_attempts_, std::pair{id, attempt});
  world_.finish(id, outcome);
}

// A report of an attempt that is over: it must change nothing.
void Simulation::outdated_report() {
  if (old_attempts_.empty()) return;
  const auto [id, attempt] = old_attempts_[pick(old_attempts_.size())];
  auto running = world_.handlers().find(id);
  if (running != world_.handlers().end() && running->second.start.attempt == attempt) return;
  world_.report(id, attempt, random_.chance(50) ? core::Outcome{core::Succeeded{"late"}}
                                                : core::Outcome{core::Exited{7}});
}

// --- answers -----------------------------------------------------------------------------

void Simulation::answered(Ticket ticket, const core::Answer& answer) {
  auto node = asked_.extract(ticket);
  if (node.empty()) {
    witness_.complain("a caller was answered that had not asked, or twice");
    return;
  }
  const Asked& asked = node.mapped();
  switch (asked.kind) {
    case Asked::Kind::submit: return submit_answered(asked, answer);
    case Asked::Kind::cancel:
      if (const auto* cancelled = std::get_if<core::CancelAnswer>(&answer)) {
        witness_.checker().cancel_answered(name_of(cancelled->event), seen(cancelled->state));
      }
      return;
    case Asked::Kind::dead_letters: {
      const auto* moved = std::get_if<core::DeadLettersMoved>(&answer);
      if (moved == nullptr || !moved->next || !random_.chance(70)) return;
      Asked next = asked;
      next.dead_letters.page = moved->next;
      return ask(world_.dead_letters(next.dead_letters), next);
    }
    case Asked::Kind::worker: return;
    default: return queue_answered(asked, answer);
  }
}

void Simulation::submit_answered(const Asked& asked, const core::Answer& answer) {
  test::HistoryChecker& checker = witness_.checker();
  if (const auto* accepted = std::get_if<core::Accepted>(&answer)) {
    checker.accepted(asked.request, name_of(accepted->event), accepted->duplicate, now());
    remember(accepted->event);
  } else if (const auto* returned = std::get_if<core::Returned>(&answer)) {
    checker.returned(asked.request, name_of(returned->event), returned->duplicate,
                     returned->answer.state == storage::EndState::succeeded, now());
  } else if (std::holds_alternative<core::Refused>(answer)) {
    checker.refused(asked.request);
  } else {
    witness_.complain("a submit got an answer of another kind");
  }
}

void Simulation::queue_answered(const Asked& asked, const core::Answer& answer) {
  if (const auto* sent = std::get_if<core::Sent>(&answer)) {
    queue_model_.sent(sent->message, asked.body);
  } else if (const auto* received = std::get_if<core::Received>(&answer)) {
    for (const core::ReceivedMessage& message : received->messages) {
      queue_model_.received(message.key, *message.record, world_.moment().now);
      if (random_.chance(70)) keep(receipts_, message.key);  // the others vanish
    }
  } else if (std::holds_alternative<core::Deleted>(answer)) {
    queue_model_.deleted(asked.receipt);
  }
}

// The daemon is gone: who had no answer does not know.
void Simulation::forget_callers() {
  for (const auto& [ticket, asked] : asked_) {
    if (asked.kind == Asked::Kind::submit) witness_.checker().unknown(asked.request);
  }
  asked_.clear();
}

}  // namespace holdfast::sim
