// Rows as a damaged disk may hold them, and the ids and markers that clients hand back.
//
//    input := kind:u8 bytes       kind is taken modulo the number of decoders below
//
// What must hold
//   - A record is refused as corrupt with a reason, or what is written of it is what
//     msgpack reads in its bytes, but for fields of a later version and the defaults of
//     fields that an earlier version did not have, and is read back equal.
//   - A key or an id that was parsed spells the same bytes again.
#include <algorithm>
#include <array>
#include <cctype>
#include <msgpack.hpp>
#include <string>
#include <vector>

#include "storage/base/check.h"
#include "storage/codec.h"
#include "storage/ids.h"
#include "storage/keys.h"
#include "storage/list_marker.h"
#include "tests/fuzz/target.h"

namespace holdfast::storage {
namespace {

// The ones of tests/storage/record_samples.h and tests/daemon/api_support.h.
const EventId kEvent{FunctionId{7}, Lane{3}, Seq{0x123456789ABC}};
constexpr AttemptNumber kAttempt{6};
constexpr BoxTag kBox{0x2ABCD};

template <class Value>
bool refused(const Result<Value>& value) {
  if (value) return false;
  CHECK(value.error().code == Errc::corrupt);
  CHECK(!value.error().what.empty());
  return true;
}

// One number has several forms, but is packed in one.
std::string packed(const msgpack::object& value) {
  msgpack::sbuffer bytes;
  msgpack::pack(bytes, value);
  return {bytes.data(), bytes.size()};
}

std::vector<std::string> packed_entries(const msgpack::object_map& map) {
  std::vector<std::string> entries;
  for (uint32_t n = 0; n < map.size; ++n) {
    entries.push_back(packed(map.ptr[n].key) + packed(map.ptr[n].val));
  }
  std::sort(entries.begin(), entries.end());
  return entries;
}

// How many fields of each record came later(), and may be missing at its end.
template <class Record>
constexpr uint32_t kLaterFields = 0;
template <>
constexpr uint32_t kLaterFields<RunningRecord> = 1;  // with_worker

bool is_default(const msgpack::object& value) {
  switch (value.type) {
    case msgpack::type::BOOLEAN: return !value.via.boolean;
    case msgpack::type::POSITIVE_INTEGER: return value.via.u64 == 0;
    default: return false;
  }
}

// Whether nothing of a value was lost or changed, but for the order of a map. Only at the
// end of an array may there have been more, fields of a later version; and only at the end
// of a record less, at most `later` fields, which then have their defaults.
bool is_kept(const msgpack::object& read, const msgpack::object& written, uint32_t later = 0) {
  if (read.type != written.type) return false;
  if (read.type == msgpack::type::MAP) {
    return packed_entries(read.via.map) == packed_entries(written.via.map);
  }
  if (read.type != msgpack::type::ARRAY) return packed(read) == packed(written);
  if (read.via.array.size + later < written.via.array.size) return false;
  for (uint32_t n = 0; n < written.via.array.size; ++n) {
    if (n >= read.via.array.size) {
      if (!is_default(written.via.array.ptr[n])) return false;
      continue;
    }
    if (!is_kept(read.via.array.ptr[n], written.via.array.ptr[n])) return false;
  }
  return true;
}

msgpack::object_handle whole_value(std::string_view bytes) {
  size_t end = 0;
  msgpack::object_handle value = msgpack::unpack(bytes.data(), bytes.size(), end);
  CHECK(end == bytes.size());
  return value;
}

template <class Record, class Decode>
void check_record(std::string_view bytes, Decode decode) {
  const Result<Record> record = decode(bytes);
  if (refused(record)) return;
  const std::string written = encode(*record);
  CHECK(is_kept(whole_value(bytes).get(), whole_value(written).get(), kLaterFields<Record>));
  const Result<Record> again = decode(written);
  CHECK(again);
  CHECK(*again == *record);
}

template <class Record, Result<Record> (*kDecode)(std::string_view)>
void check(std::string_view bytes) {
  check_record<Record>(bytes, kDecode);
}

void check_event(std::string_view bytes) {
  check_record<EventRecord>(bytes, [](std::string_view row) { return decode_event(kEvent, row); });
  const Result<EventRecord> event = decode_event(kEvent, bytes);
  const Result<EventEnvelope> envelope = decode_event_envelope(kEvent, bytes);
  CHECK(static_cast<bool>(event) == static_cast<bool>(envelope));
  if (refused(event)) return;
  CHECK(envelope->payload_bytes == event->payload.size());
  EventRecord without_payload = *event;
  without_payload.payload.clear();
  CHECK(envelope->event == without_payload);
}

void check_waiting(std::string_view bytes) {
  check_record<WaitingRecord>(bytes, decode_waiting);
  const Result<WaitingRecord> waiting = decode_waiting(bytes);
  if (refused(waiting)) return;
  // Its twin in `due` can be named.
  const WaitingKey key{kEvent, waiting->due_at, Generation{1}};
  CHECK(parse_due_key(due_key(key)) == key);
}

void check_attempt(std::string_view bytes) {
  check_record<AttemptRecord>(bytes,
                              [](std::string_view row) { return decode_attempt(kAttempt, row); });
}

void check_message(std::string_view bytes) {
  check_record<MessageRecord>(bytes, decode_message);
  const Result<MessageRecord> message = decode_message(bytes);
  const Result<uint64_t> charged = charged_bytes_of_message(bytes);
  CHECK(static_cast<bool>(message) == static_cast<bool>(charged));
  if (!refused(message)) CHECK(*charged == charged_bytes_of_message(*message));
}

void check_idempotency(std::string_view bytes) {
  check_record<IdempotencyRecord>(bytes, decode_idempotency);
  const Result<IdempotencyRecord> remembered = decode_idempotency(bytes);
  if (!refused(remembered)) CHECK(charged_bytes(*remembered) > encode(*remembered).size());
}

void check_keys(std::string_view key) {
  if (const auto id = parse_event_key(key)) CHECK(event_key(*id) == key);
  if (const auto row = parse_waiting_key(key)) CHECK(waiting_key(row->first, row->second) == key);
  if (const auto row = parse_due_key(key)) CHECK(due_key(*row) == key);
  if (const auto row = parse_running_key(key)) CHECK(running_key(*row) == key);
  if (const auto row = parse_attempt_key(key)) CHECK(attempt_key(row->first, row->second) == key);
  if (const auto row = parse_idempotency_row_key(key)) CHECK(idempotency_row_key(*row) == key);
  if (const auto row = parse_history_key(key)) CHECK(history_key(*row) == key);
  if (const auto row = parse_dead_letter_key(key)) CHECK(dead_letter_key(*row) == key);
  if (const auto row = parse_message_key(key)) CHECK(message_key(*row) == key);
  if (const auto id = parse_function_key(key)) CHECK(function_key(*id) == key);
  if (const auto id = parse_queue_key(key)) CHECK(queue_key(*id) == key);
}

std::string in_small_letters(std::string_view text) {
  std::string small{text};
  for (char& letter : small) letter = static_cast<char>(std::tolower(letter));
  return small;
}

void check_request_id(std::string_view text) {
  if (const auto id = from_request_id(text, kBox)) {
    CHECK(to_request_id(*id, kBox) == in_small_letters(text));
    CHECK(!from_request_id(text, BoxTag{kBox.value ^ 1}));
  }
  // Any id has a text of its own.
  fuzz::Recipe recipe{text};
  const BoxTag box{static_cast<uint32_t>(recipe.up_to(kBoxTagMax))};
  const EventId id{FunctionId{static_cast<uint32_t>(recipe.number(4))},
                   Lane{static_cast<uint8_t>(recipe.number(1))}, Seq{recipe.number(8)}};
  CHECK(from_request_id(to_request_id(id, box), box) == id);
}

void check_marker(std::string_view text) {
  const auto marker = parse_marker(text);
  if (marker) CHECK(to_text(*marker) == in_small_letters(text));
}

constexpr auto kDecoders = std::to_array<void (*)(std::string_view)>({
    check_event,
    check_waiting,
    check<RunningRecord, decode_running>,
    check_attempt,
    check_idempotency,
    check<HistoryRecord, decode_history>,
    check<DeadLetterRecord, decode_dead_letter>,
    check_message,
    check<FunctionRecord, decode_function>,
    check<QueueRecord, decode_queue>,
    check<StateRecord, decode_state>,
    check_keys,
    check_request_id,
    check_marker,
});

}  // namespace
}  // namespace holdfast::storage

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view input = holdfast::fuzz::view_of(data, size);
  const auto& decoders = holdfast::storage::kDecoders;
  decoders[data[0] % decoders.size()](input.substr(1));
  return 0;
}
