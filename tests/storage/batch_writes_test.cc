#include <gtest/gtest.h>

#include "storage/base/bytes.h"
#include "storage/batch_writes.h"
#include "storage/codec.h"
#include "storage/keys.h"
#include "storage/limits.h"
#include "storage/memory_store.h"
#include "tests/storage/record_samples.h"
#include "tests/storage/store_support.h"

namespace holdfast::storage {
namespace {

std::string big_endian(uint64_t number) {
  std::string bytes;
  append_be64(bytes, number);
  return bytes;
}

std::vector<Write> rows_of(Mutation mutation) {
  Batch batch;
  batch.push(std::move(mutation));
  return encode(batch);
}

using Rows = std::vector<Write>;

TEST(EncodedBatch, AnEventIsOneRow) {
  const auto event = std::make_shared<const EventRecord>(full_sample<EventRecord>());
  EXPECT_EQ(rows_of(PutEvent{event}),
            Rows{put(Family::events, event_key(event->id), encode(*event))});
  EXPECT_EQ(rows_of(EraseEvent{event->id}),
            Rows{single_delete(Family::events, event_key(event->id))});
}

TEST(EncodedBatch, AWaitingEventIsTwoRowsAndGoesAsTwo) {
  const WaitingRecord record = full_sample<WaitingRecord>();
  const WaitingKey key{sample_id(), record.due_at, Generation{2}};
  EXPECT_EQ(rows_of(PutWaiting{key, record}),
            (Rows{put(Family::waiting, waiting_key(key.event, key.generation), encode(record)),
                  put(Family::due, due_key(key),
                      big_endian(static_cast<uint64_t>(to_ms(record.spent.age_from))))}));
  EXPECT_EQ(rows_of(EraseWaiting{key}),
            (Rows{single_delete(Family::waiting, waiting_key(key.event, key.generation)),
                  single_delete(Family::due, due_key(key))}));
}

TEST(EncodedBatchDeathTest, AWaitingEventIsDueWhenItsKeySays) {
  const WaitingRecord record = full_sample<WaitingRecord>();
  const WaitingKey key{sample_id(), record.due_at + Duration{1}, Generation{2}};
  EXPECT_DEATH(rows_of(PutWaiting{key, record}), "due_at");
}

TEST(EncodedBatch, AnEndingIsFoundByItsEvent) {
  const HistoryRecord record = full_sample<HistoryRecord>();
  EXPECT_EQ(rows_of(PutHistory{Seq{9}, record}),
            (Rows{put(Family::history, history_key(Seq{9}), encode(record)),
                  put(Family::endings, ending_key(record.event.seq), big_endian(9))}));
}

TEST(EncodedBatch, RowsThatAreWrittenOnceGoBySingleDelete) {
  const RunningKey running{Seq{1}, Generation{2}};
  EXPECT_EQ(rows_of(PutRunning{running, full_sample<RunningRecord>()}),
            Rows{put(Family::running, running_key(running), encode(full_sample<RunningRecord>()))});
  EXPECT_EQ(rows_of(EraseRunning{running}),
            Rows{single_delete(Family::running, running_key(running))});

  EXPECT_EQ(rows_of(PutAttempt{Seq{1}, sample_attempt(4)}),
            Rows{put(Family::attempts, attempt_key(Seq{1}, AttemptNumber{4}),
                     encode(sample_attempt(4)))});
  EXPECT_EQ(rows_of(EraseAttempt{Seq{1}, AttemptNumber{4}}),
            Rows{single_delete(Family::attempts, attempt_key(Seq{1}, AttemptNumber{4}))});

  const DeadLetterKey dead{FunctionId{1}, Seq{2}, Generation{3}};
  EXPECT_EQ(rows_of(PutDeadLetter{dead, full_sample<DeadLetterRecord>()}),
            Rows{put(Family::dead_letters, dead_letter_key(dead),
                     encode(full_sample<DeadLetterRecord>()))});
  EXPECT_EQ(rows_of(EraseDeadLetter{dead}),
            Rows{single_delete(Family::dead_letters, dead_letter_key(dead))});

  const MessageKey key{QueueId{1}, from_ms<TimePoint>(2), Seq{3}, Generation{4}};
  const auto message = std::make_shared<const MessageRecord>(full_sample<MessageRecord>());
  EXPECT_EQ(rows_of(PutMessage{key, message}),
            Rows{put(Family::destinations, message_key(key), encode(*message))});
  EXPECT_EQ(rows_of(EraseMessage{key}),
            Rows{single_delete(Family::destinations, message_key(key))});
}

TEST(EncodedBatch, RowsThatAreRewrittenGoByErase) {
  const KeyHash hash = hash_of_key(FunctionId{1}, "k");
  const std::string row_key{idempotency_row_key(hash)};
  const IdempotencyRecord record = full_sample<IdempotencyRecord>();
  EXPECT_EQ(rows_of(PutIdempotency{hash, std::make_shared<IdempotencyRecord>(record)}),
            Rows{put(Family::idempotency, row_key, encode(record))});
  EXPECT_EQ(rows_of(EraseIdempotency{hash}),
            (Rows{{Family::idempotency, WriteOp::erase, row_key, ""}}));
}

TEST(EncodedBatch, MetaRowsArePut) {
  EXPECT_EQ(
      rows_of(PutFunction{FunctionId{1}, full_sample<FunctionRecord>()}),
      Rows{put(Family::meta, function_key(FunctionId{1}), encode(full_sample<FunctionRecord>()))});
  EXPECT_EQ(rows_of(PutQueue{QueueId{1}, full_sample<QueueRecord>()}),
            Rows{put(Family::meta, queue_key(QueueId{1}), encode(full_sample<QueueRecord>()))});
  const StateRecord state = full_sample<StateRecord>();
  EXPECT_EQ(rows_of(PutState{state}),
            Rows{put(Family::meta, std::string{kStateKey}, encode(state))});
}

TEST(EncodedBatch, TheFirstStateOfABoxBringsTheFormatNumber) {
  StateRecord state = full_sample<StateRecord>();
  state.batch_number = 1;
  EXPECT_EQ(rows_of(PutState{state}),
            (Rows{put(Family::meta, std::string{kFormatKey}, big_endian(kFormat)),
                  put(Family::meta, std::string{kStateKey}, encode(state))}));
}

TEST(EncodedBatch, KeepsItsOrder) {
  Batch batch;
  const RunningKey running{Seq{1}, Generation{2}};
  batch.push(EraseRunning{running});
  batch.push(PutHistory{Seq{9}, full_sample<HistoryRecord>()});
  batch.push(PutState{full_sample<StateRecord>()});
  std::vector<Family> families;
  for (const Write& row : encode(batch)) families.push_back(row.family);
  EXPECT_EQ(families,
            (std::vector<Family>{Family::running, Family::history, Family::endings, Family::meta}));
  EXPECT_TRUE(encode(Batch{}).empty());
}

// The strict store knows which delete a family allows.
TEST(EncodedBatch, PutAndEraseOfEveryKindIsWhatTheStoreAllows) {
  const auto event = std::make_shared<const EventRecord>(full_sample<EventRecord>());
  const WaitingRecord waiting = full_sample<WaitingRecord>();
  const WaitingKey waiting_key{event->id, waiting.due_at, Generation{1}};
  const DeadLetterKey dead{FunctionId{1}, Seq{2}, Generation{3}};
  const MessageKey message{QueueId{1}, from_ms<TimePoint>(2), Seq{3}, Generation{4}};
  Batch puts;
  puts.push(PutEvent{event});
  puts.push(PutWaiting{waiting_key, waiting});
  puts.push(PutRunning{{Seq{1}, Generation{1}}, full_sample<RunningRecord>()});
  puts.push(PutAttempt{Seq{1}, sample_attempt(1)});
  puts.push(PutIdempotency{
      KeyHash{}, std::make_shared<IdempotencyRecord>(full_sample<IdempotencyRecord>())});
  puts.push(PutDeadLetter{dead, full_sample<DeadLetterRecord>()});
  puts.push(PutMessage{message, std::make_shared<const MessageRecord>()});
  Batch erases;
  erases.push(EraseEvent{event->id});
  erases.push(EraseWaiting{waiting_key});
  erases.push(EraseRunning{{Seq{1}, Generation{1}}});
  erases.push(EraseAttempt{Seq{1}, AttemptNumber{1}});
  erases.push(EraseIdempotency{KeyHash{}});
  erases.push(EraseDeadLetter{dead});
  erases.push(EraseMessage{message});

  MemoryStore store;
  ASSERT_TRUE(store.commit(encode(puts)));
  ASSERT_TRUE(store.commit(encode(erases)));
  for (const FamilyRow& row : kFamilies) EXPECT_EQ(store.row_count(row.family), 0u) << row.name;
}

Batch batch_of(uint64_t events, size_t payload_bytes) {
  Batch batch;
  for (uint64_t n = 1; n <= events; ++n) {
    auto event = std::make_shared<EventRecord>();
    event->id = {FunctionId{1}, Lane{0}, Seq{n}};
    event->payload.assign(payload_bytes, 'x');
    batch.push(PutEvent{std::move(event)});
  }
  return batch;
}

TEST(BatchWritesTest, AddsOneBatchBehindTheOther) {
  const Batch first = batch_of(2, 10);
  const Batch second = batch_of(1, 20);
  BatchWrites writes;
  writes.add(first);
  writes.add(second);
  std::vector<Write> both = encode(first);
  for (const Write& write : encode(second)) both.push_back(write);
  EXPECT_EQ(std::vector<Write>(writes.all().begin(), writes.all().end()), both);
}

TEST(BatchWritesTest, ShowsNothingOfTheCommitBefore) {
  BatchWrites writes;
  writes.add(batch_of(3, 500));
  writes.clear();
  EXPECT_TRUE(writes.all().empty());
  Batch erase;
  erase.push(EraseEvent{{FunctionId{1}, Lane{0}, Seq{9}}});
  writes.add(erase);
  EXPECT_EQ(std::vector<Write>(writes.all().begin(), writes.all().end()), encode(erase));
}

TEST(BatchWritesTest, KeepsMemoryUpToItsBounds) {
  BatchWrites writes;
  writes.add(batch_of(kWritesKept + 100, kWriteBytesKept / 2));
  const char* memory = writes.all()[5].value.data();
  writes.clear();
  writes.add(batch_of(kWritesKept, kWriteBytesKept / 2));
  EXPECT_EQ(writes.all()[5].value.data(), memory);

  // Also of rows that are not used again.
  writes.clear();
  writes.add(batch_of(kWritesKept, 20 * kWriteBytesKept));
  writes.clear();
  EXPECT_LE(writes.value_bytes_held(), kWritesKept * kWriteBytesKept);
}

}  // namespace
}  // namespace holdfast::storage
