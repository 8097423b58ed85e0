#include "storage/views.h"

#include <gtest/gtest.h>

#include "storage/batch_writes.h"
#include "storage/codec.h"
#include "storage/keys.h"
#include "storage/memory_store.h"
#include "tests/storage/record_samples.h"

namespace holdfast::storage {
namespace {

constexpr FunctionId kThumbnail{7};
constexpr FunctionId kMail{9};
const std::vector<FunctionId> kFunctions{FunctionId{1}, kThumbnail, kMail, FunctionId{300}};

class Views : public testing::Test {
 protected:
  template <class... Mutations>
  void commit(Mutations... mutations) {
    Batch batch;
    (batch.push(std::move(mutations)), ...);
    ASSERT_TRUE(store_.commit(encode(batch)));
  }

  static EventId id(FunctionId function, uint64_t seq) { return {function, Lane{0}, Seq{seq}}; }
  static Spent spent(uint64_t seq) {
    Spent spent = sample_spent();
    spent.failures = static_cast<uint32_t>(seq);
    return spent;
  }

  void put_fresh(FunctionId function, uint64_t seq) {
    EventRecord event = full_sample<EventRecord>();
    event.id = id(function, seq);
    event.delayed = false;
    commit(PutEvent{std::make_shared<const EventRecord>(std::move(event))});
  }
  void put_waiting(FunctionId function, uint64_t seq) {
    put_fresh(function, seq);
    const WaitingRecord record{at_ms<TimePoint>(500), spent(seq)};
    commit(PutWaiting{{id(function, seq), record.due_at, Generation{1}}, record},
           PutAttempt{Seq{seq}, sample_attempt(4)});
  }
  void put_running(FunctionId function, uint64_t seq, InvocationType type) {
    if (type == InvocationType::event) put_fresh(function, seq);
    RunningRecord record = full_sample<RunningRecord>();
    record.event = id(function, seq);
    record.type = type;
    record.spent = spent(seq);
    commit(PutRunning{{Seq{seq}, Generation{1}}, record});
  }
  HistoryRecord ending_of(FunctionId function, uint64_t seq, EndState state) {
    HistoryRecord record = full_sample<HistoryRecord>();
    record.event = id(function, seq);
    record.type = InvocationType::event;
    record.state = state;
    record.result = "result";
    return record;
  }
  void put_ended(FunctionId function, uint64_t seq, uint64_t ending, EndState state) {
    commit(PutHistory{Seq{ending}, ending_of(function, seq, state)});
  }
  void put_dead(FunctionId function, uint64_t seq, uint64_t ending) {
    put_fresh(function, seq);
    DeadLetterRecord record = full_sample<DeadLetterRecord>();
    record.lane = Lane{0};
    record.ending = Seq{ending};
    commit(PutHistory{Seq{ending}, ending_of(function, seq, EndState::failed)},
           PutDeadLetter{{function, Seq{seq}, Generation{2}}, record});
  }

  // Each state, of two functions, interleaved; the endings start at 1000.
  void put_one_of_each_and_more() {
    put_fresh(kThumbnail, 10);
    put_fresh(kMail, 11);
    put_waiting(kThumbnail, 12);
    put_fresh(kThumbnail, 13);
    put_running(kThumbnail, 20, InvocationType::event);
    put_running(kMail, 21, InvocationType::synchronous);
    put_dead(kMail, 30, 1000);
    put_dead(kThumbnail, 31, 1001);
    put_dead(kMail, 32, 1002);
    put_ended(kThumbnail, 40, 1003, EndState::succeeded);
    put_ended(kMail, 41, 1004, EndState::failed);
    put_ended(kMail, 42, 1005, EndState::cancelled);
    put_ended(kThumbnail, 43, 1006, EndState::succeeded);
    // Died, was redriven, and waits again: its first ending is not its last word.
    put_ended(kMail, 14, 1007, EndState::failed);
    put_waiting(kMail, 14);
    // Died, was redriven, died for good and was discarded.
    put_ended(kThumbnail, 44, 1008, EndState::failed);
    put_ended(kThumbnail, 44, 1009, EndState::failed);
  }

