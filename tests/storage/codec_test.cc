#include "storage/codec.h"

#include <gtest/gtest.h>

#include <functional>
#include <initializer_list>

#include "storage/base/random.h"
#include "storage/codec_tokens.h"
#include "storage/keys.h"
#include "storage/limits.h"
#include "tests/storage/record_samples.h"

namespace holdfast::storage {
namespace {

Result<EventRecord> decode_sample_event(std::string_view bytes) {
  return decode_event(sample_id(), bytes);
}
Result<AttemptRecord> decode_sample_attempt(std::string_view bytes) {
  return decode_attempt(AttemptNumber{6}, bytes);
}
Result<AttemptRecord> decode_attempt_zero(std::string_view bytes) {
  return decode_attempt(AttemptNumber{0}, bytes);
}

// A kind of record with its type forgotten.
struct Kind {
  const char* name;
  std::string full;
  std::string minimal;
  // Decodes and encodes again; empty if the bytes are corrupt.
  std::function<std::optional<std::string>(std::string_view)> again;
  std::string full_hash;  // of the bytes of the full sample
};

template <class Record>
Kind kind(const char* name, Result<Record> (*decode)(std::string_view), std::string full_hash) {
  const auto again = [decode](std::string_view bytes) -> std::optional<std::string> {
    const Result<Record> record = decode(bytes);
    if (record) return encode(*record);
    EXPECT_EQ(record.error().code, Errc::corrupt);
    EXPECT_FALSE(record.error().what.empty());
    return std::nullopt;
  };
  return {name, encode(full_sample<Record>()), encode(minimal_sample<Record>()), again,
          std::move(full_hash)};
}

const std::vector<Kind>& kinds() {
  static const std::vector<Kind> all{
      kind<EventRecord>("event", decode_sample_event, "414dd52d4d900fbe348b81ce83ff0f07"),
      kind<WaitingRecord>("waiting", decode_waiting, "d0369fd820474025bb1350031317cdb7"),
      kind<RunningRecord>("running", decode_running, "58bc9146629cf970594592fe051bea81"),
      kind<AttemptRecord>("attempt", decode_sample_attempt, "cf38fc4187430d8f7508cedcf80469bd"),
      kind<IdempotencyRecord>("idempotency", decode_idempotency,
                              "9f24ea951ff7b523c8fee71395f7bf77"),
      kind<HistoryRecord>("history", decode_history, "33988b97407fe1627591ca2fc1e465fd"),
      kind<DeadLetterRecord>("dead_letter", decode_dead_letter, "0fe5b109e0d2193f7217b65ce626f2e7"),
      kind<MessageRecord>("message", decode_message, "669cf94efc0f56e2045a4fb7e5d4aa73"),
      kind<FunctionRecord>("function", decode_function, "fb3d17ff092ced7c7e114daa84568eea"),
      kind<QueueRecord>("queue", decode_queue, "29193ebd7e4fb4d70c23cb5918b89efa"),
      kind<StateRecord>("state", decode_state, "d8ba5c7074452c8fdd4ab2832de3fbab"),
  };
  return all;
}

template <class Record>
void expect_round_trip(const Record& record, Result<Record> (*decode)(std::string_view)) {
  const Result<Record> read = decode(encode(record));
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(*read, record);
}

TEST(Codec, EveryFullRecordIsReadBack) {
  expect_round_trip(full_sample<EventRecord>(), decode_sample_event);
  expect_round_trip(full_sample<WaitingRecord>(), decode_waiting);
  expect_round_trip(full_sample<RunningRecord>(), decode_running);
  expect_round_trip(full_sample<AttemptRecord>(), decode_sample_attempt);
  expect_round_trip(full_sample<IdempotencyRecord>(), decode_idempotency);
  expect_round_trip(full_sample<HistoryRecord>(), decode_history);
  expect_round_trip(full_sample<DeadLetterRecord>(), decode_dead_letter);
  expect_round_trip(full_sample<MessageRecord>(), decode_message);
  expect_round_trip(full_sample<FunctionRecord>(), decode_function);
  expect_round_trip(full_sample<QueueRecord>(), decode_queue);
  expect_round_trip(full_sample<StateRecord>(), decode_state);
}

TEST(Codec, EveryMinimalRecordIsReadBack) {
  EventRecord event;
  event.id = sample_id();
  expect_round_trip(event, decode_sample_event);
  expect_round_trip(minimal_sample<WaitingRecord>(), decode_waiting);
  expect_round_trip(minimal_sample<RunningRecord>(), decode_running);
  expect_round_trip(minimal_sample<AttemptRecord>(), decode_attempt_zero);
  expect_round_trip(minimal_sample<IdempotencyRecord>(), decode_idempotency);
  expect_round_trip(minimal_sample<HistoryRecord>(), decode_history);
  expect_round_trip(minimal_sample<DeadLetterRecord>(), decode_dead_letter);
  expect_round_trip(minimal_sample<MessageRecord>(), decode_message);
  expect_round_trip(minimal_sample<FunctionRecord>(), decode_function);
  expect_round_trip(minimal_sample<QueueRecord>(), decode_queue);
  expect_round_trip(minimal_sample<StateRecord>(), decode_state);
}

// A box keeps its rows across updates: whoever changes these bytes changes the format.
TEST(Codec, TheBytesOfEveryRecordAreForEver) {
  for (const Kind& each : kinds()) {
    std::string hex;
    for (const uint8_t byte : hash_of_payload(each.full)) {
      hex += "0123456789abcdef"[byte >> 4];
      hex += "0123456789abcdef"[byte & 0xF];
    }
    EXPECT_EQ(hex, each.full_hash) << each.name;
  }
}

TEST(Codec, EveryTruncationOfARecordIsCorrupt) {
  for (const Kind& each : kinds()) {
    for (const std::string& bytes : {each.full, each.minimal}) {
      for (size_t n = 0; n < bytes.size(); ++n) {
        EXPECT_FALSE(each.again(std::string_view{bytes}.substr(0, n))) << each.name << " " << n;
      }
    }
  }
}

TEST(Codec, AnythingBehindARecordIsCorrupt) {
  for (const Kind& each : kinds()) {
    EXPECT_FALSE(each.again(each.full + '\0')) << each.name;
    EXPECT_FALSE(each.again(each.full + each.full)) << each.name;
  }
}

// How long the head of an array is, and how many elements it has.
std::pair<size_t, size_t> array_head(const std::string& bytes) {
  const auto first = static_cast<uint8_t>(bytes[0]);
  if ((first & 0xF0) == 0x90) return {1, first & 0x0F};
  EXPECT_EQ(first, 0xDC);
  return {
      3, static_cast<size_t>(static_cast<uint8_t>(bytes[1])) << 8 | static_cast<uint8_t>(bytes[2])};
}
std::string array16(size_t elements, std::string_view rest) {
  std::string bytes{'\xDC'};
  bytes.push_back(static_cast<char>(elements >> 8));
  bytes.push_back(static_cast<char>(elements & 0xFF));
  return bytes.append(rest);
}

TEST(Codec, FieldsOfALaterVersionArePassedOver) {
  for (const Kind& each : kinds()) {
    const auto [head, elements] = array_head(each.full);
    // A number, an array with a map in it, an extension, a float.
    const std::string later{"\x07\x92\x81\xA1k\xC3\xC0\xD4\x01\x02\xCA\x3F\x80\x00\x00", 15};
    const std::string longer = array16(elements + 4, each.full.substr(head) + later);
    EXPECT_EQ(each.again(longer), each.full) << each.name;
  }
}

TEST(Codec, AMissingLastFieldIsCorrupt) {
  const std::string bytes = encode(full_sample<QueueRecord>());
  const auto [head, elements] = array_head(bytes);
  // The last field, 82, is one byte.
  const std::string shorter = array16(elements - 1, bytes.substr(head, bytes.size() - head - 1));
  const Result<QueueRecord> read = decode_queue(shorter);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().what, "queue: bytes is missing");
}

TEST(Codec, AFieldThatCameLaterHasItsDefaultInOlderRows) {
  RunningRecord running = full_sample<RunningRecord>();
  const std::string bytes = encode(running);
  const auto [head, elements] = array_head(bytes);
  // with_worker is one byte.
  const std::string older = array16(elements - 1, bytes.substr(head, bytes.size() - head - 1));
  const Result<RunningRecord> read = decode_running(older);
  ASSERT_TRUE(read) << read.error().what;
  running.with_worker = false;
  EXPECT_EQ(*read, running);
}

TEST(Codec, AnotherVersionOfARecordIsCorrupt) {
  for (const Kind& each : kinds()) {
    std::string bytes = each.full;
    bytes[array_head(bytes).first] = 2;
    EXPECT_FALSE(each.again(bytes)) << each.name;
  }
}

TEST(Codec, ARecordOfAnotherKindIsNeverAPanic) {
  for (const Kind& each : kinds()) {
    for (const Kind& other : kinds()) (void)each.again(other.full);
  }
}

TEST(Codec, SurvivesRandomDamage) {
  for (const Kind& each : kinds()) {
    Random random{7};
    for (int n = 0; n < 10000; ++n) {
      std::string bytes = random.chance(50) ? each.full : each.minimal;
      for (uint64_t changes = 1 + random.up_to(3); changes > 0 && !bytes.empty(); --changes) {
        const size_t position = random.up_to(bytes.size() - 1);
        const auto byte = static_cast<char>(random.next());
        switch (random.up_to(3)) {
          case 0:
            bytes[position] = byte;
            break;
          case 1:
            bytes.insert(position, 1, byte);
            break;
          case 2:
            bytes.erase(position, 1);
            break;
          default:
            bytes.resize(position);
        }
      }
      // What is read is within all bounds, or encoding it again would abort.
      if (const auto again = each.again(bytes)) {
        EXPECT_TRUE(each.again(*again)) << each.name;
      }
    }
  }
}

TEST(Codec, SurvivesRandomBytes) {
  Random random{8};
  for (int n = 0; n < 10000; ++n) {
    std::string bytes(random.up_to(40), '\0');
    for (char& byte : bytes) byte = static_cast<char>(random.next());
    for (const Kind& each : kinds()) (void)each.again(bytes);
  }
}

TEST(Codec, AClaimOfAHugeArrayCostsNothing) {
  for (const std::string& claim :
       {std::string{"\xDD\xFF\xFF\xFF\xFF"}, std::string{"\xDF\xFF\xFF\xFF\xFF"},
        std::string{"\xC6\xFF\xFF\xFF\xFF"}, std::string{"\xDB\xFF\xFF\xFF\xFF"},
        std::string{"\xC9\xFF\xFF\xFF\xFF\x01"}}) {
    EXPECT_FALSE(tokenize(claim));
    EXPECT_FALSE(decode_state(array16(2, '\x01' + claim)));
  }
}

TEST(Tokens, AreReadToTheirLimitsAndNoFurther) {
  const std::string nils(kTokensMax, '\xC0');
  const auto array_of_nils = [&](size_t count) {
    return array16(count, std::string_view{nils}.substr(0, count));
  };
  EXPECT_TRUE(tokenize(array_of_nils(kTokensMax - 1)));
  EXPECT_FALSE(tokenize(array_of_nils(kTokensMax)));

  const std::string deep(kNestingMax - 1, '\x91');
  EXPECT_TRUE(tokenize(deep + '\x90'));
  EXPECT_FALSE(tokenize(deep + "\x91\x90"));
  EXPECT_FALSE(tokenize(std::string(100000, '\x91')));
}

TEST(Codec, AnAttemptUnderAnothersKeyIsCorrupt) {
  const std::string bytes = encode(sample_attempt(6));
  EXPECT_TRUE(decode_attempt(AttemptNumber{6}, bytes));
  EXPECT_FALSE(decode_attempt(AttemptNumber{5}, bytes));
}

TEST(Codec, APayloadIsCopiedIntoBytesOfExactlyItsSize) {
  EventRecord event = full_sample<EventRecord>();
  event.payload.assign(kEventPayloadBytesMax, 'x');
  const std::string bytes = encode(event);
  EXPECT_EQ(bytes.capacity(), bytes.size());
  EXPECT_EQ(bytes.substr(bytes.size() - event.payload.size()), event.payload);
  const Result<EventRecord> read = decode_event(event.id, bytes);
  ASSERT_TRUE(read);
  EXPECT_EQ(*read, event);
}

TEST(Codec, AnEnvelopeIsTheEventWithoutItsPayload) {
  EventRecord event = full_sample<EventRecord>();
  const Result<EventEnvelope> envelope = decode_event_envelope(event.id, encode(event));
  ASSERT_TRUE(envelope);
  EXPECT_EQ(envelope->payload_bytes, event.payload.size());
  event.payload.clear();
  EXPECT_EQ(envelope->event, event);
}

// --- limits: at each, and one beyond -----------------------------------------

TEST(CodecLimits, AnEventIsReadAtItsLimitsAndRefusedBeyond) {
  EventRecord event;
  event.id = sample_id();
  event.payload.assign(kEventPayloadBytesMax, 'x');
  event.idempotency_key.assign(kIdempotencyKeyBytesMax, 'k');
  event.accepted_wall = at_ms<WallTime>(-kInstantMsMax);
  expect_round_trip(event, decode_sample_event);

  // [1, 0, 0, 0, false, 0, "", payload], with one byte too many.
  std::string beyond{"\x98\x01\0\0\0\xC2\0\xA0\xC6\0\x10\0\x01", 13};
  beyond.append(kEventPayloadBytesMax + 1, 'x');
  const Result<EventRecord> read = decode_sample_event(beyond);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().what, "event: payload is over its limit");
}

