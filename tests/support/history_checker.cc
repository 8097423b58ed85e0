// PROMISES, each with the words of its complaint:
//
//   accepted means kept                  "was accepted and has not ended"
//   one ending per life                  "ended twice in one life"
//   failures <= 1 + retries              "failed more often than it may"
//   starts <= 1 + retries + interruptions_max + clean stops   "was started too often"
//   what no handler saw spends nothing   "counts as a failure"
//   attempt numbers rise                 "an attempt number did not rise"
//   attempts of one event never overlap  "two attempts at once"
//   nothing runs after its ending        "was started after its ending"
//   a started attempt is never forgotten "does not know of an attempt that started"
//   a success is a handler's             "ended as a success that no handler had"
//   a synchronous call runs once         "a call was started twice"
//   one key, one event                   "its key names another event"
//   a record exists for each ending      "record"
//   a dead letter for each death         "dead letter"
//   nothing nobody sent, nor refused     "nobody sent", "was refused"
#include "tests/support/history_checker.h"

#include <algorithm>

namespace holdfast::test {

void HistoryChecker::complain(const Id& id, const std::string& what) {
  complaints_.push_back(id + ": " + what);
}

HistoryChecker::Event& HistoryChecker::event(const Id& id) { return events_[id]; }

const HistoryChecker::Asked* HistoryChecker::asked_with(
    const std::optional<std::string>& payload) const {
  if (!payload) return nullptr;
  auto at = by_payload_.find(*payload);
  return at == by_payload_.end() ? nullptr : &asked_[at->second.front()];
}

// --- clients -------------------------------------------------------------------

HistoryChecker::Request HistoryChecker::submitted(const std::string& function,
                                                  const std::string& key,
                                                  const std::string& payload) {
  asked_.push_back(Asked{function, key, payload, Fate::open});
  by_payload_[payload].push_back(asked_.size() - 1);
  return asked_.size() - 1;
}

void HistoryChecker::accepted(Request request, const Id& id, bool duplicate, int64_t at) {
  Asked& asked = asked_[request];
  asked.fate = Fate::kept;
  seen(id, asked.payload, at);
  event(id).promised = true;
  if (duplicate && asked.key.empty()) complain(id, "is the duplicate of a submit without a key");
  if (!asked.key.empty()) name_by_key(id, asked.payload, at, request);
}

void HistoryChecker::returned(Request request, const Id& id, bool duplicate, bool succeeded,
                              int64_t at) {
  accepted(request, id, duplicate, at);
  const Event& called = event(id);
  if (!called.last) {
    complain(id, "a call was answered before its ending was kept");
  } else if ((called.last->state == SeenState::succeeded) != succeeded) {
    complain(id, "a call was answered otherwise than it ended");
  }
}

void HistoryChecker::refused(Request request) { asked_[request].fate = Fate::refused; }
void HistoryChecker::unknown(Request request) { asked_[request].fate = Fate::unknown; }

void HistoryChecker::cancel_answered(const Id& id, SeenState state) {
  Event& cancelled = event(id);
  cancelled.cancelled = state == SeenState::cancelled;
  if (!cancelled.last || cancelled.last->state != state) {
    complain(id, "a cancel was answered otherwise than it ended");
  }
}

// One key, one event: a key passes to another event only when it has expired. An answer
// may be late: what was asked before the key passed on may still name its former owner.
void HistoryChecker::name_by_key(const Id& id, const std::string& payload, int64_t at,
                                 std::optional<Request> answered) {
  const Asked* asked = asked_with(payload);
  if (asked == nullptr || asked->key.empty()) return;
  auto& owners = keys_[{asked->function, asked->key}];
  if (!owners.empty() && owners.back().id == id) return;
  const bool known = std::any_of(owners.begin(), owners.end(),
                                 [&](const KeyOwner& owner) { return owner.id == id; });
  if (known && !answered) return;  // redriven after its key had passed on
  if (known && *answered < owners.back().requests_before) return;
  const bool free = owners.empty() || (owners.back().expires_at && *owners.back().expires_at <= at);
  if (!free) complain(id, "its key names another event, " + owners.back().id);
  const Event& named = event(id);
  owners.push_back(
      {id, named.lives ? std::nullopt : named.last->key_expires_at, asked_.size()});
}

// --- handlers ------------------------------------------------------------------

void HistoryChecker::seen(const Id& id, const std::string& payload, int64_t at) {
  Event& found = event(id);
  if (found.payload) {
    if (*found.payload != payload) complain(id, "changed its payload");
    return;
  }
  found.payload = payload;
  const Asked* asked = asked_with(payload);
  if (asked == nullptr) {
    complain(id, "has a payload that nobody sent");
    return;
  }
  auto& ids = ids_of_payload_[payload];
  ids.insert(id);
  if (asked->key.empty() && ids.size() > 1) complain(id, "is there twice, from one submit");
  name_by_key(id, payload, at, std::nullopt);
}

void HistoryChecker::attempt_started(const Id& id, uint32_t attempt, const std::string& payload,
                                     int64_t at) {
  seen(id, payload, at);
  Event& started = event(id);
  if (attempt <= started.last_attempt) complain(id, "an attempt number did not rise");
  if (started.running) complain(id, "two attempts at once");
  if (!started.lives) complain(id, "was started after its ending");
  if (started.cancelled) complain(id, "was started after its cancelling was acknowledged");
  started.last_attempt = attempt;
  started.running = attempt;
  started.starts += 1;
  check_starts(id, started);
}

void HistoryChecker::check_starts(const Id& id, const Event& started) {
  const Asked* asked = asked_with(started.payload);
  if (asked == nullptr) return;
  const FunctionRules& rules = rules_.at(asked->function);
  if (started.starts > 1 + rules.retries + rules.interruptions_max + started.stops +
                           started.unseen) {
    complain(id, "was started too often: " + std::to_string(started.starts));
  }
}

void HistoryChecker::attempt_ended(const Id& id, uint32_t attempt, Ended how) {
  Event& running = event(id);
  if (running.running != attempt) complain(id, "an attempt ended that did not run");
  running.running.reset();
  if (how == Ended::succeeded) running.successes.insert(attempt);
  if (how == Ended::stopped) running.stops += 1;
  if (how == Ended::not_started) running.unseen += 1;
}

void HistoryChecker::daemon_died(const std::set<Id>& with_workers) {
  for (auto& [id, event] : events_) {
    if (!with_workers.contains(id)) event.running.reset();
  }
}

// --- what is kept ----------------------------------------------------------------

void HistoryChecker::check_attempts(const Id& id, const Event& over, const SeenEnding& ending) {
  if (!ending.attempt) return;
  if (*ending.attempt < over.last_attempt) {
    complain(id, "does not know of an attempt that started: " + std::to_string(over.last_attempt));
  }
  if (ending.state == SeenState::succeeded && !over.successes.contains(*ending.attempt)) {
    complain(id, "ended as a success that no handler had");
  }
}

void HistoryChecker::ended(const Id& id, const SeenEnding& ending) {
  ++endings_;
  Event& over = event(id);
  check_attempts(id, over, ending);
  if (!over.lives) complain(id, "ended twice in one life");
  over.lives = false;
  over.lives_ended += 1;
  over.last = ending;
  over.synchronous = ending.synchronous;
  if (ending.synchronous && over.starts > 1) complain(id, "a call was started twice");
  if (ending.state == SeenState::failed && !ending.synchronous) over.deaths += 1;
  for (SeenRoute route : ending.routes) over.routes_owed[route] += 1;
  const Asked* asked = asked_with(over.payload);
  if (asked == nullptr) return;
  const FunctionRules& rules = rules_.at(asked->function);
  if (ending.failures > 1 + rules.retries) complain(id, "failed more often than it may");
  if (over.unseen > 0 && ending.failures + over.unseen > over.starts) {
    complain(id, "an attempt that no handler had seen counts as a failure");
  }
  if (ending.interruptions > 1 + rules.interruptions_max) {
    complain(id, "was interrupted more often than it may");
  }
  if (ending.retries_exhausted && ending.failures != 1 + rules.retries) {
    complain(id, "its retries were not exhausted: " + std::to_string(ending.failures));
  }
  auto owners = keys_.find({asked->function, asked->key});
  if (owners == keys_.end() || owners->second.empty()) return;
  // A life that did not own the key says nothing of when that expires.
  if (owners->second.back().id == id && ending.key_expires_at) {
    owners->second.back().expires_at = ending.key_expires_at;
  }
}

void HistoryChecker::dead_letter_appeared(const Id& id) {
  Event& dead = event(id);
  if (dead.dead) complain(id, "is a dead letter twice");
  dead.dead = true;
  dead.dead_letters += 1;
}

void HistoryChecker::redriven(const Id& id, bool claims_key) {
  Event& back = event(id);
  if (!back.dead) complain(id, "was redriven and is no dead letter");
  back.dead = false;
  back.lives = true;
  back.starts = 0;
  back.stops = 0;
  back.unseen = 0;
  const Asked* asked = asked_with(back.payload);
  if (asked == nullptr || !claims_key) return;
  auto& owners = keys_[{asked->function, asked->key}];
  if (owners.empty() || owners.back().id != id) owners.push_back({id, std::nullopt, asked_.size()});
  owners.back().expires_at.reset();
}

void HistoryChecker::discarded(const Id& id) {
  Event& gone = event(id);
  if (!gone.dead) complain(id, "was discarded and is no dead letter");
  gone.dead = false;
}

void HistoryChecker::destination_record(const Id& id, SeenRoute route) {
  event(id).routes_owed[route] -= 1;
}

// --- the end ---------------------------------------------------------------------

void HistoryChecker::finish() {
  for (const auto& [id, event] : events_) {
    const bool kept_nowhere = event.synchronous || (event.lives_ended == 0 && !event.promised);
    if (event.promised && event.lives) complain(id, "was accepted and has not ended");
    if (!event.promised && event.lives && event.lives_ended > 0) {
      complain(id, "was redriven and has not ended");
    }
    if (!kept_nowhere && event.deaths != event.dead_letters) {
      complain(id, "died " + std::to_string(event.deaths) + " times and was a dead letter " +
                       std::to_string(event.dead_letters) + " times");
    }
    for (const auto& [route, owed] : event.routes_owed) {
      if (owed > 0) complain(id, "a record of its ending is missing");
      if (owed < 0) complain(id, "has a record of an ending that it had not");
    }
    auto requests = by_payload_.find(event.payload.value_or(""));
    if (requests == by_payload_.end()) continue;
    const bool all_refused =
        std::all_of(requests->second.begin(), requests->second.end(),
                    [&](Request request) { return asked_[request].fate == Fate::refused; });
    if (all_refused) complain(id, "is there and was refused");
  }
  for (const Asked& asked : asked_) {
    if (asked.fate == Fate::open) complaints_.push_back("no answer came to " + asked.payload);
  }
}

void HistoryChecker::dead_letters_are(const std::set<Id>& ids) {
  for (const auto& [id, event] : events_) {
    if (event.dead && !ids.contains(id)) complain(id, "its dead letter is lost");
    if (!event.dead && ids.contains(id)) complain(id, "is a dead letter and should not be");
  }
}

}  // namespace holdfast::test
