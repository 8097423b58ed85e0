#include "daemon/core/history_book.h"

#include <gtest/gtest.h>

namespace holdfast::core {
namespace {

using namespace std::chrono_literals;

class HistoryBookTest : public testing::Test {
 protected:
  HistoryBookTest() : ledger_(fresh(), storage::BoxTag{1}) {
    limits_.history_bytes_max = 1600;  // a mark each 100 bytes
    limits_.history_age_max = 160s;    // or each 10 s
  }

  static storage::Recovered fresh() {
    storage::Recovered recovered;
    recovered.fresh_directory = true;
    return recovered;
  }

  // One ending more; true if the cut-off moved.
  bool grow(uint64_t bytes, Duration after = 0s) {
    now_ += after;
    Step step;
    const Seq ending = ledger_.take_seq();
    history_grew(step, ledger_, ending, bytes, now_, limits_);
    endings_.emplace_back(ending, bytes);
    if (step.effects.empty()) return false;
    EXPECT_EQ(std::get<DropHistory>(step.effects.at(0)).cutoff, state().history_cutoff);
    return true;
  }

  uint64_t bytes_shown() const {
    uint64_t bytes = 0;
    for (const auto& [ending, size] : endings_) {
      if (ending >= ledger_.state().history_cutoff) bytes += size;
    }
    return bytes;
  }
  const storage::StateRecord& state() const { return ledger_.state(); }

  Ledger ledger_;
  config::LimitSettings limits_;
  LitPoint now_{Duration{1'000'000}};
  std::vector<std::pair<Seq, uint64_t>> endings_;
};

TEST_F(HistoryBookTest, ShowsEverythingWhileBothBoundsHold) {
  for (int n = 0; n < 16; ++n) EXPECT_FALSE(grow(100));
  EXPECT_EQ(bytes_shown(), 1600u);
}

TEST_F(HistoryBookTest, CutsAtTheBytesBoundAndKeepsNeverLessThanIt) {
  for (int n = 0; n < 200; ++n) {
    grow(40);
    if (n >= 40) {
      EXPECT_GE(bytes_shown(), 1600u);
    }
    EXPECT_LE(bytes_shown(), 1600u + 2 * 120u);
  }
}

TEST_F(HistoryBookTest, CutsWhatIsOlderThanTheAgeBound) {
  grow(10);
  const Seq second_mark = state().next_seq;
  EXPECT_FALSE(grow(10, 10s));
  EXPECT_FALSE(grow(10, 159s));  // all before the second mark is 169 s old, the mark 159 s
  EXPECT_TRUE(grow(10, 1s));
  EXPECT_EQ(state().history_cutoff, second_mark);
}

TEST_F(HistoryBookTest, ARowLargerThanTheBoundIsStillShown) {
  grow(10);
  grow(100'000);
  EXPECT_GE(bytes_shown(), 100'000u);
  for (int n = 0; n < 18; ++n) grow(100);  // until what came after it fills the bound
  EXPECT_LE(bytes_shown(), 1800u);
}

TEST_F(HistoryBookTest, KeepsABoundedNumberOfMarks) {
  limits_.history_bytes_max = UINT64_MAX;
  for (int n = 0; n < 1000; ++n) {
    grow(1, 10s);
    EXPECT_LE(state().history_marks.size(), kHistoryMarksMax + 1);
  }
}

TEST_F(HistoryBookTest, AgesWhereNothingEndsAnyMoreMarkByMarkUntilNothingIsLeft) {
  EXPECT_FALSE(history_ages_at(state(), limits_).has_value());
  const LitPoint began = now_;
  grow(10);
  grow(10, 9s);
  const Seq second_mark = state().next_seq;
  grow(10, 1s);
  EXPECT_EQ(history_ages_at(state(), limits_), began + 170s);
  Step step;
  history_aged(step, ledger_, began + 170s - 1ms, limits_);
  EXPECT_TRUE(step.effects.empty());
  history_aged(step, ledger_, began + 170s, limits_);
  EXPECT_EQ(state().history_cutoff, second_mark);
  EXPECT_TRUE(ledger_.wants_commit());
  // What the last mark begins may be a sixteenth of the bound younger than it.
  EXPECT_EQ(history_ages_at(state(), limits_), began + 180s);
  history_aged(step, ledger_, began + 180s, limits_);
  EXPECT_EQ(bytes_shown(), 0u);
  EXPECT_EQ(history_bytes(state()), 0u);
  EXPECT_EQ(step.effects.size(), 2u);
  EXPECT_FALSE(history_ages_at(state(), limits_).has_value());
  grow(10, 60s);
  EXPECT_EQ(bytes_shown(), 10u);
}

TEST_F(HistoryBookTest, TheCutOffNeverGoesBack) {
  Seq before = state().history_cutoff;
  for (int n = 0; n < 300; ++n) {
    limits_.history_bytes_max = n % 100 < 50 ? 1600 : 16'000;  // a reload now and then
    grow(77, 3s);
    EXPECT_GE(state().history_cutoff, before);
    before = state().history_cutoff;
  }
}

}  // namespace
}  // namespace holdfast::core