TEST(CodecLimits, AMessageIsReadAtItsLimitsAndRefusedBeyond) {
  MessageRecord message;
  message.body.assign(kRecordBodyBytesMax, 'b');
  message.attributes["name"].assign(kMessageAttributesBytesMax - 4, 'v');
  expect_round_trip(message, decode_message);

  // As many attributes as can be: all their bytes are in the names.
  message.attributes.clear();
  message.attributes[""] = "";
  for (size_t n = 0; n < kMessageAttributesBytesMax / 2; ++n) {
    message.attributes[{static_cast<char>(n >> 8), static_cast<char>(n & 0xFF)}] = "";
  }
  expect_round_trip(message, decode_message);

  // [1, {"": 8193 bytes}, 0, 0, ""]
  std::string beyond{"\x95\x01\x81\xA0\xDA\x20\x01", 7};
  beyond.append(kMessageAttributesBytesMax + 1, 'v').append(std::string{"\0\0\xC4\0", 4});
  EXPECT_FALSE(decode_message(beyond));
}

TEST(CodecLimits, AttributesWithTheSameNameTwiceAreCorrupt) {
  EXPECT_TRUE(decode_message(std::string{"\x95\x01\x82\xA1k\xA0\xA1l\xA0\0\0\xC4\0", 13}));
  EXPECT_FALSE(decode_message(std::string{"\x95\x01\x82\xA1k\xA0\xA1k\xA0\0\0\xC4\0", 13}));
}

