// One full and one minimal sample of every record: the full one has no field at its
// default and no two alike, so that a field in the wrong place cannot hide.
#pragma once

#include <string>

#include "storage/limits.h"
#include "storage/records.h"

namespace holdfast::storage {

template <class Record>
Record full_sample();
template <class Record>
Record minimal_sample() {
  return {};
}

template <class Point>
Point at_ms(int64_t ms) {
  return from_ms<Point>(ms);
}

inline EventId sample_id() { return {FunctionId{7}, Lane{3}, Seq{0x123456789ABC}}; }

inline Spent sample_spent() {
  return {AttemptNumber{5}, 4, 2, at_ms<LitPoint>(1'700'000'000'001), false};
}

inline AttemptRecord sample_attempt(uint32_t number) {
  AttemptRecord attempt;
  attempt.attempt = AttemptNumber{number};
  attempt.failure = Failure::signaled;
  attempt.error_type = "Runtime.ExitError";
  attempt.error_message = "signal: killed";
  attempt.started_wall = at_ms<WallTime>(1000 + number);
  attempt.ended_wall = at_ms<WallTime>(2000 + number);
  attempt.exit_status = -1;
  attempt.signal = 9;
  attempt.log_tail = std::string{"last\0words\xFF", 11};
  return attempt;
}

template <>
inline EventRecord full_sample() {
  EventRecord event;
  event.id = sample_id();
  event.accepted_at = at_ms<TimePoint>(11);
  event.accepted_wall = at_ms<WallTime>(-12);  // a wall clock may say anything
  event.age_from = at_ms<LitPoint>(13);
  event.delayed = true;
  event.reserved_bytes = 1ull << 40;
  event.idempotency_key = "order-4711";
  event.payload = std::string{"pay\0load", 8};
  return event;
}

template <>
inline WaitingRecord full_sample() {
  return {at_ms<TimePoint>(1'800'000'000'000), sample_spent()};
}

template <>
inline RunningRecord full_sample() {
  RunningRecord running;
  running.event = sample_id();
  running.type = InvocationType::synchronous;
  running.spent = sample_spent();
  running.started_wall = at_ms<WallTime>(21);
  running.deadline_wall = at_ms<WallTime>(22);
  running.idempotency_key = "key";
  running.payload_hash = hash_from("0123456789abcdef");
  running.payload_bytes = 23;
  running.accepted_wall = at_ms<WallTime>(24);
  running.with_worker = true;
  return running;
}

template <>
inline AttemptRecord full_sample() {
  return sample_attempt(6);
}

inline StoredAnswer sample_answer() {
  StoredAnswer answer;
  answer.state = EndState::failed;
  answer.condition = Condition::event_age_exceeded;
  answer.ended_wall = at_ms<WallTime>(31);
  answer.result = "result";
  answer.result_bytes = 32;
  answer.error_type = "Sandbox.Timedout";
  answer.error_message = "Task timed out after 3.00 seconds";
  return answer;
}

template <>
inline IdempotencyRecord full_sample() {
  IdempotencyRecord remembered;
  remembered.function = FunctionId{7};
  remembered.key = "order-4711";
  remembered.event = sample_id();
  remembered.type = InvocationType::synchronous;
  remembered.payload_hash = *hash_from("fedcba9876543210");
  remembered.answer = sample_answer();
  remembered.expires_at = at_ms<LitPoint>(33);
  return remembered;
}
template <>
inline IdempotencyRecord minimal_sample() {
  IdempotencyRecord remembered;
  remembered.key = "k";
  return remembered;
}

template <>
inline HistoryRecord full_sample() {
  HistoryRecord ending;
  ending.event = sample_id();
  ending.type = InvocationType::synchronous;
  ending.state = EndState::cancelled;
  ending.condition = Condition::function_error;
  ending.accepted_wall = at_ms<WallTime>(41);
  ending.ended_wall = at_ms<WallTime>(42);
  ending.spent = sample_spent();
  ending.payload_bytes = 43;
  ending.result = "";  // there, and empty
  ending.result_bytes = 44;
  ending.error_type = "Interrupted";
  ending.error_message = "the daemon stopped";
  ending.attempts = {sample_attempt(1), sample_attempt(2)};
  return ending;
}

template <>
inline DeadLetterRecord full_sample() {
  DeadLetterRecord dead_letter;
  dead_letter.lane = Lane{3};
  dead_letter.condition = Condition::interrupted;
  dead_letter.ending = Seq{51};
  dead_letter.accepted_wall = at_ms<WallTime>(52);
  dead_letter.died_wall = at_ms<WallTime>(53);
  dead_letter.spent = sample_spent();
  dead_letter.payload_bytes = 54;
  dead_letter.charged_bytes = 55;
  dead_letter.reserved_bytes = 56;
  dead_letter.idempotency_key = "order-4712";
  dead_letter.payload_hash = hash_from("0f1e2d3c4b5a6978");
  dead_letter.error_type = "Runtime.ExitError";
  dead_letter.error_message = "exit status 1";
  dead_letter.attempts = {sample_attempt(3)};
  return dead_letter;
}

template <>
inline MessageRecord full_sample() {
  MessageRecord message;
  message.body = std::string{"bo\0dy", 5};
  message.attributes = {{"ErrorCode", "200"}, {"RequestID", "x"}};
  message.sent_wall = at_ms<WallTime>(61);
  message.receive_count = 62;
  return message;
}

template <>
inline FunctionRecord full_sample() {
  return {.name = "resize",
          .head = Seq{71},
          .fresh = 72,
          .waiting = 73,
          .dead_letters = 74,
          .dead_letters_bytes = 75,
          .dead_letters_dropped = 76,
          .succeeded = 77,
          .failed = 78,
          .cancelled = 79,
          .event_age_max = Duration{80}};
}
template <>
inline FunctionRecord minimal_sample() {
  FunctionRecord function;
  function.name = "f";
  return function;
}

template <>
inline QueueRecord full_sample() {
  return {.name = "failures", .messages = 81, .bytes = 82};
}
template <>
inline QueueRecord minimal_sample() {
  QueueRecord queue;
  queue.name = "q";
  return queue;
}

template <>
inline StateRecord full_sample() {
  StateRecord state;
  state.box = BoxTag{kBoxTagMax};
  state.next_seq = Seq{91};
  state.next_function = FunctionId{92};
  state.next_queue = QueueId{93};
  state.batch_number = 94;
  state.clock = {at_ms<TimePoint>(95), at_ms<LitPoint>(96), "b0071d", -97};
  state.reserved_bytes = 98;
  state.idempotency_bytes = 99;
  state.history_bytes = 100;
  state.history_cutoff = Seq{101};
  state.history_marks = {{Seq{102}, 103, at_ms<LitPoint>(104)},
                         {Seq{105}, 106, at_ms<LitPoint>(107)}};
  state.accepted = 108;
  state.ended = UINT64_MAX;
  return state;
}

}  // namespace holdfast::storage
