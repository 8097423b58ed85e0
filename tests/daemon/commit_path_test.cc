// Gate, committer and reader: what may leave when, and on which thread things happen.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>

#include "daemon/committer.h"
#include "daemon/effect_gate.h"
#include "daemon/reader.h"
#include "storage/codec.h"
#include "storage/keys.h"
#include "tests/daemon/test_store.h"

namespace holdfast::daemon {
namespace {

using core::StepSeq;

core::Effect reply_to(uint64_t ticket) {
  return core::Reply{core::Ticket{ticket}, core::DryRunPassed{}};
}

std::vector<uint64_t> open(EffectGate& gate, uint64_t watermark) {
  std::vector<uint64_t> tickets;
  gate.open_to(StepSeq{watermark}, [&](core::Effect&& effect) {
    tickets.push_back(std::get<core::Reply>(effect).ticket.value);
  });
  return tickets;
}

TEST(EffectGate, LetsOutOnlyWhatIsAtOrBelowTheWatermark) {
  EffectGate gate;
  gate.hold(StepSeq{1}, {reply_to(1)});
  gate.hold(StepSeq{2}, {reply_to(2), reply_to(20)});
  gate.hold(StepSeq{3}, {reply_to(3)});
  EXPECT_EQ(open(gate, 0), (std::vector<uint64_t>{}));
  EXPECT_EQ(open(gate, 2), (std::vector<uint64_t>{1, 2, 20}));
  EXPECT_FALSE(gate.empty());
  EXPECT_EQ(open(gate, 3), (std::vector<uint64_t>{3}));
  EXPECT_TRUE(gate.empty());
}

TEST(EffectGate, HoldsWhatIsProducedWhileItOpens) {
  EffectGate gate;
  gate.hold(StepSeq{1}, {reply_to(1)});
  std::vector<uint64_t> tickets;
  gate.open_to(StepSeq{1}, [&](core::Effect&& effect) {
    tickets.push_back(std::get<core::Reply>(effect).ticket.value);
    if (tickets.size() == 1) gate.hold(StepSeq{2}, {reply_to(2)});
  });
  EXPECT_EQ(tickets, (std::vector<uint64_t>{1}));
  EXPECT_FALSE(gate.empty());
}

TEST(EffectGate, LeavesAnEmptyListInTheMemoryOfAnEarlierOne) {
  EffectGate gate;
  std::vector<core::Effect> first;
  first.push_back(reply_to(1));
  const core::Effect* const memory = first.data();
  gate.hold(StepSeq{1}, std::move(first));
  open(gate, 1);
  std::vector<core::Effect> second;
  second.push_back(reply_to(2));
  gate.hold(StepSeq{2}, std::move(second));
  EXPECT_TRUE(second.empty());
  EXPECT_EQ(second.data(), memory);
  EXPECT_EQ(open(gate, 2), (std::vector<uint64_t>{2}));
}

TEST(EffectGate, KeepsNoMemoryOfALongList) {
  for (const size_t room : {8u, 9u}) {
    EffectGate gate;
    std::vector<core::Effect> effects;
    effects.reserve(room);
    effects.push_back(reply_to(1));
    gate.hold(StepSeq{1}, std::move(effects));
    open(gate, 1);
    std::vector<core::Effect> next;
    next.push_back(reply_to(2));
    gate.hold(StepSeq{2}, std::move(next));
    EXPECT_EQ(next.capacity(), room == 8 ? room : 0);
  }
}

// Lets a test decide when a commit returns, and how.
class SlowStore final : public TestStore {
 public:
  Result<> commit(std::span<const storage::Write> writes) override {
    begun.set_value();
    if (!may_end.get_future().get()) return Error{Errc::io, "the disk is gone"};
    return rows.commit(writes);
  }
  std::promise<void> begun;
  std::promise<bool> may_end;
};

storage::Batch one_queue() {
  storage::Batch batch;
  storage::QueueRecord record;
  record.name = "q";
  batch.push(storage::PutQueue{storage::QueueId{1}, record});
  return batch;
}

void add(Committer& committer, uint64_t step) {
  committer.add([&](Commit& next, bool) {
    next.last = StepSeq{step};
    next.batch.append(one_queue());
  });
}

TEST(Committer, SaysDoneOnlyAfterTheStoreHasReturned) {
  SlowStore store;
  std::promise<void> woken;
  Committer committer{store, [&] { woken.set_value(); }};
  add(committer, 7);
  store.begun.get_future().wait();
  EXPECT_TRUE(committer.busy());
  EXPECT_FALSE(committer.take_done().has_value());
  store.may_end.set_value(true);
  woken.get_future().wait();
  const std::optional<Committed> done = committer.take_done();
  ASSERT_TRUE(done.has_value());
  EXPECT_EQ(done->last, StepSeq{7});
  EXPECT_TRUE(static_cast<bool>(done->outcome));
  EXPECT_FALSE(committer.busy());
  const auto row = store.get(storage::Family::meta, storage::queue_key(storage::QueueId{1}));
  EXPECT_TRUE((*row).has_value());
}

TEST(Committer, TellsAFailedCommit) {
  SlowStore store;
  std::promise<void> woken;
  Committer committer{store, [&] { woken.set_value(); }};
  store.may_end.set_value(false);
  add(committer, 1);
  woken.get_future().wait();
  const std::optional<Committed> done = committer.take_done();
  ASSERT_TRUE(done.has_value());
  ASSERT_FALSE(static_cast<bool>(done->outcome));
  EXPECT_EQ(done->outcome.error().what, "the disk is gone");
}

// A store whose commits end when the test says so, each with its own word.
class CountedStore final : public TestStore {
 public:
  Result<> commit(std::span<const storage::Write> writes) override {
    std::unique_lock lock{mutex};
    sizes.push_back(writes.size());
    changed.notify_all();
    changed.wait(lock, [this] { return sizes.size() <= may_end; });
    if (fails) return Error{Errc::io, "the disk is gone"};
    return ok();
  }
  Result<std::optional<std::string>> get(storage::Family, std::string_view) const override {
    return std::optional<std::string>{};
  }
  storage::CachedValue get_cached(storage::Family, std::string_view) const override {
    return std::optional<std::string>{};
  }
  Result<> scan(const storage::ScanRange&, const storage::ScanVisitor&) const override {
    return ok();
  }
  Result<> drop_below(storage::Family, std::string_view) override { return ok(); }