TEST(CodecLimits, AnEndingIsReadWithAllThatIsEverKept) {
  HistoryRecord ending = full_sample<HistoryRecord>();
  ending.result.emplace(kResultKeptBytesMax, 'r');
  ending.error_message.assign(kErrorMessageBytesMax, 'm');
  ending.error_type.assign(kErrorTypeBytesMax, 't');
  AttemptRecord attempt = sample_attempt(UINT32_MAX);
  attempt.log_tail.assign(kLogTailBytesMax, 'l');
  attempt.error_message.assign(kErrorMessageBytesMax, 'm');
  ending.attempts.assign(kAttemptsKeptMax, attempt);
  expect_round_trip(ending, decode_history);
}

TEST(CodecLimits, AStateIsReadWithAllItsMarks) {
  StateRecord state = full_sample<StateRecord>();
  state.history_marks.assign(kHistoryMarksStoredMax, state.history_marks[0]);
  expect_round_trip(state, decode_state);
}

TEST(CodecLimits, NumbersOutOfRangeAreRefused) {
  // [1, due_at, [attempt, failures, interruptions, age_from, owns_key]]
  const auto waiting = [](const std::string& due_at, const std::string& attempt) {
    return decode_waiting("\x93\x01" + due_at + "\x95" + attempt + std::string{"\0\0\0\xC3", 4});
  };
  const std::string zero(1, '\0');
  EXPECT_TRUE(waiting(zero, zero));
  EXPECT_TRUE(waiting(std::string{"\xCF\x10\0\0\0\0\0\0\0", 9}, zero));
  EXPECT_FALSE(waiting(std::string{"\xCF\x10\0\0\0\0\0\0\1", 9}, zero));
  EXPECT_FALSE(waiting(std::string{"\xCF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 9}, zero));
  EXPECT_FALSE(waiting("\xFF", zero));  // -1: no key of `due` could stand for it
  EXPECT_TRUE(waiting(zero, std::string{"\xCE\xFF\xFF\xFF\xFF", 5}));
  EXPECT_FALSE(waiting(zero, std::string{"\xCF\0\0\0\1\0\0\0\0", 9}));
  EXPECT_FALSE(waiting(zero, "\xFF"));
  EXPECT_FALSE(waiting(zero, "\xC0"));
}

TEST(CodecLimits, InstantsAreReadToTheirLimitsOnBothSides) {
  const auto born = [](std::string_view age_from) {
    std::string bytes{"\x93\x01\0\x95\0\0\0", 7};
    return decode_waiting(bytes.append(age_from).append("\xC3"));
  };
  EXPECT_TRUE(born({"\xD3\xF0\0\0\0\0\0\0\0", 9}));
  EXPECT_FALSE(born("\xD3\xEF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"));
  EXPECT_TRUE(born({"\xCF\x10\0\0\0\0\0\0\0", 9}));
  EXPECT_FALSE(born({"\xCF\x10\0\0\0\0\0\0\1", 9}));
}

// The hash in a row, of 16 bytes, made so long.
std::string with_hash_of(const std::string& row, uint8_t bytes) {
  const size_t at = row.find("\xC4\x10");
  EXPECT_NE(at, std::string::npos);
  return row.substr(0, at) + "\xC4" + static_cast<char>(bytes) + std::string(bytes, 'h') +
         row.substr(at + 2 + 16);
}

TEST(CodecLimits, AHashHas16BytesOrIsMissingWhereItMayBe) {
  const std::string key = encode(full_sample<IdempotencyRecord>());
  const std::string running = encode(full_sample<RunningRecord>());
  EXPECT_TRUE(decode_idempotency(with_hash_of(key, 16)));
  EXPECT_TRUE(decode_running(with_hash_of(running, 16))->payload_hash.has_value());
  EXPECT_FALSE(decode_running(with_hash_of(running, 0))->payload_hash.has_value());
  for (const uint8_t wrong : std::initializer_list<uint8_t>{0, 1, 15, 17}) {
    EXPECT_FALSE(decode_idempotency(with_hash_of(key, wrong))) << int{wrong};
    EXPECT_EQ(static_cast<bool>(decode_running(with_hash_of(running, wrong))), wrong == 0);
  }
}

TEST(CodecLimits, WordsThatDoNotExistAreRefused) {
  std::string bytes = encode(minimal_sample<HistoryRecord>());
  // [1, [0, 0, 0], type, state, condition, ...] after a head of one byte.
  const std::vector<std::pair<size_t, char>> last_words{{6, 1}, {7, 2}, {8, 5}};
  for (const auto& [position, last] : last_words) {
    std::string changed = bytes;
    changed[position] = last;
    EXPECT_TRUE(decode_history(changed)) << position;
    changed[position] = static_cast<char>(last + 1);
    EXPECT_FALSE(decode_history(changed)) << position;
  }
}

TEST(CodecDeathTest, WhatIsOverALimitIsNeverWritten) {
  EventRecord event;
  event.payload.assign(kEventPayloadBytesMax + 1, 'x');
  EXPECT_DEATH((void)encode(event), "bytes_max");
  StateRecord state;
  state.box = BoxTag{kBoxTagMax + 1};
  EXPECT_DEATH((void)encode(state), "kBoxTagMax");
  IdempotencyRecord keyless = full_sample<IdempotencyRecord>();
  keyless.key.clear();
  EXPECT_DEATH((void)encode(keyless), "bytes_min");
  HistoryRecord ending;
  ending.attempts.resize(kAttemptsKeptMax + 1);
  EXPECT_DEATH((void)encode(ending), "count_max");
}

// --- what rows are charged with ----------------------------------------------

TEST(Charges, AnIdempotencyRowIsChargedMoreThanItsBytes) {
  const IdempotencyRecord record = full_sample<IdempotencyRecord>();
  const size_t bytes = idempotency_row_key({}).size() + encode(record).size();
  EXPECT_GT(charged_bytes(record), bytes);
  EXPECT_LT(charged_bytes(record), bytes + 200);
}

TEST(Charges, AMessageIsChargedTheSameInMemoryAndOnDisk) {
  const MessageRecord message = full_sample<MessageRecord>();
  EXPECT_EQ(charged_bytes_of_message(message), 5 + 9 + 3 + 9 + 1 + kMessageOverheadBytes);
  const Result<uint64_t> read = charged_bytes_of_message(std::string_view{encode(message)});
  ASSERT_TRUE(read);
  EXPECT_EQ(*read, charged_bytes_of_message(message));
  EXPECT_FALSE(charged_bytes_of_message(std::string_view{"x"}));
}

}  // namespace
}  // namespace holdfast::storage
