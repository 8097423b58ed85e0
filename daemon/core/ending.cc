// The outcome batch: all that an ended event leaves behind. Either all of it happens
// or none, because it is one batch in one commit (promise 3).
//
// Rule    A synchronous call without a key that ends while the disk is below
//         disk_free_min leaves neither result nor log tails in the history.
// Reason  Such calls are not admitted by free space, so that the box stays of use; what
//         they write must not eat the room of the events that were accepted.
//
// Rule    Whatever ends an event comes through end(), and nothing else erases one.
// Reason  One place decides what an ending consists of, so none can be half.
#include <utility>

#include "daemon/core/history_book.h"
#include "daemon/core/invocation_record.h"
#include "daemon/core/lifecycle.h"
#include "storage/base/check.h"
#include "storage/base/match.h"
#include "storage/codec.h"

namespace holdfast::core {

using storage::Condition;
using storage::EndState;
using storage::InvocationType;

namespace {

// The words of an ending that no handler gave: the last failure's, or our own.
void name_error(const std::vector<storage::AttemptRecord>& attempts, Condition condition,
                std::string& type, std::string& message) {
  if (condition == Condition::cancelled) {
    type = "Cancelled";
    message = "the event was cancelled";
  } else if (condition == Condition::interrupted) {
    type = "Interrupted";
    message = "the daemon stopped while it ran, and it is not tried again";
  } else if (!attempts.empty()) {
    type = attempts.back().error_type;
    message = attempts.back().error_message;
  } else if (condition == Condition::event_age_exceeded) {
    type = "EventAgeExceeded";
    message = "the event was not started before it reached event_age_max";
  }
}

void make_brief(storage::HistoryRecord& history) {
  history.result.reset();  // its size remains
  for (storage::AttemptRecord& attempt : history.attempts) attempt.log_tail.clear();
}

uint32_t runs(const storage::Spent& spent, EndState state) {
  return spent.failures + spent.interruptions + (state == EndState::succeeded ? 1 : 0);
}

}  // namespace

void Lifecycle::end(Step& step, Life life, Ending ending, const Moment& moment) {
  const EventId& id = life.record->id;
  if (ending.state != EndState::succeeded) {
    name_error(life.attempts, ending.condition, ending.error_type, ending.error_message);
  }
  leave_place(step, life);
  for (size_t n = 0; n < life.attempts_stored; ++n) {
    step.batch.push(storage::EraseAttempt{id.seq, life.attempts[n].attempt});
  }
  while (life.attempts.size() > storage::kAttemptsKeptMax) {
    life.attempts.erase(life.attempts.begin() + storage::kAttemptsKeptFirst);
  }

  const bool is_event = life.type == InvocationType::event;
  const bool dies = is_event && ending.state == EndState::failed;
  const Seq ending_seq = ledger_.take_seq();
  storage::HistoryRecord history;
  history.event = id;
  history.type = life.type;
  history.state = ending.state;
  history.condition = ending.condition;
  history.accepted_wall = life.record->accepted_wall;
  history.ended_wall = moment.wall;
  history.spent = life.spent;
  history.payload_bytes = life.record->payload.size();
  history.result_bytes = ending.result ? ending.result->size() : 0;
  if (history.result_bytes <= storage::kResultKeptBytesMax) history.result = ending.result;
  history.error_type = ending.error_type;
  history.error_message = ending.error_message;
  history.attempts = life.attempts;

  storage::StoredAnswer answer{ending.state,
                               ending.condition,
                               moment.wall,
                               history.result,
                               history.result_bytes,
                               ending.error_type,
                               ending.error_message};
  const bool is_short = space_.left() < settings_.limits.disk_free_min;
  if (!is_event && life.record->idempotency_key.empty() && is_short) make_brief(history);
  history_grew(step, ledger_, ending_seq, storage::charged_bytes(history), moment.lit,
               settings_.limits);
  step.batch.push(storage::PutHistory{ending_seq, std::move(history)});
  if (dies) {
    put_dead_letter(step, life, ending, ending_seq, moment);
  } else if (is_event) {
    step.batch.push(storage::EraseEvent{id});
  }
  if (is_event && ending.state != EndState::cancelled) send_records(step, life, ending, moment);
  store_answer(step, life, answer, moment);

  storage::FunctionRecord& counts = ledger_.change(id.function);
  switch (ending.state) {
    case EndState::succeeded: counts.succeeded += 1; break;
    case EndState::failed: counts.failed += 1; break;
    case EndState::cancelled: counts.cancelled += 1; break;
  }
  storage::StateRecord& state = ledger_.change();
  if (is_event) {
    state.ended += 1;
    CHECK(state.reserved_bytes >= life.record->reserved_bytes);
    state.reserved_bytes -= life.record->reserved_bytes;
    growth_ -= backlog_.at(id.function).growth;
  }
  // The callers get the whole result, however large.
  answer.result = std::move(ending.result);
  answer_waiting(step, life, answer);
  touch(backlog_.at(id.function));
}

void Lifecycle::leave_place(Step& step, const Life& life) {
  const EventId& id = life.record->id;
  std::visit(match{
                 [](const NoPlace&) {},
                 [&](const FreshPlace&) { ledger_.change(id.function).fresh -= 1; },
                 [&](const storage::WaitingKey& key) {
                   step.batch.push(storage::EraseWaiting{key});
                   ledger_.change(id.function).waiting -= 1;
                 },
                 [&](const storage::RunningKey& key) {
                   step.batch.push(storage::EraseRunning{key});
                 },
             },
             life.place);
}

void Lifecycle::put_dead_letter(Step& step, const Life& life, const Ending& ending, Seq ending_seq,
                                const Moment& moment) {
  const EventId& id = life.record->id;
  storage::DeadLetterRecord record;
  record.lane = id.lane;
  record.condition = ending.condition;
  record.ending = ending_seq;
  record.accepted_wall = life.record->accepted_wall;
  record.died_wall = moment.wall;
  record.spent = life.spent;
  record.payload_bytes = life.record->payload.size();
  record.charged_bytes =
      record.payload_bytes + storage::charged_bytes(life.attempts) + kDeadLetterBytes;
  record.reserved_bytes = life.record->reserved_bytes;
  if (life.spent.owns_key && !life.record->idempotency_key.empty()) {
    record.idempotency_key = life.record->idempotency_key;
    record.payload_hash = storage::hash_of_payload(life.record->payload);
  }
  record.error_type = ending.error_type;
  record.error_message = ending.error_message;
  record.attempts = life.attempts;

  storage::FunctionRecord& counts = ledger_.change(id.function);
  counts.dead_letters += 1;
  counts.dead_letters_bytes += record.charged_bytes;
  step.batch.push(storage::PutDeadLetter{
      storage::DeadLetterKey{id.function, id.seq, life.generation.next()}, std::move(record)});

  const auto& settings = backlog_.at(id.function).settings;
  if (settings && settings->dead_letters_full == config::DeadLettersFull::drop_oldest &&
      counts.dead_letters_bytes > settings->dead_letters_bytes_max) {
    DeadLetterWork work;
    work.kind = DeadLetterWork::Kind::drop_oldest;
    work.ending_below = ending_seq;
    auto& queue = dead_letter_work_[id.function];
    const bool under_way =
        !queue.empty() && queue.back().kind == DeadLetterWork::Kind::drop_oldest;
    if (!under_way) {
      queue.push_back(std::move(work));
      if (queue.size() == 1) begin_work(step, id.function);
    }
  }
}

void Lifecycle::send_records(Step& step, const Life& life, const Ending& ending,
                             const Moment& moment) {
  const Function& function = backlog_.at(life.record->id.function);
  if (!function.settings) return;  // its routes left with its configuration
  const bool succeeded = ending.state == EndState::succeeded;
  const std::string request_id = storage::to_request_id(life.record->id, ledger_.box());
  const auto send = [&](const std::string& queue, storage::MessageRecord message) {
    message.sent_wall = moment.wall;
    queues_.send(step, ledger_.queue_named(queue),
                 std::make_shared<const storage::MessageRecord>(std::move(message)), moment.now);
  };
  const auto& destination =
      succeeded ? function.settings->on_success : function.settings->on_failure;
  const uint32_t invoke_count = runs(life.spent, ending.state);
  if (destination) {
    const std::string response =
        succeeded ? ending.result.value_or(std::string{})
                  : error_object(ending.error_type, ending.error_message, request_id);
    storage::MessageRecord message;
    message.body = to_json(InvocationRecord{request_id, function.name, ending.condition,
                                            invoke_count, moment.wall, life.record->payload,
                                            succeeded, invoke_count > 0, response});
    send(*destination, std::move(message));
  }
  if (!succeeded && function.settings->dead_letter) {
    storage::MessageRecord message;
    message.body = life.record->payload;
    message.attributes["RequestID"] = request_id;
    if (invoke_count > 0) message.attributes["ErrorCode"] = "200";
    message.attributes["ErrorMessage"] = ending.error_message;
    send(*function.settings->dead_letter, std::move(message));
  }
}

void Lifecycle::store_answer(Step& step, const Life& life, const storage::StoredAnswer& answer,
                             const Moment& moment) {
  const storage::EventRecord& event = *life.record;
  if (event.idempotency_key.empty() || !life.spent.owns_key) return;
  storage::IdempotencyRecord record;
  record.function = event.id.function;
  record.key = event.idempotency_key;
  record.event = event.id;
  record.type = life.type;
  record.payload_hash =
      life.payload_hash ? *life.payload_hash : storage::hash_of_payload(event.payload);
  const storage::IdempotencyRecord living = record;
  const auto& settings = backlog_.at(event.id.function).settings;
  record.answer = answer;
  record.expires_at =
      moment.lit + (settings ? settings->idempotency_retention
                             : config::FunctionSettings{}.idempotency_retention);
  const uint64_t full = settings_.limits.idempotency_bytes_max;
  if (ledger_.state().idempotency_bytes + storage::charged_bytes(record) > full) {
    record.answer->result.reset();  // its size remains
  }
  const KeyUse key{storage::hash_of_key(record.function, record.key), &living};
  put_key(step, key, std::move(record));
}

void Lifecycle::answer_waiting(Step& step, Life& life, const storage::StoredAnswer& answer) {
  const EventId& id = life.record->id;
  for (size_t n = 0; n < life.callers.size(); ++n) {
    step.effects.push_back(Reply{life.callers[n], Returned{id, n > 0, answer}});
  }
  for (Ticket ticket : life.cancels) {
    step.effects.push_back(Reply{ticket, CancelAnswer{id, answer.state}});
  }
  awaited_ended(step, id.seq);
}

}  // namespace holdfast::core