  void wait_for_begun(size_t commits) {
    std::unique_lock lock{mutex};
    changed.wait(lock, [&] { return sizes.size() >= commits; });
  }
  size_t begun() {
    const std::lock_guard lock{mutex};
    return sizes.size();
  }
  void let_end(size_t commits) {
    const std::lock_guard lock{mutex};
    may_end = commits;
    changed.notify_all();
  }

  std::mutex mutex;
  std::condition_variable changed;
  std::vector<size_t> sizes;
  size_t may_end = 0;
  bool fails = false;
};

TEST(Committer, TakesWhatGatheredMeanwhileAsOneCommitWithoutBeingAsked) {
  CountedStore store;
  std::atomic<int> woken = 0;
  Committer committer{store, [&] { ++woken; }};
  add(committer, 1);
  store.wait_for_begun(1);
  add(committer, 2);
  bool fresh = true;
  committer.add([&](Commit& next, bool is_fresh) {
    fresh = is_fresh;
    next.last = StepSeq{3};
    next.batch.append(one_queue());
  });
  EXPECT_FALSE(fresh);
  store.let_end(1);
  store.wait_for_begun(2);  // nobody has asked take_done() yet
  EXPECT_EQ(store.sizes, (std::vector<size_t>{1, 2}));
  const std::optional<Committed> first = committer.take_done();
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->last, StepSeq{1});
  EXPECT_TRUE(committer.busy());
  store.let_end(2);
  while (woken < 2) std::this_thread::yield();
  EXPECT_EQ(committer.take_done()->last, StepSeq{3});
  EXPECT_FALSE(committer.busy());
}

TEST(Committer, TakesNothingAfterAFailure) {
  CountedStore store;
  store.fails = true;
  std::atomic<int> woken = 0;
  {
    Committer committer{store, [&] { ++woken; }};
    add(committer, 1);
    store.wait_for_begun(1);
    add(committer, 2);
    store.let_end(9);
    while (woken < 1) std::this_thread::yield();
    EXPECT_FALSE(static_cast<bool>(committer.take_done()->outcome));
  }
  EXPECT_EQ(store.sizes.size(), 1u);
}

// --- on the loop's thread ------------------------------------------------------

void add_and_wait(Committer& committer, uint64_t step) {
  add(committer, step);
  while (committer.busy()) {
    committer.take_done();
    std::this_thread::yield();
  }
}

// A busy machine may make one commit slow; many in a row it does not.
void make_quick(Committer& committer) {
  for (uint64_t step = 1; step < 10'000 && !committer.quick(); ++step) {
    add_and_wait(committer, step);
  }
  ASSERT_TRUE(committer.quick());
}

struct CommitterHere : testing::Test {
  WatchedStore store;
  Committer committer{store, [] {}};
};

TEST_F(CommitterHere, IsQuickAfterQuickCommitsInARowUntilASlowOne) {
  for (uint64_t step = 1; step < kQuickInARow; ++step) {
    add_and_wait(committer, step);
    EXPECT_FALSE(committer.quick());
  }
  make_quick(committer);
  store.is_slow = true;
  add_and_wait(committer, 20'000);
  EXPECT_FALSE(committer.quick());
  store.is_slow = false;
  add_and_wait(committer, 20'001);
  EXPECT_FALSE(committer.quick());
}

TEST_F(CommitterHere, IsNotQuickWhileSomethingIsUnderWay) {
  make_quick(committer);
  add(committer, 20'000);
  EXPECT_FALSE(committer.quick());
}

TEST_F(CommitterHere, IsNotQuickWhileCommitsLinger) {
  make_quick(committer);
  committer.set_linger(std::chrono::milliseconds{1});
  EXPECT_FALSE(committer.quick());
}

TEST_F(CommitterHere, WritesOnTheCallersThreadBeforeItReturns) {
  make_quick(committer);
  EXPECT_NE(store.writer, std::this_thread::get_id());
  const Committed done = committer.commit_here(Commit{StepSeq{20'000}, one_queue(), {}, {}});
  EXPECT_EQ(store.writer, std::this_thread::get_id());
  EXPECT_EQ(done.last, StepSeq{20'000});
  EXPECT_TRUE(static_cast<bool>(done.outcome));
  EXPECT_FALSE(committer.busy());
}

// --- linger ------------------------------------------------------------------

using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

constexpr Duration kForEver = 1h;

void add_many(Committer& committer, uint64_t step, size_t mutations) {
  committer.add([&](Commit& next, bool) {
    next.last = StepSeq{step};
    for (size_t n = 0; n < mutations; ++n) next.batch.append(one_queue());
  });
}

// A committer that lingers, over a store that does not.
struct Lingering {
  explicit Lingering(Duration linger) {
    store.let_end(1000);
    committer.emplace(store, [] {});
    committer->set_linger(linger);
  }
  // Long enough for a commit to begin that does not linger.
  void expect_none_begun() {
    std::this_thread::sleep_for(50ms);
    EXPECT_EQ(store.begun(), 0u);
  }
  CountedStore store;
  std::optional<Committer> committer;
};

TEST(CommitterLinger, HoldsBackTheFirstSoThatOthersShareItsCommit) {
  Lingering box{kForEver};
  add(*box.committer, 1);
  box.expect_none_begun();
  add(*box.committer, 2);
  box.expect_none_begun();
  EXPECT_TRUE(box.committer->busy());
  box.committer->set_linger(0ms);
  box.store.wait_for_begun(1);
  EXPECT_EQ(box.store.sizes, (std::vector<size_t>{2}));
}

TEST(CommitterLinger, EndsItsTimeAfterTheFirstHoweverManyFollow) {
  Lingering box{100ms};
  const Steady::time_point began = Steady::now();
  for (uint64_t step = 1; box.store.begun() == 0; ++step) {
    add(*box.committer, step);
    std::this_thread::sleep_for(1ms);
  }
  EXPECT_GE(Steady::now() - began, 100ms);
  EXPECT_LT(box.store.sizes.front(), kLingeringMutationsMax);
}

TEST(CommitterLinger, CountsFromTheFirstAlsoWhileAnotherCommitIsInFlight) {
  CountedStore store;
  Committer committer{store, [] {}};
  add(committer, 1);
  store.wait_for_begun(1);
  constexpr Duration kLinger = 500ms;
  committer.set_linger(kLinger);
  add(committer, 2);
  std::this_thread::sleep_for(kLinger);
  const Steady::time_point ended = Steady::now();
  store.let_end(2);
  store.wait_for_begun(2);
  EXPECT_LT(Steady::now() - ended, kLinger);
}

TEST(CommitterLinger, EndsWhenTheCommitIsLarge) {
  Lingering box{kForEver};
  add_many(*box.committer, 1, kLingeringMutationsMax - 1);
  box.expect_none_begun();
  add(*box.committer, 2);
  box.store.wait_for_begun(1);
  EXPECT_EQ(box.store.sizes, (std::vector<size_t>{kLingeringMutationsMax}));
}

TEST(CommitterLinger, NeitherLosesNorDelaysWhatGathersAtTheEnd) {
  Lingering box{kForEver};
  add(*box.committer, 1);
  box.committer.reset();
  EXPECT_EQ(box.store.sizes, (std::vector<size_t>{1}));
}

TEST(Reader, AnswersInTheOrderOfTheQuestionsAndOnTheAskersThread) {
  std::atomic<int> woken = 0;
  Reader reader{[&] { ++woken; }};
  std::vector<int> order;
  const auto asker = std::this_thread::get_id();
  for (int n = 0; n < 100; ++n) {
    reader.ask([&, n]() -> Reader::Answer {
      EXPECT_NE(std::this_thread::get_id(), asker);
      return [&, n] {
        EXPECT_EQ(std::this_thread::get_id(), asker);
        order.push_back(n);
      };
    });
  }
  while (order.size() < 100) {
    for (const Reader::Answer& answer : reader.take_answers()) answer();
    std::this_thread::yield();
  }
  for (int n = 0; n < 100; ++n) EXPECT_EQ(order[static_cast<size_t>(n)], n);
  EXPECT_GT(woken.load(), 0);
}

}  // namespace
}  // namespace holdfast::daemon
