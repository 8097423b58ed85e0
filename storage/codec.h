// Records <-> MessagePack. For the rows of a batch see batch_writes.h.
//
// Encoding checks our own bounds (CHECK); decoding checks the same ones again and
// answers Errc::corrupt, because a disk may say anything.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "storage/base/result.h"
#include "storage/batch.h"
#include "storage/store.h"

namespace holdfast::storage {

// Appends to `out`.
void encode_to(std::string& out, const EventRecord& record);
void encode_to(std::string& out, const WaitingRecord& record);
void encode_to(std::string& out, const RunningRecord& record);
void encode_to(std::string& out, const AttemptRecord& record);
void encode_to(std::string& out, const IdempotencyRecord& record);
void encode_to(std::string& out, const HistoryRecord& record);
void encode_to(std::string& out, const DeadLetterRecord& record);
void encode_to(std::string& out, const MessageRecord& record);
void encode_to(std::string& out, const FunctionRecord& record);
void encode_to(std::string& out, const QueueRecord& record);
void encode_to(std::string& out, const StateRecord& record);

template <class Record>
std::string encode(const Record& record) {
  std::string bytes;
  encode_to(bytes, record);
  return bytes;
}

Result<EventRecord> decode_event(const EventId& id, std::string_view bytes);
Result<WaitingRecord> decode_waiting(std::string_view bytes);
Result<RunningRecord> decode_running(std::string_view bytes);
Result<AttemptRecord> decode_attempt(AttemptNumber attempt, std::string_view bytes);
Result<IdempotencyRecord> decode_idempotency(std::string_view bytes);
Result<HistoryRecord> decode_history(std::string_view bytes);
Result<DeadLetterRecord> decode_dead_letter(std::string_view bytes);
Result<MessageRecord> decode_message(std::string_view bytes);
Result<FunctionRecord> decode_function(std::string_view bytes);
Result<QueueRecord> decode_queue(std::string_view bytes);
Result<StateRecord> decode_state(std::string_view bytes);

// An event without its payload, for those who only look: a page of pending events
// must not copy a thousand payloads.
struct EventEnvelope {
  EventRecord event;  // its payload is empty
  uint64_t payload_bytes = 0;
};
Result<EventEnvelope> decode_event_envelope(const EventId& id, std::string_view bytes);

// Disk that an idempotency row is charged with (key, record and some overhead).
uint64_t charged_bytes(const IdempotencyRecord& record);

// What an ending counts for in the history, and kept attempts wherever they are kept.
uint64_t charged_bytes(const HistoryRecord& record);
uint64_t charged_bytes(const std::vector<AttemptRecord>& attempts);

// What a message counts for in its queue: body, attributes, kMessageOverheadBytes.
// The second form reads it off a row, without a copy of the body.
uint64_t charged_bytes_of_message(const MessageRecord& record);
Result<uint64_t> charged_bytes_of_message(std::string_view bytes);

}  // namespace holdfast::storage
