// May an attempt begin now? Slots and memory aside, which dispatch.cc asks for.
//
// Rule    No attempt begins, and no event ends because it is old, unless the free disk
//         is above half of disk_free_min with all that the running attempts may still
//         write. They wait, and go on by themselves.
// Reason  What accepted events will write in all is not known: results and log tails
//         come with the attempts. What runs is bounded by the slots, so this holds the
//         daemon's own work back before a write finds no room.
//
// Rule    No attempt of a function begins, and none of its events ends because it is
//         old, while its dead letters or a queue it sends to would be full with what
//         the running attempts may add. Functions that drop their oldest dead letters
//         do not wait for those.
// Reason  Whether there is room was asked when an event was accepted, before all the
//         others that were accepted since have ended. So both exceed their bound by no
//         more than one ending.
#include "daemon/core/history_book.h"
#include "daemon/core/lifecycle.h"
#include "storage/base/check.h"

namespace holdfast::core {

bool Lifecycle::has_disk() const {
  return space_.left() >= start_floor(settings_.limits) + outcome_bytes_;
}

bool Lifecycle::starts_wait_for_disk() const {
  return space_.left() < start_floor(settings_.limits);
}

bool Lifecycle::has_room(const Function& function) const {
  if (!function.settings) return true;
  const Function::Routes& routes = function.routes;
  for (const auto& queue : {routes.on_success, routes.on_failure, routes.dead_letter}) {
    if (queue && !queues_.has_room(*queue)) return false;
  }
  return function.settings->dead_letters_full == config::DeadLettersFull::drop_oldest ||
         ledger_.function(function.id).dead_letters_bytes + function.dead_letters_owed <
             function.settings->dead_letters_bytes_max;
}

// Pending or running; those that run are counted by their function only.
uint64_t Lifecycle::living(const Function& function) const {
  const storage::FunctionRecord& record = ledger_.function(function.id);
  return record.fresh + record.waiting + function.events_running;
}

uint64_t Lifecycle::disk_set_aside() const {
  const AdmitQuestion question = ask_for_disk(0);
  return question.reserved_bytes + question.growth_bytes;
}

AdmitQuestion Lifecycle::ask_for_disk(uint64_t bytes) const {
  const storage::StateRecord& state = ledger_.state();
  const config::LimitSettings& limits = settings_.limits;
  const auto rest = [](uint64_t max, uint64_t used) { return used < max ? max - used : 0; };
  GrowthRoom room;
  room.history = rest(history_bytes_most(limits), history_bytes(state));
  if (state.idempotency_bytes > 0) {
    room.answers = rest(limits.idempotency_bytes_max, state.idempotency_bytes);
  }
  room.results = queues_.room_bytes();
  AdmitQuestion question;
  question.space = space_;
  question.disk_free_min = limits.disk_free_min;
  question.reserved_bytes = state.reserved_bytes;
  question.growth_bytes = growth_bytes(growth_, room);
  question.event_bytes = bytes;
  question.idempotency_bytes = state.idempotency_bytes;
  question.idempotency_bytes_max = limits.idempotency_bytes_max;
  return question;
}

// The disk has come back: whoever was held back is looked at again.
void Lifecycle::open_gate() {
  if (!disk_was_short_ || !has_disk()) return;
  disk_was_short_ = false;
  for (const auto& [id, function] : backlog_.functions()) touched_.insert(id);
}

void Lifecycle::release_held_back() {
  const bool grew = queues_.took_messages_out() || room_grew_;
  room_grew_ = false;
  if (!grew) return;
  for (auto at = held_back_.begin(); at != held_back_.end();) {
    if (has_room(backlog_.at(*at))) {
      touched_.insert(*at);
      at = held_back_.erase(at);
    } else {
      ++at;
    }
  }
}

void Lifecycle::owe_outcome(Function& function, Running& running) {
  running.outcome = outcome_bytes_max(*running.record, running.type, running.attempts,
                                      *running.settings);
  outcome_bytes_ += running.outcome.all;
  if (running.type == storage::InvocationType::synchronous) return;
  running.routes = function.routes;
  const OutcomeBytes& outcome = running.outcome;
  if (running.routes.on_success) queues_.owe(*running.routes.on_success, outcome.on_success);
  if (running.routes.on_failure) queues_.owe(*running.routes.on_failure, outcome.on_failure);
  if (running.routes.dead_letter) {
    queues_.owe(*running.routes.dead_letter, outcome.dead_letter_message);
  }
  function.dead_letters_owed += outcome.dead_letter;
}

void Lifecycle::settle_outcome(Function& function, const Running& running) {
  const OutcomeBytes& outcome = running.outcome;
  outcome_bytes_ -= outcome.all;
  if (running.type == storage::InvocationType::synchronous) return;
  if (running.routes.on_success) queues_.settle(*running.routes.on_success, outcome.on_success);
  if (running.routes.on_failure) queues_.settle(*running.routes.on_failure, outcome.on_failure);
  if (running.routes.dead_letter) {
    queues_.settle(*running.routes.dead_letter, outcome.dead_letter_message);
  }
  CHECK(function.dead_letters_owed >= outcome.dead_letter);
  function.dead_letters_owed -= outcome.dead_letter;
  room_grew_ = true;
}

}  // namespace holdfast::core
