// What starts next, and when to look again.
//
// Rule    Functions with something due take turns, one start each; fresh and due
//         events of one function take turns as well.
// Reason  A backlog of one function, or its retries, must not starve the others.
//
// Rule    One slot of a function, and one of the box, is kept for synchronous calls.
// Reason  Their callers are told "busy" at once; they cannot wait in a backlog.
//
// Rule    An event that grew too old ends also where nothing may start: without its
//         function in the configuration, or with all slots taken. Not while there is
//         no room for its ending: start_gate.cc.
#include <algorithm>
#include <utility>

#include "daemon/core/history_book.h"
#include "daemon/core/lifecycle.h"
#include "storage/base/check.h"

namespace holdfast::core {

namespace {

// Mutations and effects: hardly a step has more.
constexpr size_t kStepRoomKept = 64;

}  // namespace

Step Lifecycle::begin() {
  Step step = std::exchange(blank_, {});
  step.seq = next_step_;
  const uint64_t floor = hand_out_floor(settings_.limits);
  queues_.set_hand_out_room(space_.left() < floor ? 0 : space_.left() - floor);
  next_step_ = next_step_.next();
  torn_batch_.begin(step);
  return step;
}

void Lifecycle::take_back(Step step) {
  step.batch.mutations.clear();
  step.effects.clear();
  step.lookups.clear();
  if (step.batch.mutations.capacity() > kStepRoomKept) return;
  if (step.effects.capacity() > kStepRoomKept) return;
  blank_ = std::move(step);
}

Step Lifecycle::finish(Step step, const Moment& moment) {
  now_less_up_ = moment.now.time_since_epoch() - moment.up.time_since_epoch();
  release_held_back();
  finishing_.swap(touched_);
  for (FunctionId id : finishing_) {
    Function& function = backlog_.at(id);
    function.workers_free = workers_.free(id);
    expire_blocked(step, function, moment);
    if (function.has_event_slot() && function.has_candidate(moment.now)) {
      backlog_.make_ready(function);
    }
  }
  dispatch(step, moment);
  queues_.resume(step, moment);
  space_.written_bytes += bytes_written(step.batch);
  if (!has_disk()) disk_was_short_ = true;
  finishing_.insert(touched_);
  touched_.clear();
  for (FunctionId id : finishing_) {
    Function& function = backlog_.at(id);
    backlog_.want_pages(step, function);
    rearm(function, moment);
  }
  finishing_.clear();
  history_ages_at_.reset();
  if (const auto at = history_ages_at(ledger_.state(), settings_.limits)) {
    history_ages_at_ = moment.now + std::max(Duration{1}, *at - moment.lit);
  }
  torn_batch_.finish(step);
  return step;
}

bool Lifecycle::has_event_slot() const {
  return slots_in_use() < (slots_max_ > 1 ? slots_max_ - 1 : 1);
}
bool Lifecycle::has_call_slot() const { return slots_in_use() < slots_max_; }

bool Lifecycle::has_memory() const {
  return running_.empty() || running_bytes_ < settings_.limits.memory_max / 2;
}

bool Lifecycle::idle() const {
  if (!drain_over_) return running_.empty() && adrift_loading_.empty();
  return std::all_of(running_.begin(), running_.end(),
                     [this](const auto& one) { return is_left(one.second); });
}

void Lifecycle::dispatch(Step& step, const Moment& moment) {
  while (!draining_ && has_event_slot() && has_memory() && has_disk()) {
    Function* function = backlog_.next_ready();
    if (function == nullptr) return;
    touch(*function);
    if (!function->has_event_slot() || !function->has_candidate(moment.now)) continue;
    if (!has_room(*function)) {
      hold_back(*function);
      continue;
    }
    claim_next(step, *function, moment);
    if (function->has_event_slot() && function->has_candidate(moment.now)) {
      backlog_.make_ready(*function);
    }
  }
}

void Lifecycle::claim_next(Step& step, Function& function, const Moment& moment) {
  const bool due = function.is_due(moment.now);
  const bool take_due = due && (function.due_is_next || function.fresh.empty());
  function.due_is_next = !take_due;
  claimed(step, function,
          take_due ? backlog_.claim_due(function) : backlog_.claim_fresh(function));
  resolve_claims(step, function, moment);
}

void Lifecycle::claimed(Step& step, Function&, Claim& claim) {
  claims_ += 1;
  if (auto look = cancels_.find(claim.event); look != cancels_.end()) {
    claim.cancels = std::exchange(look->second.tickets, {});
  }
  if (!claim.record) step.effects.push_back(LoadEvent{claim.event, LoadPurpose::start});
}

// Fresh claims that have their record, from the front: see backlog.h.
void Lifecycle::resolve_claims(Step& step, Function& function, const Moment& moment) {
  while (!function.fresh_claims.empty() && function.fresh_claims.front().record) {
    if (!leaves_backlog(function, function.fresh_claims.front(), moment)) {
      unclaim_fresh(step, function);
      return;
    }
    Claim claim = std::move(function.fresh_claims.front());
    function.fresh_claims.pop_front();
    claims_ -= 1;
    function.fresh.remove(claim.event.seq);
    resolve(step, function, std::move(claim), moment);
  }
}

// False when a drain, a reload or a full disk or queue came between the claim and its
// record.
bool Lifecycle::leaves_backlog(const Function& function, const Claim& claim,
                               const Moment& moment) const {
  if (!claim.cancels.empty()) return true;
  if (!has_disk() || !has_room(function)) return false;
  return (may_start(function) && function.has_handler(0)) ||
         expired(claim.spent, event_age_max(function), settings_.limits.interruptions_max,
                 moment.lit);
}

// All of them, from the back, so that the window stays before the claims.
void Lifecycle::unclaim_fresh(Step& step, Function& function) {
  while (!function.fresh_claims.empty()) {
    Claim& claim = function.fresh_claims.back();
    if (!claim.cancels.empty()) look_to_cancel(step, claim.event, std::move(claim.cancels));
    backlog_.unclaim_fresh(function);
    claims_ -= 1;
  }
}

void Lifecycle::resolve(Step& step, Function& function, Claim claim, const Moment& moment) {
  CHECK(claim.record);
  const storage::Generation generation{claim.due ? claim.due->generation.value : 0};
  const auto over = expired(claim.spent, event_age_max(function),
                            settings_.limits.interruptions_max, moment.lit);
  if (!claim.cancels.empty() || over) {
    Life life;
    life.record = claim.record;
    life.place = FreshPlace{};
    if (claim.due) life.place = storage::WaitingKey{claim.event, claim.due->due_at, generation};
    life.generation = generation;
    life.spent = claim.spent;
    life.attempts_stored = claim.attempts.size();
    life.attempts = std::move(claim.attempts);
    life.cancels = std::move(claim.cancels);
    Ending ending{storage::EndState::cancelled, storage::Condition::cancelled, {}, {}, {}};
    if (life.cancels.empty()) ending = {storage::EndState::failed, *over, {}, {}, {}};
    end(step, std::move(life), std::move(ending), moment);
    return;
  }
  storage::FunctionRecord& counts = ledger_.change(function.id);
  if (claim.due) {
    step.batch.push(storage::EraseWaiting{
        storage::WaitingKey{claim.event, claim.due->due_at, generation}});
    counts.waiting -= 1;
  } else {
    counts.fresh -= 1;
  }
  Running running;
  running.event = claim.event;
  running.generation = generation;
  running.recorded = true;
  running.record = std::move(claim.record);
  running.spent = claim.spent;
  running.attempts = std::move(claim.attempts);
  start(step, function, std::move(running), moment);
}

Step Lifecycle::event_loaded(storage::LoadedEvent loaded, LoadPurpose purpose,
                             const Moment& moment) {
  Step step = begin();
  if (purpose == LoadPurpose::cancel) {
    event_loaded_for_cancel(step, loaded, moment);
    return finish(std::move(step), moment);
  }
  if (purpose == LoadPurpose::adrift) {
    adrift_loaded(step, loaded, moment);
    return finish(std::move(step), moment);
  }
  Function& function = backlog_.at(loaded.id.function);
  auto due = function.due_claims.find(loaded.id.seq);
  if (due != function.due_claims.end()) {
    // An answer to an earlier claim of it may come late: only the row we claimed counts.
    const bool same = loaded.waiting && loaded.waiting->key.generation ==
                                            due->second.due->generation;
    if (same) {
      due->second.spent = loaded.waiting->record.spent;
    }
    if (same && !leaves_backlog(function, due->second, moment)) {
      backlog_.unclaim_due(function, loaded.id.seq);
      claims_ -= 1;
    } else if (same) {
      Claim claim = std::move(due->second);
      function.due_claims.erase(due);
      claims_ -= 1;
      function.due.remove(*claim.due);
      CHECK(loaded.event);
      claim.record = std::move(loaded.event);
      claim.attempts = std::move(loaded.attempts);
      resolve(step, function, std::move(claim), moment);
    }
  } else if (!loaded.waiting) {
    for (Claim& claim : function.fresh_claims) {
      if (claim.event.seq != loaded.id.seq || claim.record) continue;
      CHECK(loaded.event);
      claim.record = std::move(loaded.event);
    }
    resolve_claims(step, function, moment);
  }
  touch(function);
  return finish(std::move(step), moment);
}

Step Lifecycle::fresh_page_loaded(FunctionId id, storage::FreshPage page, const Moment& moment) {
  Step step = begin();
  Function& function = backlog_.at(id);
  backlog_.fresh_page_loaded(function, std::move(page));
  touch(function);
  return finish(std::move(step), moment);
}

Step Lifecycle::due_page_loaded(FunctionId id, storage::DuePage page, const Moment& moment) {
  Step step = begin();
  Function& function = backlog_.at(id);
  backlog_.due_page_loaded(function, std::move(page));
  touch(function);
  return finish(std::move(step), moment);
}

Duration Lifecycle::event_age_max(const Function& function) const {
  return function.settings ? function.settings->event_age_max
                           : ledger_.function(function.id).event_age_max;
}

void Lifecycle::expire_blocked(Step& step, Function& function, const Moment& moment) {
  if (may_start(function) && function.has_event_slot()) return;  // dispatch sees to it
  if (!has_disk()) return;
  if (!has_room(function)) return hold_back(function);
  const Duration age_max = event_age_max(function);
  const auto old = [&](LitPoint age_from) { return moment.lit >= age_from + age_max; };
  while (function.claims() < kExpiringMax && !function.fresh.empty() &&
         old(function.fresh.entries().begin()->second.age_from)) {
    claimed(step, function, backlog_.claim_fresh(function));
  }
  while (function.claims() < kExpiringMax && function.is_due(moment.now) &&
         old(function.due.entries().begin()->second.age_from)) {
    claimed(step, function, backlog_.claim_due(function));
  }
  resolve_claims(step, function, moment);
}

void Lifecycle::rearm(Function& function, const Moment& moment) {
  std::optional<TimePoint> at;
  const auto sooner = [&](TimePoint candidate) {
    if (!at || candidate < *at) at = candidate;
  };
  if (!function.due.empty() && function.due.first_key().due_at > moment.now) {
    sooner(function.due.first_key().due_at);
  }
  // What cannot start now may grow too old. The first of each order is looked at: it
  // is the oldest fresh one, and the longest due one.
  const bool blocked = !may_start(function) || !function.has_event_slot();
  if (blocked && has_disk() && has_room(function) && function.claims() < kExpiringMax) {
    const Duration age_max = event_age_max(function);
    const auto expires = [&](LitPoint age_from) {
      return moment.now + std::max(Duration{1}, age_from + age_max - moment.lit);
    };
    if (!function.fresh.empty()) {
      sooner(expires(function.fresh.entries().begin()->second.age_from));
    }
    if (function.is_due(moment.now)) {
      sooner(expires(function.due.entries().begin()->second.age_from));
    }
  }
  backlog_.wake(function, at);
}

Step Lifecycle::ticked(const Moment& moment) {
  Step step = begin();
  for (Function* function : backlog_.take_woken(moment.now)) touch(*function);
  while (!await_ends_.empty() && await_ends_.begin()->first <= moment.now) {
    await_over(step, await_ends_.begin()->second);
  }
  workers_ticked(step, moment);
  open_gate();
  if (history_ages_at_ && *history_ages_at_ <= moment.now) {
    history_aged(step, ledger_, moment.lit, settings_.limits);
  }
  sweep(step, moment);
  return finish(std::move(step), moment);
}

std::optional<TimePoint> Lifecycle::next_wakeup() const {
  std::optional<TimePoint> at = backlog_.next_wakeup();
  const auto sooner = [&](TimePoint candidate) {
    if (!at || candidate < *at) at = candidate;
  };
  if (queues_.can_resume()) sooner(TimePoint{});  // at once
  if (disk_was_short_ && has_disk()) sooner(TimePoint{});
  if (history_ages_at_) sooner(*history_ages_at_);
  if (!await_ends_.empty()) sooner(await_ends_.begin()->first);
  if (const auto workers = workers_wakeup()) {
    sooner(TimePoint{workers->time_since_epoch() + now_less_up_});
  }
  if (ledger_.state().idempotency_bytes > 0 && !sweeping_from_) sooner(sweep_at_);
  return at;
}

}  // namespace holdfast::core