  // All pages, joined. A row listed twice would show here.
  std::vector<uint64_t> list_all(const EventFilter& filter, const PageBudget& budget,
                                 Seq cutoff = Seq{}) {
    std::vector<uint64_t> seqs;
    std::optional<std::string> marker;
    for (int pages = 0; pages < 100; ++pages) {
      const Result<EventList> list =
          list_events(store_, kFunctions, filter, cutoff, marker, budget);
      EXPECT_TRUE(list);
      if (!list) return seqs;
      EXPECT_LE(list->rows.size(), budget.rows_max);
      for (const EventView& row : list->rows) {
        EXPECT_EQ(row.state, filter.state.value_or(row.state)) << row.id.seq.value;
        seqs.push_back(row.id.seq.value);
      }
      marker = list->next_marker;
      if (!marker) return seqs;
    }
    ADD_FAILURE() << "the list does not end";
    return seqs;
  }

  std::optional<EventView> view(FunctionId function, uint64_t seq, Seq cutoff = Seq{}) {
    return *view_event(store_, id(function, seq), cutoff);
  }

  MemoryStore store_;
};

using Seqs = std::vector<uint64_t>;

const Seqs kRunning{21, 20};
const Seqs kPending{14, 13, 12, 11, 10};
const Seqs kDead{32, 31, 30};
const Seqs kEnded{44, 43, 42, 41, 40};

Seqs joined(std::initializer_list<Seqs> parts) {
  Seqs all;
  for (const Seqs& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

// --- one event ---------------------------------------------------------------

TEST_F(Views, AFreshEventIsPendingWithoutADueTime) {
  put_fresh(kThumbnail, 1);
  const auto seen = view(kThumbnail, 1);
  ASSERT_TRUE(seen);
  const EventRecord event = full_sample<EventRecord>();
  EXPECT_EQ(seen->id, id(kThumbnail, 1));
  EXPECT_EQ(seen->state, ViewState::pending);
  EXPECT_EQ(seen->type, InvocationType::event);
  EXPECT_EQ(seen->accepted_wall, event.accepted_wall);
  EXPECT_EQ(seen->payload_bytes, event.payload.size());
  EXPECT_EQ(seen->spent.attempt, AttemptNumber{0});
  EXPECT_EQ(seen->spent.age_from, event.age_from);
  EXPECT_FALSE(seen->due_at);
  EXPECT_FALSE(seen->running);
  EXPECT_FALSE(seen->ending);
  EXPECT_TRUE(seen->attempts.empty());
}

TEST_F(Views, AWaitingEventIsPendingWithItsDueTimeAndAttempts) {
  put_waiting(kThumbnail, 2);
  const auto seen = view(kThumbnail, 2);
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->state, ViewState::pending);
  EXPECT_EQ(seen->due_at, at_ms<TimePoint>(500));
  EXPECT_EQ(seen->spent, spent(2));
  EXPECT_EQ(seen->attempts, std::vector{sample_attempt(4)});
}

TEST_F(Views, ARunningEventShowsItsTimesAndItsOwnRow) {
  put_running(kThumbnail, 3, InvocationType::event);
  const auto seen = view(kThumbnail, 3);
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->state, ViewState::running);
  EXPECT_EQ(seen->running, (std::pair{at_ms<WallTime>(21), at_ms<WallTime>(22)}));
  EXPECT_EQ(seen->spent, spent(3));
  EXPECT_EQ(seen->accepted_wall, full_sample<EventRecord>().accepted_wall);
  EXPECT_EQ(seen->payload_bytes, full_sample<EventRecord>().payload.size());
}

TEST_F(Views, ASynchronousCallIsSeenWithoutARowOfItsOwn) {
  put_running(kThumbnail, 3, InvocationType::synchronous);
  const auto seen = view(kThumbnail, 3);
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->state, ViewState::running);
  EXPECT_EQ(seen->type, InvocationType::synchronous);
  EXPECT_EQ(seen->accepted_wall, at_ms<WallTime>(24));
  EXPECT_EQ(seen->payload_bytes, 23u);
}

TEST_F(Views, ADeadEventShowsItsEndingAlsoWhenTheHistoryForgotIt) {
  put_dead(kThumbnail, 4, 1000);
  for (const Seq cutoff : {Seq{0}, Seq{1001}}) {
    const auto seen = view(kThumbnail, 4, cutoff);
    ASSERT_TRUE(seen);
    EXPECT_EQ(seen->state, ViewState::dead);
    ASSERT_TRUE(seen->ending);
    EXPECT_EQ(seen->ending->condition, Condition::interrupted);
    EXPECT_EQ(seen->ending->ended_wall, at_ms<WallTime>(53));
    EXPECT_EQ(seen->attempts, std::vector{sample_attempt(3)});
  }
}

TEST_F(Views, AnEndedEventIsSeenUntilTheHistoryIsCutOff) {
  put_ended(kThumbnail, 5, 1000, EndState::succeeded);
  const auto seen = view(kThumbnail, 5, Seq{1000});
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->state, ViewState::succeeded);
  ASSERT_TRUE(seen->ending);
  EXPECT_EQ(*seen->ending, ending_of(kThumbnail, 5, EndState::succeeded));
  EXPECT_EQ(seen->attempts.size(), 2u);
  EXPECT_FALSE(view(kThumbnail, 5, Seq{1001}));
}

