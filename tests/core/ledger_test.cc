// The meta rows of a commit, sealed once or, while it grows, again.
#include "daemon/core/ledger.h"

#include <gtest/gtest.h>

namespace holdfast::core {
namespace {

class LedgerTest : public testing::Test {
 protected:
  LedgerTest() : ledger_(fresh(), storage::BoxTag{1}), cat_(ledger_.function_named("cat")) {}

  static storage::Recovered fresh() {
    storage::Recovered recovered;
    recovered.fresh_directory = true;
    return recovered;
  }

  storage::Batch seal(Seal which) {
    return ledger_.seal({TimePoint{}, LitPoint{}, "boot", 0}, which);
  }
  uint64_t commits() const { return ledger_.state().batch_number; }

  template <class Put>
  static std::vector<Put> all(const storage::Batch& batch) {
    std::vector<Put> found;
    for (const storage::Mutation& mutation : batch.mutations) {
      if (const auto* put = std::get_if<Put>(&mutation)) found.push_back(*put);
    }
    return found;
  }

  Ledger ledger_;
  storage::FunctionId cat_;
};

TEST_F(LedgerTest, EachCommitHasANumberHoweverOftenItIsSealed) {
  seal(Seal::next);
  EXPECT_EQ(commits(), 1u);
  seal(Seal::again);
  seal(Seal::again);
  EXPECT_EQ(commits(), 1u);
  seal(Seal::next);
  EXPECT_EQ(commits(), 2u);
}

TEST_F(LedgerTest, ASealHasWhatChangedSinceTheOneBefore) {
  EXPECT_EQ(all<storage::PutFunction>(seal(Seal::next)).size(), 1u);
  EXPECT_TRUE(all<storage::PutFunction>(seal(Seal::again)).empty());
  ledger_.change(cat_).fresh = 1;
  EXPECT_EQ(all<storage::PutFunction>(seal(Seal::again)).size(), 1u);
}

TEST_F(LedgerTest, OverlaidTheLaterSealHoldsAndNothingOfTheEarlierIsLost) {
  const storage::FunctionId dog = ledger_.function_named("dog");
  const storage::QueueId queue = ledger_.queue_named("jobs");
  ledger_.change(cat_).fresh = 1;
  ledger_.change(dog).fresh = 1;
  storage::Batch counters = seal(Seal::next);
  ledger_.change(cat_).fresh = 2;
  ledger_.take_seq();
  const storage::QueueId other = ledger_.queue_named("letters");
  counters.overlay(seal(Seal::again));

  const auto functions = all<storage::PutFunction>(counters);
  ASSERT_EQ(functions.size(), 2u);
  EXPECT_EQ(functions[0].id, cat_);
  EXPECT_EQ(functions[0].record.fresh, 2u);
  EXPECT_EQ(functions[1].id, dog);
  EXPECT_EQ(functions[1].record.fresh, 1u);
  const auto queues = all<storage::PutQueue>(counters);
  ASSERT_EQ(queues.size(), 2u);
  EXPECT_EQ(queues[0].id, queue);
  EXPECT_EQ(queues[1].id, other);
  const auto states = all<storage::PutState>(counters);
  ASSERT_EQ(states.size(), 1u);
  EXPECT_EQ(states[0].record.next_seq, ledger_.state().next_seq);
}

}  // namespace
}  // namespace holdfast::core
