// Cancelling an event, and waiting for its ending.
//
// Rule    A cancel is answered when the event has ended, by the step that ends it.
// Reason  An acknowledged cancel must hold across a crash; a running handler takes
//         time to stop, and may succeed before it does.
#include <algorithm>
#include <utility>

#include "daemon/core/lifecycle.h"
#include "storage/base/check.h"

namespace holdfast::core {

Step Lifecycle::cancel_requested(Ticket ticket, const EventId& id, const Moment& moment) {
  Step step = begin();
  const auto refuse = [&](Refusal refusal, std::string message) {
    step.effects.push_back(Reply{ticket, Refused{refusal, std::move(message)}});
  };
  if (!backlog_.functions().contains(id.function) || id.seq >= ledger_.state().next_seq) {
    refuse(Refusal::not_found, "no such event was ever accepted here");
    return finish(std::move(step), moment);
  }
  if (auto running = running_.find(id.seq);
      running != running_.end() && running->second.event == id) {
    Running& attempt = running->second;
    if (attempt.type == storage::InvocationType::synchronous) {
      refuse(Refusal::conflict, "a synchronous call is not cancelled: its caller waits for it");
    } else {
      attempt.cancels.push_back(ticket);
      stop(step, attempt, StopReason::cancelled);
    }
    return finish(std::move(step), moment);
  }
  Function& function = backlog_.at(id.function);
  if (auto due = function.due_claims.find(id.seq); due != function.due_claims.end()) {
    due->second.cancels.push_back(ticket);
    return finish(std::move(step), moment);
  }
  for (Claim& claim : function.fresh_claims) {
    if (claim.event.seq != id.seq) continue;
    claim.cancels.push_back(ticket);
    return finish(std::move(step), moment);
  }
  // Somewhere on disk, or gone. Should it start meanwhile, its claim takes these over.
  auto look = cancels_.find(id);
  if (look != cancels_.end() && !look->second.tickets.empty()) {
    look->second.tickets.push_back(ticket);
  } else {
    look_to_cancel(step, id, {ticket});
  }
  return finish(std::move(step), moment);
}

void Lifecycle::look_to_cancel(Step& step, const EventId& id, std::vector<Ticket> tickets) {
  Look& look = cancels_[id];
  look.tickets.insert(look.tickets.end(), tickets.begin(), tickets.end());
  look.under_way += 1;
  step.effects.push_back(LoadEvent{id, LoadPurpose::cancel});
}

void Lifecycle::event_loaded_for_cancel(Step& step, const storage::LoadedEvent& loaded,
                                        const Moment& moment) {
  auto look = cancels_.find(loaded.id);
  CHECK(look != cancels_.end() && look->second.under_way > 0);
  look->second.under_way -= 1;
  if (look->second.under_way > 0) return;
  const std::vector<Ticket> tickets = std::move(look->second.tickets);
  cancels_.erase(look);
  if (tickets.empty()) return;  // it was claimed meanwhile; the claim answers
  const auto running = running_.find(loaded.id.seq);
  CHECK(running == running_.end() || running->second.event != loaded.id);
  const auto refuse_all = [&](const std::string& message) {
    for (Ticket ticket : tickets) {
      step.effects.push_back(Reply{ticket, Refused{Refusal::conflict, message}});
    }
  };
  if (!loaded.event) {
    refuse_all("the event has ended already");
    return;
  }
  if (loaded.dead_letter) {
    refuse_all("the event has died and is a dead letter: discard or redrive it");
    return;
  }
  Function& function = backlog_.at(loaded.id.function);
  Life life;
  life.record = loaded.event;
  life.place = FreshPlace{};
  life.spent.age_from = loaded.event->age_from;
  if (loaded.waiting) {
    const storage::WaitingKey& key = loaded.waiting->key;
    function.due.remove(DueKey{key.due_at, loaded.id.seq, key.generation});
    life.place = key;
    life.generation = key.generation;
    life.spent = loaded.waiting->record.spent;
  } else {
    function.fresh.remove(loaded.id.seq);
  }
  life.attempts = loaded.attempts;
  life.attempts_stored = life.attempts.size();
  life.cancels = tickets;
  end(step, std::move(life),
      Ending{storage::EndState::cancelled, storage::Condition::cancelled, {}, {}, {}}, moment);
}

// The look is sent at once and answers if the event has ended; otherwise the ending
// or the end of the wait sends another one. A ticket is answered once by the shell.
Step Lifecycle::event_awaited(Ticket ticket, const EventId& id, Duration wait,
                              const Moment& moment) {
  Step step = begin();
  const bool waits = wait > Duration::zero();
  step.effects.push_back(ViewEvent{ticket, id, waits});
  if (waits) {
    const Await await{id, moment.now + std::min(wait, kAwaitMax)};
    awaits_.emplace(ticket, await);
    awaited_[id.seq].push_back(ticket);
    await_ends_.emplace(await.until, ticket);
  }
  return finish(std::move(step), moment);
}

void Lifecycle::event_viewed(Ticket ticket) {
  auto node = awaits_.extract(ticket);
  if (node.empty()) return;
  const Await& await = node.mapped();
  await_ends_.erase({await.until, ticket});
  auto at = awaited_.find(await.event.seq);
  CHECK(at != awaited_.end());
  std::erase(at->second, ticket);
  if (at->second.empty()) awaited_.erase(at);
}

void Lifecycle::await_over(Step& step, Ticket ticket) {
  auto at = awaits_.find(ticket);
  CHECK(at != awaits_.end());
  step.effects.push_back(ViewEvent{ticket, at->second.event, false});
  event_viewed(ticket);
}

void Lifecycle::awaited_ended(Step& step, Seq seq) {
  auto at = awaited_.find(seq);
  if (at == awaited_.end()) return;
  for (Ticket ticket : std::vector<Ticket>{at->second}) await_over(step, ticket);
}

}  // namespace holdfast::core
