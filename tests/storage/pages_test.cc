#include "storage/pages.h"

#include <gtest/gtest.h>

#include "storage/base/bytes.h"
#include "storage/batch_writes.h"
#include "storage/codec.h"
#include "storage/keys.h"
#include "storage/limits.h"
#include "storage/memory_store.h"
#include "tests/storage/record_samples.h"

namespace holdfast::storage {
namespace {

constexpr FunctionId kFunction{7};
constexpr Lane kLane{0};

class Pages : public testing::Test {
 protected:
  template <class... Mutations>
  void commit(Mutations... mutations) {
    Batch batch;
    (batch.push(std::move(mutations)), ...);
    ASSERT_TRUE(store_.commit(encode(batch)));
  }
  void commit_raw(Family family, std::string key, std::string value) {
    const Write write{family, WriteOp::put, std::move(key), std::move(value)};
    ASSERT_TRUE(store_.commit({&write, 1}));
  }

  void put_event(uint64_t seq, size_t payload_bytes = 1, bool delayed = false,
                 FunctionId function = kFunction, Lane lane = kLane) {
    EventRecord event;
    event.id = {function, lane, Seq{seq}};
    event.accepted_wall = at_ms<WallTime>(static_cast<int64_t>(seq) + 1000);
    event.age_from = at_ms<LitPoint>(static_cast<int64_t>(seq) + 2000);
    event.delayed = delayed;
    event.payload.assign(payload_bytes, 'p');
    commit(PutEvent{std::make_shared<const EventRecord>(std::move(event))});
  }
  void put_waiting(uint64_t seq, int64_t due_ms, uint32_t generation = 1,
                   FunctionId function = kFunction) {
    WaitingRecord record{at_ms<TimePoint>(due_ms), sample_spent()};
    record.spent.age_from = at_ms<LitPoint>(due_ms + 1);
    commit(
        PutWaiting{{{function, kLane, Seq{seq}}, record.due_at, Generation{generation}}, record});
  }
  void put_dead(uint64_t seq, uint64_t ending, FunctionId function = kFunction) {
    DeadLetterRecord record = full_sample<DeadLetterRecord>();
    record.ending = Seq{ending};
    commit(PutDeadLetter{{function, Seq{seq}, Generation{1}}, record});
  }

  uint64_t row_bytes(uint64_t seq) {
    return (*store_.get(Family::events, event_key({kFunction, kLane, Seq{seq}})))->size();
  }

  FreshPage fresh(uint64_t from, size_t rows_max, uint64_t bytes_max = UINT64_MAX) {
    return *load_fresh_page(store_, kFunction, kLane, Seq{from}, rows_max, bytes_max);
  }

