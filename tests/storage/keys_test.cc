#include "storage/keys.h"

#include <gtest/gtest.h>

#include <tuple>

#include "storage/base/random.h"
#include "storage/limits.h"

namespace holdfast::storage {
namespace {

constexpr int kRounds = 5000;

// Numbers that sort wrongly when a byte is lost or turned: few bits, all sizes.
uint64_t edge_number(Random& random) {
  switch (random.up_to(4)) {
    case 0:
      return 0;
    case 1:
      return UINT64_MAX;
    case 2:
      return random.up_to(3);
    case 3:
      return uint64_t{1} << random.up_to(63);
    default:
      return random.next();
  }
}
uint32_t edge32(Random& random) { return static_cast<uint32_t>(edge_number(random)); }

EventId roll_id(Random& random) {
  return {FunctionId{edge32(random)}, Lane{static_cast<uint8_t>(edge_number(random))},
          Seq{edge_number(random)}};
}
TimePoint roll_instant(Random& random) {
  return from_ms<TimePoint>(static_cast<int64_t>(edge_number(random) % (kInstantMsMax + 1)));
}
Generation roll_generation(Random& random) { return Generation{edge32(random)}; }

WaitingKey roll_waiting(Random& random) {
  return {roll_id(random), roll_instant(random), roll_generation(random)};
}
MessageKey roll_message(Random& random) {
  return {QueueId{edge32(random)}, roll_instant(random), Seq{edge_number(random)},
          roll_generation(random)};
}

// Bytes must compare as the fields do, and read back as what was written.
template <class Fields, class Roll, class Write, class Order>
void expect_ordered(Roll roll, Write write, Order order) {
  Random random{1};
  Fields before = roll(random);
  for (int n = 0; n < kRounds; ++n) {
    const Fields now = roll(random);
    EXPECT_EQ(write(before) < write(now), order(before) < order(now));
    EXPECT_EQ(write(before) == write(now), order(before) == order(now));
    before = now;
  }
}

template <class Fields, class Roll, class Write, class Parse>
void expect_read_back(Roll roll, Write write, Parse parse) {
  Random random{2};
  for (int n = 0; n < kRounds; ++n) {
    const Fields fields = roll(random);
    const std::string key = write(fields);
    ASSERT_EQ(parse(key), std::optional<Fields>{fields});
    EXPECT_FALSE(parse(key.substr(0, key.size() - 1)));
    EXPECT_FALSE(parse(key + '\0'));
  }
  EXPECT_FALSE(parse(""));
}

TEST(Keys, OfEventsOrderByFunctionLaneSeq) {
  const auto order = [](const EventId& id) { return std::tuple{id.function, id.lane, id.seq}; };
  expect_ordered<EventId>(roll_id, event_key, order);
  expect_read_back<EventId>(roll_id, event_key, parse_event_key);
}

TEST(Keys, OfWaitingEventsAreTheirEventsAndAGeneration) {
  using Fields = std::pair<EventId, Generation>;
  const auto roll = [](Random& random) { return Fields{roll_id(random), roll_generation(random)}; };
  const auto write = [](const Fields& fields) { return waiting_key(fields.first, fields.second); };
  expect_ordered<Fields>(roll, write, [](const Fields& fields) { return fields; });
  expect_read_back<Fields>(roll, write, parse_waiting_key);
  const EventId id{FunctionId{1}, Lane{2}, Seq{3}};
  EXPECT_TRUE(waiting_key(id, Generation{4}).starts_with(event_key(id)));
}

TEST(Keys, OfDueRowsOrderByTimeWithinAFunctionsLane) {
  const auto order = [](const WaitingKey& key) {
    return std::tuple{key.event.function, key.event.lane, key.due_at, key.event.seq,
                      key.generation};
  };
  expect_ordered<WaitingKey>(roll_waiting, due_key, order);
  expect_read_back<WaitingKey>(roll_waiting, due_key, parse_due_key);
}

TEST(Keys, OfRunningEventsOrderBySeqThenGeneration) {
  const auto roll = [](Random& random) {
    return RunningKey{Seq{edge_number(random)}, roll_generation(random)};
  };
  expect_ordered<RunningKey>(roll, running_key, [](const RunningKey& key) { return key; });
  expect_read_back<RunningKey>(roll, running_key, parse_running_key);
}

TEST(Keys, OfAttemptsOrderBySeqThenAttempt) {
  using Fields = std::pair<Seq, AttemptNumber>;
  const auto roll = [](Random& random) {
    return Fields{Seq{edge_number(random)}, AttemptNumber{edge32(random)}};
  };
  const auto write = [](const Fields& fields) { return attempt_key(fields.first, fields.second); };
  expect_ordered<Fields>(roll, write, [](const Fields& fields) { return fields; });
  expect_read_back<Fields>(roll, write, parse_attempt_key);
}

TEST(Keys, OfTheHistoryOrderByEnding) {
  const auto roll = [](Random& random) { return Seq{edge_number(random)}; };
  expect_ordered<Seq>(roll, history_key, [](Seq seq) { return seq; });
  expect_read_back<Seq>(roll, history_key, parse_history_key);
  expect_ordered<Seq>(roll, ending_key, [](Seq seq) { return seq; });
}

TEST(Keys, OfDeadLettersOrderByFunctionSeqGeneration) {
  const auto roll = [](Random& random) {
    return DeadLetterKey{FunctionId{edge32(random)}, Seq{edge_number(random)},
                         roll_generation(random)};
  };
  const auto order = [](const DeadLetterKey& key) { return key; };
  expect_ordered<DeadLetterKey>(roll, dead_letter_key, order);
  expect_read_back<DeadLetterKey>(roll, dead_letter_key, parse_dead_letter_key);
}

TEST(Keys, OfMessagesOrderByQueueTimeSeqGeneration) {
  expect_ordered<MessageKey>(roll_message, message_key, [](const MessageKey& key) { return key; });
  expect_read_back<MessageKey>(roll_message, message_key, parse_message_key);
}

TEST(Keys, OfFunctionsAndQueuesOrderByNumberAndNeverMix) {
  const auto roll = [](Random& random) { return FunctionId{edge32(random)}; };
  expect_ordered<FunctionId>(roll, function_key, [](FunctionId id) { return id; });
  expect_read_back<FunctionId>(roll, function_key, parse_function_key);
  const auto roll_queue = [](Random& random) { return QueueId{edge32(random)}; };
  expect_ordered<QueueId>(roll_queue, queue_key, [](QueueId id) { return id; });
  expect_read_back<QueueId>(roll_queue, queue_key, parse_queue_key);

  EXPECT_FALSE(parse_function_key(queue_key(QueueId{1})));
  EXPECT_FALSE(parse_queue_key(function_key(FunctionId{1})));
  EXPECT_FALSE(parse_function_key(kStateKey));
  EXPECT_FALSE(parse_queue_key(kFormatKey));
}

TEST(Keys, OfIdempotencyRowsAreTheHash) {
  const KeyHash hash = hash_of_key(FunctionId{1}, "a");
  EXPECT_EQ(parse_idempotency_row_key(idempotency_row_key(hash)), hash);
  EXPECT_FALSE(parse_idempotency_row_key(std::string{idempotency_row_key(hash)} + "x"));
  EXPECT_FALSE(parse_idempotency_row_key(""));
}

TEST(Keys, AnInstantStandsBetweenItsLimits) {
  WaitingKey key;
  key.due_at = from_ms<TimePoint>(kInstantMsMax);
  EXPECT_EQ(parse_due_key(due_key(key)), key);
  key.due_at = from_ms<TimePoint>(0);
  EXPECT_EQ(parse_due_key(due_key(key)), key);
}

TEST(Keys, AnInstantBeyondItsLimitsIsNotParsed) {
  MessageKey key;
  key.visible_at = from_ms<TimePoint>(kInstantMsMax);
  std::string bytes = message_key(key);
  bytes[11] = 1;  // the last byte of visible_at
  EXPECT_FALSE(parse_message_key(bytes));
}

TEST(KeysDeathTest, AnInstantBeyondItsLimitsIsNeverWritten) {
  WaitingKey key;
  key.due_at = from_ms<TimePoint>(-1);
  EXPECT_DEATH(due_key(key), "to_ms\\(at\\) >= 0");
  key.due_at = from_ms<TimePoint>(kInstantMsMax + 1);
  EXPECT_DEATH(due_key(key), "kInstantMsMax");
}

std::string hex(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) {
    text += "0123456789abcdef"[static_cast<uint8_t>(byte) >> 4];
    text += "0123456789abcdef"[static_cast<uint8_t>(byte) & 0xF];
  }
  return text;
}

TEST(Hashes, AreXxh3OnEveryMachineForEver) {
  // The library's own published value for no bytes, in canonical order.
  EXPECT_EQ(hex(view_of(hash_of_payload(""))), "99aa06d3014798d86001c324468d497f");
  // Function 1, key "a": the five bytes 00 00 00 01 61.
  EXPECT_EQ(hex(idempotency_row_key(hash_of_key(FunctionId{1}, "a"))),
            hex(view_of(hash_of_payload(std::string_view{"\0\0\0\1a", 5}))));
}

TEST(Hashes, TellFunctionsAndKeysApart) {
  EXPECT_NE(hash_of_key(FunctionId{1}, "a"), hash_of_key(FunctionId{2}, "a"));
  EXPECT_NE(hash_of_key(FunctionId{1}, "a"), hash_of_key(FunctionId{1}, "b"));
  EXPECT_EQ(hash_of_key(FunctionId{1}, "a"), hash_of_key(FunctionId{1}, "a"));
  EXPECT_NE(hash_of_payload("a"), hash_of_payload("b"));
  const std::string largest(kEventPayloadBytesMax, 'x');
  EXPECT_EQ(view_of(hash_of_payload(largest)).size(), 16u);
  EXPECT_NE(hash_of_payload(largest), hash_of_payload(largest.substr(1)));
}

TEST(PrefixEnd, IsTheFirstKeyBehindAllThatBeginSo) {
  EXPECT_EQ(prefix_end("a"), "b");
  EXPECT_EQ(prefix_end("function/"), "function0");
  EXPECT_EQ(prefix_end(std::string{"a\xFF\xFF"}), "b");
  EXPECT_EQ(prefix_end(std::string{"\x7F"}), std::string{"\x80"});
  EXPECT_EQ(prefix_end(std::string{"\xFF\xFF"}), "");
  EXPECT_EQ(prefix_end(""), "");
}

}  // namespace
}  // namespace holdfast::storage
