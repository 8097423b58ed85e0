#include "storage/codec.h"

#include "storage/codec_reader.h"
#include "storage/codec_writer.h"

namespace holdfast::storage {

namespace {

// What a row costs beside its key and value: index entries, block headers.
constexpr uint64_t kRowOverheadBytes = 64;

// What endings and attempts count for beside their results and texts.
constexpr uint64_t kEndingOverheadBytes = 256;
constexpr uint64_t kAttemptOverheadBytes = 64;

template <class Record>
uint64_t encoded_bytes(const Record& record) {
  Writer writer{nullptr};
  writer.record(kRecordVersion, record);
  return writer.bytes_written();
}

template <class Record>
void append(std::string& out, const Record& record) {
  Writer{&out}.record(kRecordVersion, record);
}

// Fills the record, and answers the size of its body.
template <class Record>
Result<uint64_t> decode_into(const char* what, std::string_view bytes, Record& record,
                             Reader::Body body) {
  const std::optional<std::vector<Token>> tokens = tokenize(bytes);
  if (!tokens) return Error{Errc::corrupt, std::string{what} + ": not one MessagePack value"};
  Reader reader{*tokens, body};
  reader.record(kRecordVersion, record);
  if (!reader.complaint().empty()) {
    return Error{Errc::corrupt, std::string{what} + ": " + reader.complaint()};
  }
  return reader.body_bytes();
}

template <class Record>
Result<Record> decoded(const char* what, std::string_view bytes) {
  Record record;
  const Result<uint64_t> read = decode_into(what, bytes, record, Reader::Body::copied);
  if (!read) return read.error();
  return record;
}

uint64_t charged_beside_body(const MessageRecord& record) {
  uint64_t bytes = kMessageOverheadBytes;
  for (const auto& [key, text] : record.attributes) bytes += key.size() + text.size();
  return bytes;
}

Error corrupt(const char* what) { return Error{Errc::corrupt, what}; }

}  // namespace

void encode_to(std::string& out, const EventRecord& record) { append(out, record); }
void encode_to(std::string& out, const WaitingRecord& record) { append(out, record); }
void encode_to(std::string& out, const RunningRecord& record) { append(out, record); }
void encode_to(std::string& out, const AttemptRecord& record) { append(out, record); }
void encode_to(std::string& out, const IdempotencyRecord& record) { append(out, record); }
void encode_to(std::string& out, const HistoryRecord& record) { append(out, record); }
void encode_to(std::string& out, const DeadLetterRecord& record) { append(out, record); }
void encode_to(std::string& out, const MessageRecord& record) { append(out, record); }
void encode_to(std::string& out, const FunctionRecord& record) { append(out, record); }
void encode_to(std::string& out, const QueueRecord& record) { append(out, record); }
void encode_to(std::string& out, const StateRecord& record) {
  CHECK(record.box.value <= kBoxTagMax);
  append(out, record);
}

Result<EventRecord> decode_event(const EventId& id, std::string_view bytes) {
  Result<EventRecord> event = decoded<EventRecord>("event", bytes);
  if (event) event->id = id;
  return event;
}

Result<EventEnvelope> decode_event_envelope(const EventId& id, std::string_view bytes) {
  EventEnvelope envelope;
  const Result<uint64_t> payload_bytes =
      decode_into("event", bytes, envelope.event, Reader::Body::measured);
  if (!payload_bytes) return payload_bytes.error();
  envelope.event.id = id;
  envelope.payload_bytes = *payload_bytes;
  return envelope;
}

Result<WaitingRecord> decode_waiting(std::string_view bytes) {
  Result<WaitingRecord> waiting = decoded<WaitingRecord>("waiting", bytes);
  // It is in the key of the `due` row too, where nothing before 1970 can stand.
  if (waiting && to_ms(waiting->due_at) < 0) return corrupt("waiting: due_at is out of range");
  return waiting;
}

Result<RunningRecord> decode_running(std::string_view bytes) {
  return decoded<RunningRecord>("running", bytes);
}

Result<AttemptRecord> decode_attempt(AttemptNumber attempt, std::string_view bytes) {
  Result<AttemptRecord> record = decoded<AttemptRecord>("attempt", bytes);
  if (record && record->attempt != attempt) return corrupt("attempt: not the one of its key");
  return record;
}

Result<IdempotencyRecord> decode_idempotency(std::string_view bytes) {
  return decoded<IdempotencyRecord>("idempotency", bytes);
}

Result<HistoryRecord> decode_history(std::string_view bytes) {
  return decoded<HistoryRecord>("history", bytes);
}

Result<DeadLetterRecord> decode_dead_letter(std::string_view bytes) {
  return decoded<DeadLetterRecord>("dead letter", bytes);
}

Result<MessageRecord> decode_message(std::string_view bytes) {
  return decoded<MessageRecord>("message", bytes);
}

Result<FunctionRecord> decode_function(std::string_view bytes) {
  return decoded<FunctionRecord>("function", bytes);
}

Result<QueueRecord> decode_queue(std::string_view bytes) {
  return decoded<QueueRecord>("queue", bytes);
}

Result<StateRecord> decode_state(std::string_view bytes) {
  Result<StateRecord> state = decoded<StateRecord>("state", bytes);
  if (state && state->box.value > kBoxTagMax) return corrupt("state: box is out of range");
  return state;
}

uint64_t charged_bytes(const IdempotencyRecord& record) {
  return sizeof(KeyHash) + encoded_bytes(record) + kRowOverheadBytes;
}

uint64_t charged_bytes(const HistoryRecord& record) {
  const uint64_t result_bytes = record.result ? record.result->size() : 0;
  return kEndingOverheadBytes + result_bytes + charged_bytes(record.attempts);
}

uint64_t charged_bytes(const std::vector<AttemptRecord>& attempts) {
  uint64_t bytes = 0;
  for (const AttemptRecord& attempt : attempts) {
    bytes += kAttemptOverheadBytes + attempt.error_type.size() + attempt.error_message.size() +
             attempt.log_tail.size();
  }
  return bytes;
}

uint64_t charged_bytes_of_message(const MessageRecord& record) {
  return record.body.size() + charged_beside_body(record);
}

Result<uint64_t> charged_bytes_of_message(std::string_view bytes) {
  MessageRecord message;
  const Result<uint64_t> body_bytes =
      decode_into("message", bytes, message, Reader::Body::measured);
  if (!body_bytes) return body_bytes.error();
  return *body_bytes + charged_beside_body(message);
}

}  // namespace holdfast::storage
