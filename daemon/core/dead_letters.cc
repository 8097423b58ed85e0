// Redrive and discard of dead letters, and dropping the oldest where a function is
// configured to.
//
// Rule    Of one function, one piece of this work is under way at a time; the next
//         one's page is read when the earlier one is durable.
// Reason  So a page never shows a dead letter that is already on its way out, and no
//         row is moved twice.
//
// Rule    A redrive stops at the first dead letter that is refused, and the next page
//         begins with it.
// Reason  Whoever redrives all must be told that some stayed behind: the next call
//         answers why.
//
// Rule    A redrive is one batch that returns the same event to pending: same request
//         id, attempt numbers go on, failures and age begin anew.
//
// Rule    A redriven event claims its idempotency key again, unless the key expired
//         and names another event by now.
// Reason  One key, one event; the newer promise stands.
#include <algorithm>
#include <utility>

#include "daemon/core/lifecycle.h"
#include "storage/base/check.h"
#include "storage/base/mutant.h"

namespace holdfast::core {

Step Lifecycle::dead_letters_requested(const DeadLettersRequest& request, const Moment& moment) {
  Step step = begin();
  if (draining_) {
    step.effects.push_back(Reply{
        request.ticket, Refused{Refusal::unavailable, "the daemon is stopping; nothing changed"}});
    return finish(std::move(step), moment);
  }
  if (!backlog_.functions().contains(request.function)) {
    step.effects.push_back(
        Reply{request.ticket, Refused{Refusal::not_found, "no such function has dead letters"}});
    return finish(std::move(step), moment);
  }
  DeadLetterWork work;
  work.kind = request.verb == DeadLetterVerb::redrive ? DeadLetterWork::Kind::redrive
                                                      : DeadLetterWork::Kind::discard;
  work.ticket = request.ticket;
  work.one = request.one;
  work.ending_below = ledger_.state().next_seq;
  if (request.page) std::tie(work.from, work.ending_below) = *request.page;
  auto& queue = dead_letter_work_[request.function];
  queue.push_back(std::move(work));
  if (queue.size() == 1) begin_work(step, request.function);
  return finish(std::move(step), moment);
}

void Lifecycle::begin_work(Step& step, FunctionId function) {
  const DeadLetterWork& work = dead_letter_work_.at(function).front();
  step.effects.push_back(
      LoadDeadLetters{function, work.one, work.from, work.ending_below, kDeadLettersPerPage});
}

Step Lifecycle::dead_letters_loaded(FunctionId id, storage::DeadLetterPage page,
                                    const Moment& moment) {
  Step step = begin();
  DeadLetterWork& work = dead_letter_work_.at(id).front();
  work.next = page.next;
  for (storage::LoadedDeadLetter& row : page.rows) {
    if (work.refused) break;
    if (work.kind == DeadLetterWork::Kind::discard) {
      discard(step, row);
      work.count += 1;
    } else if (work.kind == DeadLetterWork::Kind::drop_oldest) {
      const auto& settings = backlog_.at(id).settings;
      const uint64_t bytes_max = settings ? settings->dead_letters_bytes_max : UINT64_MAX;
      if (ledger_.function(id).dead_letters_bytes <= bytes_max) break;
      discard(step, row);
      ledger_.change(id).dead_letters_dropped += 1;
    } else if (row.record.idempotency_key.empty()) {
      redrive(step, row, KeyUse{}, moment);
    } else {
      const storage::KeyHash hash = storage::hash_of_key(id, row.record.idempotency_key);
      const storage::IdempotencyRecord* known = keys_.find(hash);
      if (known != nullptr && !keys_.looking_up(hash)) {
        redrive(step, row, KeyUse{hash, known}, moment);
      } else {
        work.keys_awaited += 1;
        if (keys_.wait(hash, RedriveRow{std::move(row)})) step.lookups.push_back(hash);
      }
    }
  }
  if (work.keys_awaited == 0) work_done(step, id);
  return finish(std::move(step), moment);
}

void Lifecycle::key_known_for_redrive(Step& step, const RedriveRow& waiter, const KeyUse& key,
                                      const Moment& moment) {
  const FunctionId id = waiter.row.key.function;
  redrive(step, waiter.row, key, moment);
  DeadLetterWork& work = dead_letter_work_.at(id).front();
  CHECK(work.keys_awaited > 0);
  work.keys_awaited -= 1;
  if (work.keys_awaited == 0) work_done(step, id);
}

void Lifecycle::redrive(Step& step, const storage::LoadedDeadLetter& row, const KeyUse& key,
                        const Moment& moment) {
  const FunctionId id = row.key.function;
  DeadLetterWork& work = dead_letter_work_.at(id).front();
  const storage::DeadLetterRecord& dead = row.record;
  if (auto refused = core::refuse(ask_for_disk(dead.reserved_bytes))) {
    work.refused = std::move(refused);
    // Keys are looked up in any order: the first one that stays is the next.
    work.next = work.next ? std::min(*work.next, row.key.seq) : row.key.seq;
    return;
  }
  const EventId event{id, dead.lane, row.key.seq};
  storage::Spent spent = dead.spent;
  spent.failures = 0;
  spent.interruptions = 0;
  spent.age_from = moment.lit;
  if (!dead.idempotency_key.empty()) {
    const bool another = key.known != nullptr && key.known->event != event &&
                         !(key.known->answer && key.known->expires_at <= moment.lit);
    spent.owns_key = !another;
    if (!another) {
      storage::IdempotencyRecord record;
      record.function = id;
      record.key = dead.idempotency_key;
      record.event = event;
      CHECK(dead.payload_hash.has_value());
      record.payload_hash = *dead.payload_hash;
      put_key(step, key, std::move(record));
    }
  }
  if (!broken(Mutant::redrive_copies)) step.batch.push(storage::EraseDeadLetter{row.key});
  const storage::WaitingKey waiting{event, moment.now, row.key.generation.next()};
  step.batch.push(storage::PutWaiting{waiting, storage::WaitingRecord{waiting.due_at, spent}});

  storage::FunctionRecord& counts = ledger_.change(id);
  CHECK(counts.dead_letters > 0 && counts.dead_letters_bytes >= dead.charged_bytes);
  counts.dead_letters -= 1;
  counts.dead_letters_bytes -= dead.charged_bytes;
  room_grew_ = true;
  counts.waiting += 1;
  ledger_.change().reserved_bytes += dead.reserved_bytes;
  Function& function = backlog_.at(id);
  growth_ += function.growth;
  backlog_.add_due(function, DueKey{waiting.due_at, event.seq, waiting.generation}, spent.age_from);
  touch(function);
  work.count += 1;
}

void Lifecycle::discard(Step& step, const storage::LoadedDeadLetter& row) {
  step.batch.push(storage::EraseDeadLetter{row.key});
  step.batch.push(storage::EraseEvent{EventId{row.key.function, row.record.lane, row.key.seq}});
  storage::FunctionRecord& counts = ledger_.change(row.key.function);
  CHECK(counts.dead_letters > 0 && counts.dead_letters_bytes >= row.record.charged_bytes);
  counts.dead_letters -= 1;
  counts.dead_letters_bytes -= row.record.charged_bytes;
  room_grew_ = true;
}

void Lifecycle::work_done(Step& step, FunctionId id) {
  auto& queue = dead_letter_work_.at(id);
  const DeadLetterWork work = std::move(queue.front());
  queue.pop_front();
  if (work.kind != DeadLetterWork::Kind::drop_oldest) {
    DeadLettersMoved moved;
    moved.verb = work.kind == DeadLetterWork::Kind::redrive ? DeadLetterVerb::redrive
                                                            : DeadLetterVerb::discard;
    moved.count = work.count;
    if (work.next && !work.one) moved.next = std::pair{*work.next, work.ending_below};
    Answer answer = moved;
    if (work.refused && work.count == 0) {
      answer = *work.refused;
    } else if (work.one && work.count == 0) {
      answer = Refused{Refusal::not_found, "this event is not a dead letter"};
    }
    step.effects.push_back(Reply{work.ticket, std::move(answer)});
  } else if (work.next) {
    const auto& settings = backlog_.at(id).settings;
    if (settings && ledger_.function(id).dead_letters_bytes > settings->dead_letters_bytes_max) {
      DeadLetterWork more = work;
      more.from = *work.next;
      queue.push_back(std::move(more));
    }
  }
  if (queue.empty()) {
    dead_letter_work_.erase(id);
  } else {
    begin_work(step, id);
  }
}

}  // namespace holdfast::core