  MemoryStore store_;
};

template <class Row, class Get>
auto each(const std::vector<Row>& rows, Get get) {
  std::vector<uint64_t> numbers;
  for (const Row& row : rows) numbers.push_back(get(row).value);
  return numbers;
}
std::vector<uint64_t> seqs(const FreshPage& page) {
  return each(page.rows, [](const FreshRow& row) { return row.seq; });
}
std::vector<uint64_t> seqs(const DuePage& page) {
  return each(page.rows, [](const DueRow& row) { return row.key.event.seq; });
}
std::vector<uint64_t> seqs(const DeadLetterPage& page) {
  return each(page.rows, [](const LoadedDeadLetter& row) { return row.key.seq; });
}
std::vector<uint64_t> seqs(const MessagePage& page) {
  return each(page.rows, [](const MessageRow& row) { return row.key.seq; });
}
using Numbers = std::vector<uint64_t>;

// --- start -------------------------------------------------------------------

TEST_F(Pages, AnEmptyDirectoryIsAFreshOne) {
  const Result<Recovered> recovered = load_recovered(store_);
  ASSERT_TRUE(recovered);
  EXPECT_TRUE(recovered->fresh_directory);
  EXPECT_EQ(recovered->state, StateRecord{});
}

TEST_F(Pages, AStartFindsFunctionsQueuesAndWhatWasRunning) {
  StateRecord state = full_sample<StateRecord>();
  state.batch_number = 1;
  const FunctionRecord function = full_sample<FunctionRecord>();
  const QueueRecord queue = full_sample<QueueRecord>();
  const RunningRecord running = full_sample<RunningRecord>();
  commit(PutState{state}, PutFunction{FunctionId{300}, function},
         PutFunction{FunctionId{2}, function}, PutQueue{QueueId{1}, queue},
         PutRunning{{Seq{5}, Generation{1}}, running},
         PutRunning{{Seq{4}, Generation{9}}, running});
  const Result<Recovered> recovered = load_recovered(store_);
  ASSERT_TRUE(recovered) << recovered.error().what;
  EXPECT_FALSE(recovered->fresh_directory);
  EXPECT_EQ(recovered->state, state);
  ASSERT_EQ(recovered->functions.size(), 2u);
  EXPECT_EQ(recovered->functions[0], (std::pair{FunctionId{2}, function}));
  EXPECT_EQ(recovered->functions[1], (std::pair{FunctionId{300}, function}));
  ASSERT_EQ(recovered->queues.size(), 1u);
  EXPECT_EQ(recovered->queues[0], (std::pair{QueueId{1}, queue}));
  ASSERT_EQ(recovered->running.size(), 2u);
  EXPECT_EQ(recovered->running[0], (std::pair{RunningKey{Seq{4}, Generation{9}}, running}));
}

TEST_F(Pages, ANewerFormatIsRefusedWithBothNumbers) {
  StateRecord state;
  commit(PutState{state});
  std::string newer;
  append_be64(newer, kFormat + 41);
  commit_raw(Family::meta, std::string{kFormatKey}, newer);
  // A later format may write a state that we cannot read: the number comes first.
  commit_raw(Family::meta, std::string{kStateKey}, "of a later time");
  const Result<Recovered> recovered = load_recovered(store_);
  ASSERT_FALSE(recovered);
  EXPECT_EQ(recovered.error().code, Errc::refused);
  EXPECT_NE(recovered.error().what.find(std::to_string(kFormat + 41)), std::string::npos);
  EXPECT_NE(recovered.error().what.find("format " + std::to_string(kFormat)), std::string::npos);
}

TEST_F(Pages, AStateThatIsLostIsNotAFreshDirectory) {
  put_event(1);
  const Result<Recovered> recovered = load_recovered(store_);
  ASSERT_FALSE(recovered);
  EXPECT_EQ(recovered.error().code, Errc::corrupt);
}

TEST_F(Pages, AStateWithoutAFormatIsCorrupt) {
  commit(PutState{full_sample<StateRecord>()});
  EXPECT_EQ(load_recovered(store_).error().code, Errc::corrupt);
}

TEST_F(Pages, ADamagedRowIsNamed) {
  commit(PutState{});
  commit_raw(Family::meta, function_key(FunctionId{1}), "?");
  const Result<Recovered> recovered = load_recovered(store_);
  ASSERT_FALSE(recovered);
  EXPECT_EQ(recovered.error().code, Errc::corrupt);
  EXPECT_EQ(recovered.error().what,
            "meta row 66756e6374696f6e2f00000001: function: record has another type");
}

// --- fresh events ------------------------------------------------------------

TEST_F(Pages, FreshEventsComeRisingAndOnlyOfTheirFunctionAndLane) {
  put_event(3);
  put_event(1);
  put_event(2, 1, false, FunctionId{6});
  put_event(4, 1, false, FunctionId{8});
  put_event(5, 1, false, kFunction, Lane{1});
  const FreshPage page = fresh(0, 10);
  EXPECT_EQ(seqs(page), (Numbers{1, 3}));
  EXPECT_TRUE(page.last);
  EXPECT_EQ(page.rows[0].age_from, at_ms<LitPoint>(2001));
  EXPECT_EQ(page.rows[0].accepted_wall, at_ms<WallTime>(1001));
  ASSERT_NE(page.rows[0].event, nullptr);
  EXPECT_EQ(page.rows[0].event->id, (EventId{kFunction, kLane, Seq{1}}));
  EXPECT_EQ(page.rows[0].event->payload, "p");
}

TEST_F(Pages, FreshEventsBeginAtTheHead) {
  for (const uint64_t seq : {1, 2, 3}) put_event(seq);
  EXPECT_EQ(seqs(fresh(2, 10)), (Numbers{2, 3}));
  EXPECT_EQ(seqs(fresh(4, 10)), Numbers{});
  EXPECT_TRUE(fresh(4, 10).last);
}

TEST_F(Pages, DelayedEventsAreNeverFresh) {
  put_event(1, 1, true);
  put_event(2);
  put_event(3, 1, true);
  const FreshPage page = fresh(0, 1);
  EXPECT_EQ(seqs(page), Numbers{2});
  EXPECT_TRUE(page.last) << "only a delayed one follows";
}

TEST_F(Pages, AFreshPageEndsAtItsRowsAndSaysWhetherMoreFollows) {
  for (const uint64_t seq : {1, 2, 3}) put_event(seq);
  EXPECT_EQ(seqs(fresh(0, 2)), (Numbers{1, 2}));
  EXPECT_FALSE(fresh(0, 2).last);
  EXPECT_EQ(seqs(fresh(0, 3)), (Numbers{1, 2, 3}));
  EXPECT_TRUE(fresh(0, 3).last);
}

TEST_F(Pages, AFreshPageEndsAfterSoManyDelayedOnesAndSaysHowFarItCame) {
  for (uint64_t seq = 1; seq <= kFreshRowsLookedAtMax; ++seq) put_event(seq, 1, true);
  EXPECT_TRUE(fresh(0, 10).last);
  put_event(kFreshRowsLookedAtMax + 1);
  const FreshPage page = fresh(0, 10);
  EXPECT_EQ(seqs(page), Numbers{});
  EXPECT_FALSE(page.last);
  EXPECT_EQ(page.reached, Seq{kFreshRowsLookedAtMax});
  EXPECT_EQ(seqs(fresh(page.reached.value + 1, 10)), Numbers{kFreshRowsLookedAtMax + 1});
}

TEST_F(Pages, AFreshPageEndsWhenTheNextSmallEventDoesNotFit) {
  for (uint64_t seq = 1; seq <= 10; ++seq) put_event(seq, 1000);
  const FreshPage page = fresh(0, 20, row_bytes(1) * kSmallEventsPerPageMin);
  ASSERT_EQ(seqs(page), (Numbers{1, 2, 3, 4, 5, 6, 7, 8}));
  for (const FreshRow& row : page.rows) EXPECT_NE(row.event, nullptr) << row.seq.value;
  EXPECT_FALSE(page.last);
  EXPECT_EQ(page.reached, Seq{8});
  EXPECT_TRUE(fresh(0, 20, row_bytes(1) * 10).last);
}

TEST_F(Pages, ALargeEventIsLeftOutOfAPageAndTakesNoneOfItsRoom) {
  put_event(1, 1000);
  put_event(2, 1001);
  put_event(3, 100'000);
  put_event(4, 1000);
  const FreshPage page = fresh(0, 20, row_bytes(1) * kSmallEventsPerPageMin);
  ASSERT_EQ(seqs(page), (Numbers{1, 2, 3, 4}));
  EXPECT_NE(page.rows[0].event, nullptr);
  EXPECT_EQ(page.rows[1].event, nullptr);
  EXPECT_EQ(page.rows[2].event, nullptr);
  EXPECT_NE(page.rows[3].event, nullptr);
  EXPECT_TRUE(page.last);
  EXPECT_EQ(page.rows[1].age_from, at_ms<LitPoint>(2002));
  EXPECT_EQ(page.rows[1].accepted_wall, at_ms<WallTime>(1002));
}

TEST_F(Pages, ADamagedEventEndsThePageWithItsName) {
  put_event(1);
  commit_raw(Family::events, event_key({kFunction, kLane, Seq{2}}), "\x90");
  const Result<FreshPage> page = load_fresh_page(store_, kFunction, kLane, Seq{}, 10, 100);
  ASSERT_FALSE(page);
  EXPECT_EQ(page.error().what, "events row 00000007000000000000000002: event: version is missing");
}

// --- due events --------------------------------------------------------------

TEST_F(Pages, DueEventsComeInTheOrderInWhichTheyComeDue) {
  put_waiting(1, 300);
  put_waiting(2, 100);
  put_waiting(4, 200);
  put_waiting(3, 200);
  put_waiting(5, 50, 1, FunctionId{8});
  const DuePage page = *load_due_page(store_, kFunction, kLane, std::nullopt, 10);
  EXPECT_EQ(seqs(page), (Numbers{2, 3, 4, 1}));
  EXPECT_TRUE(page.last);
  EXPECT_EQ(page.rows[0].age_from, at_ms<LitPoint>(101));
}

TEST_F(Pages, ADueRowWhoseValueIsNoInstantIsCorrupt) {
  const std::string key = due_key({{kFunction, kLane, Seq{1}}, at_ms<TimePoint>(5), {}});
  const auto load = [&] { return load_due_page(store_, kFunction, kLane, std::nullopt, 10); };
  commit_raw(Family::due, key, std::string(8, '\xFF'));  // -1: born before 1970
  EXPECT_TRUE(load());
  for (const std::string& value :
       {std::string{}, std::string(7, '\0'), std::string(9, '\0'), std::string(8, '\x7F')}) {
    MemoryStore damaged;
    const Write write{Family::due, WriteOp::put, key, value};
    ASSERT_TRUE(damaged.commit({&write, 1}));
    const auto page = load_due_page(damaged, kFunction, kLane, std::nullopt, 10);
    ASSERT_FALSE(page);
    EXPECT_EQ(page.error().code, Errc::corrupt);
  }
}

TEST_F(Pages, DuePagesFollowEachOtherWithoutGapOrOverlap) {
  for (uint64_t seq = 1; seq <= 7; ++seq) put_waiting(seq, static_cast<int64_t>(100 - seq / 2));
  const DuePage all = *load_due_page(store_, kFunction, kLane, std::nullopt, 7);
  EXPECT_TRUE(all.last);
  Numbers joined;
  std::optional<WaitingKey> after;
  for (bool last = false; !last;) {
    const DuePage page = *load_due_page(store_, kFunction, kLane, after, 3);
    last = page.last;
    for (const uint64_t seq : seqs(page)) joined.push_back(seq);
    after = page.rows.back().key;
  }
  EXPECT_EQ(joined, seqs(all));
}

// --- one event ---------------------------------------------------------------

TEST_F(Pages, AnEventIsLoadedWithWhatBelongsToIt) {
  put_event(1, 5);
  put_waiting(1, 100, 3);
  put_event(2);
  put_dead(2, 50);
  commit(PutAttempt{Seq{1}, sample_attempt(2)}, PutAttempt{Seq{1}, sample_attempt(300)},
         PutAttempt{Seq{2}, sample_attempt(1)});

  const LoadedEvent waiting = *load_event(store_, {kFunction, kLane, Seq{1}});
  ASSERT_NE(waiting.event, nullptr);
  EXPECT_EQ(waiting.event->payload, "ppppp");
  ASSERT_TRUE(waiting.waiting);
  EXPECT_EQ(waiting.waiting->key.generation, Generation{3});
  EXPECT_EQ(waiting.waiting->key.due_at, at_ms<TimePoint>(100));
  EXPECT_FALSE(waiting.dead_letter);
  EXPECT_EQ(waiting.attempts, (std::vector{sample_attempt(2), sample_attempt(300)}));

  const LoadedEvent dead = *load_event(store_, {kFunction, kLane, Seq{2}});
  EXPECT_FALSE(dead.waiting);
  ASSERT_TRUE(dead.dead_letter);
  EXPECT_EQ(dead.dead_letter->record.ending, Seq{50});
  EXPECT_EQ(dead.dead_letter->key, (DeadLetterKey{kFunction, Seq{2}, Generation{1}}));
}

TEST_F(Pages, AnUnknownEventIsLoadedAsNothing) {
  put_event(1);
  const LoadedEvent loaded = *load_event(store_, {kFunction, kLane, Seq{2}});
  EXPECT_EQ(loaded.event, nullptr);
  EXPECT_EQ(loaded.id.seq, Seq{2});
  EXPECT_EQ(load_event(store_, {FunctionId{8}, kLane, Seq{1}})->event, nullptr);
}

TEST_F(Pages, AnEventThatWaitsTwiceIsCorrupt) {
  put_event(1);
  put_waiting(1, 100, 1);
  put_waiting(1, 200, 2);
  EXPECT_EQ(load_event(store_, {kFunction, kLane, Seq{1}}).error().code, Errc::corrupt);
}

// Has nothing in memory.
class ColdStore final : public Store {
 public:
  Result<> commit(std::span<const Write>) override { return ok(); }
  Result<std::optional<std::string>> get(Family, std::string_view) const override {
    return std::optional<std::string>{};
  }
  CachedValue get_cached(Family, std::string_view) const override { return NeedsDisk{}; }
  Result<> scan(const ScanRange&, const ScanVisitor&) const override { return ok(); }
  Result<> drop_below(Family, std::string_view) override { return ok(); }
};

// --- idempotency -------------------------------------------------------------

KeyHash hash_from(uint8_t first) {
  KeyHash hash{};
  hash[0] = first;
  return hash;
}

TEST_F(Pages, AKeyIsFoundByItsHash) {
  const IdempotencyRecord record = full_sample<IdempotencyRecord>();
  commit(PutIdempotency{hash_from(1), std::make_shared<IdempotencyRecord>(record)});
  EXPECT_EQ(*load_key(store_, hash_from(1)), record);
  EXPECT_EQ(*load_key(store_, hash_from(2)), std::nullopt);
}

TEST_F(Pages, ACachedKeyIsToldWithoutTheDiskOrNotAtAll) {
  using Known = std::optional<IdempotencyRecord>;
  const IdempotencyRecord record = full_sample<IdempotencyRecord>();
  commit(PutIdempotency{hash_from(1), std::make_shared<IdempotencyRecord>(record)});
  EXPECT_EQ(std::get<Known>(*load_cached_key(store_, hash_from(1))), record);
  EXPECT_EQ(std::get<Known>(*load_cached_key(store_, hash_from(2))), std::nullopt);
  commit_raw(Family::idempotency, std::string{idempotency_row_key(hash_from(3))}, "?");
  EXPECT_EQ(load_cached_key(store_, hash_from(3)).error().code, Errc::corrupt);
  const ColdStore cold;
  EXPECT_TRUE(std::holds_alternative<NeedsDisk>(*load_cached_key(cold, hash_from(1))));
}

TEST_F(Pages, KeysExpireAtTheirTimeAndOnlyAfterTheirEnding) {
  const auto put_key = [&](uint8_t first, int64_t expires_ms, bool ended) {
    IdempotencyRecord record = full_sample<IdempotencyRecord>();
    record.expires_at = at_ms<LitPoint>(expires_ms);
    if (!ended) record.answer.reset();
    commit(PutIdempotency{hash_from(first), std::make_shared<IdempotencyRecord>(record)});
  };
  put_key(1, 100, true);
  put_key(2, 101, true);
  put_key(3, 0, false);
  put_key(4, 500, true);
  put_key(255, 99, true);
  const KeyPage page = *load_expired_keys(store_, hash_from(0), at_ms<LitPoint>(100), 5);
  ASSERT_EQ(page.expired.size(), 2u);
  EXPECT_EQ(page.expired[0].hash, hash_from(1));
  EXPECT_EQ(page.expired[1].hash, hash_from(255));
  EXPECT_EQ(page.next_expiry, at_ms<LitPoint>(101));
  EXPECT_EQ(page.next, std::nullopt);

  const KeyPage first = *load_expired_keys(store_, hash_from(0), at_ms<LitPoint>(100), 4);
  EXPECT_EQ(first.next, hash_from(255));
  EXPECT_EQ(load_expired_keys(store_, hash_from(4), at_ms<LitPoint>(1), 9)->next_expiry,
            at_ms<LitPoint>(99));
}

// --- dead letters ------------------------------------------------------------

TEST_F(Pages, DeadLettersThatEndedLaterAreLeftOut) {
  put_dead(1, 90);
  put_dead(2, 100);
  put_dead(3, 99);
  put_dead(4, 10, FunctionId{8});
  const DeadLetterPage page = *load_dead_letter_page(store_, kFunction, Seq{}, Seq{100}, 3);
  EXPECT_EQ(seqs(page), (Numbers{1, 3}));
  EXPECT_EQ(page.next, std::nullopt);
}

TEST_F(Pages, ADeadLetterPageMayBeEmptyAndHaveANextOne) {
  put_dead(1, 100);
  put_dead(2, 100);
  put_dead(3, 1);
  const DeadLetterPage first = *load_dead_letter_page(store_, kFunction, Seq{}, Seq{100}, 2);
  EXPECT_EQ(seqs(first), Numbers{});
  EXPECT_EQ(first.next, Seq{3});
  const DeadLetterPage second = *load_dead_letter_page(store_, kFunction, *first.next, Seq{100}, 2);
  EXPECT_EQ(seqs(second), Numbers{3});
  EXPECT_EQ(second.next, std::nullopt);
}

// --- messages ----------------------------------------------------------------

TEST_F(Pages, MessagesComeInTheOrderInWhichTheyAreVisible) {
  const auto message = std::make_shared<const MessageRecord>(full_sample<MessageRecord>());
  const auto key = [](uint32_t queue, int64_t visible_ms, uint64_t seq) {
    return MessageKey{QueueId{queue}, at_ms<TimePoint>(visible_ms), Seq{seq}, Generation{1}};
  };
  commit(PutMessage{key(1, 200, 1), message}, PutMessage{key(1, 100, 3), message},
         PutMessage{key(1, 100, 2), message}, PutMessage{key(2, 0, 4), message});
  const MessagePage first = *load_message_page(store_, QueueId{1}, std::nullopt, 2);
  EXPECT_EQ(seqs(first), (Numbers{2, 3}));
  EXPECT_FALSE(first.last);
  EXPECT_EQ(first.rows[0].bytes, charged_bytes_of_message(*message));
  const MessagePage second = *load_message_page(store_, QueueId{1}, first.rows.back().key, 2);
  EXPECT_EQ(seqs(second), Numbers{1});
  EXPECT_TRUE(second.last);

  EXPECT_EQ(*load_message(store_, key(1, 200, 1)), *message);
  EXPECT_EQ(*load_message(store_, key(1, 201, 1)), std::nullopt);
}

}  // namespace
}  // namespace holdfast::storage
