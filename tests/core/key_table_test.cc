#include "daemon/core/key_table.h"

#include <gtest/gtest.h>

#include <memory>
#include <utility>

namespace holdfast::core {
namespace {

using Table = KeyTable<int>;

storage::KeyHash hash(uint8_t number) {
  storage::KeyHash hash{};
  hash[0] = number;
  return hash;
}

storage::IdempotencyPtr naming(uint64_t seq) {
  storage::IdempotencyRecord record;
  record.event.seq = Seq{seq};
  return std::make_shared<storage::IdempotencyRecord>(std::move(record));
}

TEST(KeyTable, AnswersAChangeInFlightFromMemoryUntilItIsDurable) {
  Table table;
  table.changed(hash(1), naming(7), StepSeq{5});
  ASSERT_NE(table.find(hash(1)), nullptr);
  EXPECT_EQ(table.find(hash(1))->event.seq, Seq{7});
  table.durable(StepSeq{4});
  EXPECT_NE(table.find(hash(1)), nullptr);
  table.durable(StepSeq{5});
  EXPECT_EQ(table.find(hash(1)), nullptr);
  EXPECT_EQ(table.changes(), 0u);
}

TEST(KeyTable, KeepsTheNewestOfTwoChangesUntilThatOneIsDurable) {
  Table table;
  table.changed(hash(1), naming(7), StepSeq{5});
  table.changed(hash(1), naming(8), StepSeq{9});
  table.durable(StepSeq{5});
  ASSERT_NE(table.find(hash(1)), nullptr);
  EXPECT_EQ(table.find(hash(1))->event.seq, Seq{8});
  table.durable(StepSeq{9});
  EXPECT_EQ(table.find(hash(1)), nullptr);
}

TEST(KeyTable, SendsOneLookupHoweverManyWait) {
  Table table;
  EXPECT_TRUE(table.wait(hash(1), 1));
  EXPECT_FALSE(table.wait(hash(1), 2));
  EXPECT_TRUE(table.wait(hash(2), 3));
  EXPECT_EQ(table.take_waiters(hash(1)), (std::vector{1, 2}));
  EXPECT_TRUE(table.looking_up(hash(1)));  // reserved until all of them are dealt with
  table.lookup_finished(hash(1), StepSeq{0});
  EXPECT_FALSE(table.looking_up(hash(1)));
}

TEST(KeyTable, RemembersADurableChangeWhileAnOlderLookupIsOutstanding) {
  Table table;
  table.wait(hash(1), 1);
  table.changed(hash(1), naming(7), StepSeq{5});
  table.durable(StepSeq{5});
  EXPECT_NE(table.find(hash(1)), nullptr) << "the lookup may have read before the commit";
  table.take_waiters(hash(1));
  table.lookup_finished(hash(1), StepSeq{5});
  EXPECT_EQ(table.find(hash(1)), nullptr);
}

TEST(KeyTable, KeepsAChangeThatIsNotDurableWhenItsLookupEnds) {
  Table table;
  table.wait(hash(1), 1);
  table.take_waiters(hash(1));
  table.changed(hash(1), naming(7), StepSeq{5});
  table.lookup_finished(hash(1), StepSeq{4});
  EXPECT_NE(table.find(hash(1)), nullptr);
}

TEST(KeyTable, KnowsAnErasureInFlightUntilItIsDurable) {
  Table table;
  table.erased(hash(1), StepSeq{5});
  EXPECT_TRUE(table.is_erased(hash(1)));
  EXPECT_EQ(table.find(hash(1)), nullptr);
  table.durable(StepSeq{5});
  EXPECT_FALSE(table.is_erased(hash(1)));
}

TEST(KeyTable, AKeyUsedAgainIsErasedNoMore) {
  Table table;
  table.erased(hash(1), StepSeq{5});
  table.changed(hash(1), naming(8), StepSeq{6});
  EXPECT_FALSE(table.is_erased(hash(1)));
  EXPECT_NE(table.find(hash(1)), nullptr);
}

TEST(KeyTable, ASweepLeavesAloneWhatChangedOrIsLookedUp) {
  Table table;
  table.sweep_started();
  table.changed(hash(1), naming(7), StepSeq{5});
  table.durable(StepSeq{5});
  table.wait(hash(2), 1);
  EXPECT_TRUE(table.changed_during_sweep(hash(1)));
  EXPECT_TRUE(table.changed_during_sweep(hash(2)));
  EXPECT_FALSE(table.changed_during_sweep(hash(3)));
  table.sweep_finished();
  EXPECT_FALSE(table.changed_during_sweep(hash(1)));
}

}  // namespace
}  // namespace holdfast::core