TEST_F(Views, AnEventThatEndedTwiceShowsItsLastEnding) {
  put_ended(kThumbnail, 5, 1000, EndState::failed);
  put_ended(kThumbnail, 5, 1001, EndState::succeeded);
  EXPECT_EQ(view(kThumbnail, 5)->state, ViewState::succeeded);
}

TEST_F(Views, ARedrivenEventIsPendingAgain) {
  put_ended(kThumbnail, 5, 1000, EndState::failed);
  put_waiting(kThumbnail, 5);
  EXPECT_EQ(view(kThumbnail, 5)->state, ViewState::pending);
}

TEST_F(Views, AnUnknownEventIsNotSeen) {
  put_one_of_each_and_more();
  EXPECT_FALSE(view(kThumbnail, 999));
  // The right seq under another function or lane is another id.
  for (const uint64_t seq : {10, 20, 31, 40}) {
    EXPECT_TRUE(view(kThumbnail, seq)) << seq;
    EXPECT_FALSE(view(kMail, seq)) << seq;
    EXPECT_FALSE(*view_event(store_, {kThumbnail, Lane{1}, Seq{seq}}, Seq{})) << seq;
  }
}

// --- lists -------------------------------------------------------------------

TEST_F(Views, AListShowsEachEventOnceNewestFirstWithinItsState) {
  put_one_of_each_and_more();
  const Seqs all = joined({kRunning, kPending, kDead, kEnded});
  for (const size_t rows_max : {1, 2, 3, 7, 1000}) {
    EXPECT_EQ(list_all({}, {.rows_max = rows_max, .spent = {}}), all) << rows_max;
  }
}

TEST_F(Views, AListOfOneStateShowsThatStateOnly) {
  put_one_of_each_and_more();
  const std::vector<std::pair<ViewState, Seqs>> cases{
      {ViewState::running, kRunning}, {ViewState::pending, kPending},
      {ViewState::dead, kDead},       {ViewState::succeeded, {43, 40}},
      {ViewState::failed, {44, 41}},  {ViewState::cancelled, {42}},
  };
  for (const auto& [state, seqs] : cases) {
    for (const size_t rows_max : {1, 2, 1000}) {
      EXPECT_EQ(list_all({std::nullopt, state}, {.rows_max = rows_max, .spent = {}}), seqs)
          << static_cast<int>(state) << " " << rows_max;
    }
  }
}

TEST_F(Views, AListOfOneFunctionShowsThatFunctionOnly) {
  put_one_of_each_and_more();
  for (const size_t rows_max : {1, 2, 1000}) {
    const PageBudget budget{rows_max, {}};
    EXPECT_EQ(list_all({kThumbnail, {}}, budget), (Seqs{20, 13, 12, 10, 31, 44, 43, 40}));
    EXPECT_EQ(list_all({kMail, {}}, budget), (Seqs{21, 14, 11, 32, 30, 42, 41}));
    EXPECT_EQ(list_all({kMail, ViewState::pending}, budget), (Seqs{14, 11}));
    EXPECT_EQ(list_all({FunctionId{8}, {}}, budget), Seqs{});
  }
}

TEST_F(Views, APageWhoseBudgetIsSpentStillGetsFurther) {
  put_one_of_each_and_more();
  // Forty dead ones, which a list of pending events must step over.
  for (uint64_t seq = 100; seq < 140; ++seq) put_dead(kThumbnail, seq, 1000 + seq);
  const PageBudget impatient{1000, [] { return true; }};
  EXPECT_EQ(list_all({std::nullopt, ViewState::pending}, impatient), kPending);

  const Result<EventList> first =
      list_events(store_, kFunctions, {std::nullopt, ViewState::pending}, Seq{}, {}, impatient);
  EXPECT_TRUE(first->rows.empty());
  EXPECT_TRUE(first->next_marker) << "an empty page is not the end";
}

