// The order of every record's fields, and their bounds: said once, walked by Writer
// and by Reader. FORMAT.md shows the same as tables.
//
// To change a record, see records.h: append a line, never move one.
#pragma once

#include <chrono>
#include <type_traits>

#include "storage/limits.h"
#include "storage/records.h"

namespace holdfast::storage {

inline constexpr uint32_t kRecordVersion = 1;

constexpr InvocationType last_of(InvocationType) { return InvocationType::synchronous; }
constexpr EndState last_of(EndState) { return EndState::cancelled; }
constexpr Condition last_of(Condition) { return Condition::function_error; }
constexpr Failure last_of(Failure) { return Failure::worker_lost; }

// --- parts of records --------------------------------------------------------

template <class Walker>
void fields(Walker& walker, typename Walker::template Ref<EventId> id) {
  walker.value("function", id.function);
  walker.value("lane", id.lane);
  walker.value("seq", id.seq);
}

template <class Walker>
void fields(Walker& walker, typename Walker::template Ref<Spent> spent) {
  walker.value("attempt", spent.attempt);
  walker.value("failures", spent.failures);
  walker.value("interruptions", spent.interruptions);
  walker.value("age_from", spent.age_from);
  walker.value("owns_key", spent.owns_key);
}

template <class Walker>
void fields(Walker& walker, typename Walker::template Ref<StoredAnswer> answer) {
  walker.value("state", answer.state);
  walker.value("condition", answer.condition);
  walker.value("ended_wall", answer.ended_wall);
  walker.optional("result", answer.result, kResultKeptBytesMax);
  walker.value("result_bytes", answer.result_bytes);
  walker.text("error_type", answer.error_type, 0, kErrorTypeBytesMax);
  walker.text("error_message", answer.error_message, 0, kErrorMessageBytesMax);
}

template <class Walker>
void fields(Walker& walker, typename Walker::template Ref<HistoryMark> mark) {
  walker.value("ending", mark.ending);
  walker.value("bytes_before", mark.bytes_before);
  walker.value("at", mark.at);
}

template <class Walker>
void fields(Walker& walker, typename Walker::template Ref<ClockStamp> clock) {
  walker.value("now", clock.now);
  walker.value("lit", clock.lit);
  walker.text("boot_id", clock.boot_id, 0, kBootIdBytesMax);
  walker.value("boottime_ms", clock.boottime_ms);
}

// --- records -----------------------------------------------------------------

template <class Walker>
void fields(Walker& walker, typename Walker::template Ref<EventRecord> event) {
  walker.value("accepted_at", event.accepted_at);
  walker.value("accepted_wall", event.accepted_wall);
  walker.value("age_from", event.age_from);
  walker.value("delayed", event.delayed);
  walker.value("reserved_bytes", event.reserved_bytes);
  walker.text("idempotency_key", event.idempotency_key, 0, kIdempotencyKeyBytesMax);
  walker.body("payload", event.payload, kEventPayloadBytesMax);
}

template <class Walker>
void fields(Walker& walker, typename Walker::template Ref<WaitingRecord> waiting) {
  walker.value("due_at", waiting.due_at);
  walker.nested("spent", waiting.spent);
}

template <class Walker>
void fields(Walker& walker, typename Walker::template Ref<RunningRecord> running) {
  walker.nested("event", running.event);
  walker.value("type", running.type);
  walker.nested("spent", running.spent);
  walker.value("started_wall", running.started_wall);
  walker.value("deadline_wall", running.deadline_wall);
  walker.text("idempotency_key", running.idempotency_key, 0, kIdempotencyKeyBytesMax);
  walker.hash("payload_hash", running.payload_hash);
  walker.value("payload_bytes", running.payload_bytes);
  walker.value("accepted_wall", running.accepted_wall);
  walker.later("with_worker", running.with_worker);
}

template <class Walker>
void fields(Walker& walker, typename Walker::template Ref<AttemptRecord> attempt) {
  walker.value("attempt", attempt.attempt);
  walker.value("failure", attempt.failure);
  walker.text("error_type", attempt.error_type, 0, kErrorTypeBytesMax);
  walker.text("error_message", attempt.error_message, 0, kErrorMessageBytesMax);
  walker.value("started_wall", attempt.started_wall);
  walker.value("ended_wall", attempt.ended_wall);
  walker.optional("exit_status", attempt.exit_status);
  walker.optional("signal", attempt.signal);
  walker.bytes("log_tail", attempt.log_tail, kLogTailBytesMax);
}

template <class Walker>
void fields(Walker& walker, typename Walker::template Ref<IdempotencyRecord> remembered) {
  walker.value("function", remembered.function);
  walker.text("key", remembered.key, 1, kIdempotencyKeyBytesMax);
  walker.nested("event", remembered.event);
  walker.value("type", remembered.type);
  walker.hash("payload_hash", remembered.payload_hash);
  walker.optional("answer", remembered.answer);
  walker.value("expires_at", remembered.expires_at);
}

template <class Walker>
void fields(Walker& walker, typename Walker::template Ref<HistoryRecord> ending) {
  walker.nested("event", ending.event);
  walker.value("type", ending.type);
  walker.value("state", ending.state);
  walker.value("condition", ending.condition);
  walker.value("accepted_wall", ending.accepted_wall);
  walker.value("ended_wall", ending.ended_wall);
  walker.nested("spent", ending.spent);
  walker.value("payload_bytes", ending.payload_bytes);
  walker.optional("result", ending.result, kResultKeptBytesMax);
  walker.value("result_bytes", ending.result_bytes);
  walker.text("error_type", ending.error_type, 0, kErrorTypeBytesMax);
  walker.text("error_message", ending.error_message, 0, kErrorMessageBytesMax);
  walker.list("attempts", ending.attempts, kAttemptsKeptMax);
}

template <class Walker>
void fields(Walker& walker, typename Walker::template Ref<DeadLetterRecord> dead_letter) {
  walker.value("lane", dead_letter.lane);
  walker.value("condition", dead_letter.condition);
  walker.value("ending", dead_letter.ending);
  walker.value("accepted_wall", dead_letter.accepted_wall);
  walker.value("died_wall", dead_letter.died_wall);
  walker.nested("spent", dead_letter.spent);
  walker.value("payload_bytes", dead_letter.payload_bytes);
  walker.value("charged_bytes", dead_letter.charged_bytes);
  walker.value("reserved_bytes", dead_letter.reserved_bytes);
  walker.text("idempotency_key", dead_letter.idempotency_key, 0, kIdempotencyKeyBytesMax);
  walker.hash("payload_hash", dead_letter.payload_hash);
  walker.text("error_type", dead_letter.error_type, 0, kErrorTypeBytesMax);
  walker.text("error_message", dead_letter.error_message, 0, kErrorMessageBytesMax);
  walker.list("attempts", dead_letter.attempts, kAttemptsKeptMax);
}

template <class Walker>
void fields(Walker& walker, typename Walker::template Ref<MessageRecord> message) {
  walker.attributes("attributes", message.attributes, kMessageAttributesBytesMax);
  walker.value("sent_wall", message.sent_wall);
  walker.value("receive_count", message.receive_count);
  walker.body("body", message.body, kRecordBodyBytesMax);
}

template <class Walker>
void fields(Walker& walker, typename Walker::template Ref<FunctionRecord> function) {
  walker.text("name", function.name, 1, kNameBytesMax);
  walker.value("head", function.head);
  walker.value("fresh", function.fresh);
  walker.value("waiting", function.waiting);
  walker.value("dead_letters", function.dead_letters);
  walker.value("dead_letters_bytes", function.dead_letters_bytes);
  walker.value("dead_letters_dropped", function.dead_letters_dropped);
  walker.value("succeeded", function.succeeded);
  walker.value("failed", function.failed);
  walker.value("cancelled", function.cancelled);
  walker.value("event_age_max", function.event_age_max);
}

template <class Walker>
void fields(Walker& walker, typename Walker::template Ref<QueueRecord> queue) {
  walker.text("name", queue.name, 1, kNameBytesMax);
  walker.value("messages", queue.messages);
  walker.value("bytes", queue.bytes);
}

template <class Walker>
void fields(Walker& walker, typename Walker::template Ref<StateRecord> state) {
  walker.value("box", state.box);
  walker.value("next_seq", state.next_seq);
  walker.value("next_function", state.next_function);
  walker.value("next_queue", state.next_queue);
  walker.value("batch_number", state.batch_number);
  walker.nested("clock", state.clock);
  walker.value("reserved_bytes", state.reserved_bytes);
  walker.value("idempotency_bytes", state.idempotency_bytes);
  walker.value("history_bytes", state.history_bytes);
  walker.value("history_cutoff", state.history_cutoff);
  walker.list("history_marks", state.history_marks, kHistoryMarksStoredMax);
  walker.value("accepted", state.accepted);
  walker.value("ended", state.ended);
}

}  // namespace holdfast::storage
