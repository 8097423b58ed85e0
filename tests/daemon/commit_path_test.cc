// Gate, committer and reader: what may leave when, and on which thread things happen.
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

#include "daemon/committer.h"
#include "daemon/effect_gate.h"
#include "daemon/reader.h"
#include "storage/codec.h"
#include "storage/keys.h"
#include "storage/memory_store.h"

namespace holdfast::daemon {
namespace {

using core::StepSeq;

core::Effect reply(uint64_t ticket) {
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
  gate.hold(StepSeq{1}, {reply(1)});
  gate.hold(StepSeq{2}, {reply(2), reply(20)});
  gate.hold(StepSeq{3}, {reply(3)});
  EXPECT_EQ(open(gate, 0), (std::vector<uint64_t>{}));
  EXPECT_EQ(open(gate, 2), (std::vector<uint64_t>{1, 2, 20}));
  EXPECT_FALSE(gate.empty());
  EXPECT_EQ(open(gate, 3), (std::vector<uint64_t>{3}));
  EXPECT_TRUE(gate.empty());
}

TEST(EffectGate, HoldsWhatIsProducedWhileItOpens) {
  EffectGate gate;
  gate.hold(StepSeq{1}, {reply(1)});
  std::vector<uint64_t> tickets;
  gate.open_to(StepSeq{1}, [&](core::Effect&& effect) {
    tickets.push_back(std::get<core::Reply>(effect).ticket.value);
    if (tickets.size() == 1) gate.hold(StepSeq{2}, {reply(2)});
  });
  EXPECT_EQ(tickets, (std::vector<uint64_t>{1}));
  EXPECT_FALSE(gate.empty());
}

// Lets a test decide when a commit returns, and how.
class SlowStore final : public storage::Store {
 public:
  Result<> commit(std::span<const storage::Write> writes) override {
    begun.set_value();
    if (!may_end.get_future().get()) return Error{Errc::io, "the disk is gone"};
    return rows.commit(writes);
  }
  Result<std::optional<std::string>> get(storage::Family family,
                                         std::string_view key) const override {
    return rows.get(family, key);
  }
  storage::CachedValue get_cached(storage::Family family, std::string_view key) const override {
    return rows.get_cached(family, key);
  }
  Result<> scan(const storage::ScanRange& range, const storage::ScanVisitor& visit) const override {
    return rows.scan(range, visit);
  }
  Result<> drop_below(storage::Family family, std::string_view key) override {
    return rows.drop_below(family, key);
  }
  std::promise<void> begun;
  std::promise<bool> may_end;
  storage::MemoryStore rows;
};

storage::Batch one_queue() {
  storage::Batch batch;
  storage::QueueRecord record;
  record.name = "q";
  batch.push(storage::PutQueue{storage::QueueId{1}, record});
  return batch;
}

TEST(Committer, SaysDoneOnlyAfterTheStoreHasReturned) {
  SlowStore store;
  std::promise<void> woken;
  Committer committer{store, [&] { woken.set_value(); }};
  committer.submit(Commit{StepSeq{7}, one_queue(), {}});
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
  committer.submit(Commit{StepSeq{1}, one_queue(), {}});
  woken.get_future().wait();
  const std::optional<Committed> done = committer.take_done();
  ASSERT_TRUE(done.has_value());
  ASSERT_FALSE(static_cast<bool>(done->outcome));
  EXPECT_EQ(done->outcome.error().what, "the disk is gone");
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