TEST_F(Views, AListHidesWhatTheHistoryCutOff) {
  put_one_of_each_and_more();
  EXPECT_EQ(list_all({}, {}, Seq{1005}), joined({kRunning, kPending, kDead, {44, 43, 42}}));
}

TEST_F(Views, ManyEventsOfManyFunctionsAreMergedByAge) {
  Seqs newest_first;
  for (uint64_t seq = 200; seq >= 1; --seq) {
    // Runs of one function, so that chunks of different length run dry.
    put_fresh(kFunctions[(seq / 23) % kFunctions.size()], seq);
    newest_first.push_back(seq);
  }
  for (const size_t rows_max : {7, 1000}) {
    EXPECT_EQ(list_all({}, {rows_max, {}}), newest_first) << rows_max;
  }
}

TEST_F(Views, RowsOfAListComeWithoutAttemptsAndResults) {
  put_one_of_each_and_more();
  const Result<EventList> list = list_events(store_, kFunctions, {}, Seq{}, {}, {1000, {}});
  for (const EventView& row : list->rows) {
    EXPECT_TRUE(row.attempts.empty());
    if (!row.ending) continue;
    EXPECT_TRUE(row.ending->attempts.empty());
    EXPECT_FALSE(row.ending->result);
  }
  EXPECT_EQ(list->rows[4].due_at, at_ms<TimePoint>(500));
  EXPECT_EQ(list->rows[4].spent, spent(12));
}

TEST_F(Views, AMarkerThatIsNotOursIsInvalid) {
  put_one_of_each_and_more();
  for (const std::string marker :
       {"", "p", "x0000000000000001", "p000000000000001", "p00000000000000001", "p-00000000000001",
        "p000000000000000g", "p0x00000000000001", "l0000000000000001"}) {
    const Result<EventList> list = list_events(store_, kFunctions, {}, Seq{}, marker, {});
    ASSERT_FALSE(list) << marker;
    EXPECT_EQ(list.error().code, Errc::invalid);
  }
  // Ours, but of the list of another state.
  const std::string running = "r0000000000000001";
  EXPECT_TRUE(list_events(store_, kFunctions, {}, Seq{}, running, {}));
  EXPECT_FALSE(list_events(store_, kFunctions, {{}, ViewState::dead}, Seq{}, running, {}));
  EXPECT_FALSE(list_dead_letters(store_, kFunctions, {}, running, {}));
}

TEST_F(Views, ADamagedRowEndsAListWithItsName) {
  put_one_of_each_and_more();
  const Write damaged{Family::history, WriteOp::put, history_key(Seq{5000}), "?"};
  ASSERT_TRUE(store_.commit({&damaged, 1}));
  const Result<EventList> list = list_events(store_, kFunctions, {}, Seq{}, {}, {1000, {}});
  ASSERT_FALSE(list);
  EXPECT_EQ(list.error().code, Errc::corrupt);
  EXPECT_EQ(list.error().what.find("history row 0000000000001388: "), 0u) << list.error().what;
}

TEST_F(Views, DeadLettersAreListedNewestFirst) {
  put_one_of_each_and_more();
  const auto list_all_dead = [&](std::optional<FunctionId> function, const PageBudget& budget) {
    Seqs seqs;
    std::optional<std::string> marker;
    do {
      const Result<DeadLetterList> list =
          list_dead_letters(store_, kFunctions, function, marker, budget);
      EXPECT_TRUE(list);
      EXPECT_LE(list->rows.size(), budget.rows_max);
      for (const DeadLetterRow& row : list->rows) seqs.push_back(row.key.seq.value);
      marker = list->next_marker;
    } while (marker);
    return seqs;
  };
  for (const size_t rows_max : {1, 2, 3, 1000}) {
    EXPECT_EQ(list_all_dead({}, {rows_max, {}}), kDead);
    EXPECT_EQ(list_all_dead(kMail, {rows_max, {}}), (Seqs{32, 30}));
  }
  EXPECT_EQ(list_all_dead({}, {1000, [] { return true; }}), kDead);
  const Result<DeadLetterList> list = list_dead_letters(store_, kFunctions, {}, {}, {});
  EXPECT_EQ(list->rows[0].key, (DeadLetterKey{kMail, Seq{32}, Generation{2}}));
  EXPECT_EQ(list->rows[0].record.ending, Seq{1002});
}

}  // namespace
}  // namespace holdfast::storage
