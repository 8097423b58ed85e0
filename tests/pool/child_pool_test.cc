// ChildPool, rule by rule: facts in, decisions out, as one line of words each.
#include "daemon/pool/child_pool.h"

#include <gtest/gtest.h>

#include "storage/base/match.h"

namespace holdfast::pool {
namespace {

using namespace std::chrono_literals;

std::string text_of(const Decision& decision) {
  const auto word = [](const char* verb, auto id) { return verb + std::to_string(id.value); };
  return std::visit(
      match{
          [&](const StartChild& start) { return word("start ", start.child); },
          [&](const Give& give) { return word("give ", give.child) + word(" e", give.event); },
          [&](const Retire& retire) { return word("retire ", retire.child); },
          [](const Broken& broken) { return "broken: " + broken.reason; },
          [](const Mended&) { return std::string{"mended"}; },
          [&](const TurnAway& away) { return word("away e", away.event); },
      },
      decision);
}

class ChildPoolTest : public testing::Test {
 protected:
  void begin(PoolSize size) { pool_ = std::make_unique<ChildPool>(size); }
  ChildPool& pool() { return *pool_; }

  std::string decide() {
    std::string all;
    for (const Decision& decision : pool_->decide(now_)) {
      all += (all.empty() ? "" : ", ") + text_of(decision);
    }
    return all;
  }
  void pass(Duration time) { now_ += time; }
  std::optional<Duration> wakeup_in() const {
    const std::optional<TimePoint> at = pool_->next_wakeup();
    return at ? std::optional{*at - now_} : std::nullopt;
  }

  // Facts, each with what is decided then.
  std::string wanted(uint64_t event) { return pool_->wanted(Seq{event}), decide(); }
  std::string ready(uint64_t child) { return pool_->child_ready(ChildId{child}, now_), decide(); }
  std::string answered(uint64_t child) {
    pool_->child_answered(ChildId{child}, now_);
    return decide();
  }
  std::string ending(uint64_t child, bool own_fault) {
    pool_->child_ending(ChildId{child}, own_fault, now_);
    return decide();
  }
  std::string ended(uint64_t child, std::string why = "it ended") {
    pool_->child_ended(ChildId{child}, std::move(why), now_);
    return decide();
  }
  std::string changed(PoolSize size, bool other_command) {
    pool_->changed(size, other_command);
    return decide();
  }
  std::string closed() { return pool_->close(), decide(); }

  // `count` processes that are ready, the last one of them most lately.
  void begin_ready(PoolSize size, uint64_t count) {
    begin(size);
    for (uint64_t n = 1; n <= count; ++n) pool_->wanted(Seq{1000 + n});
    decide();
    for (uint64_t n = 1; n <= count; ++n) ready(n);
    for (uint64_t n = 1; n <= count; ++n) answered(n);
    ASSERT_EQ(pool_->counts().idle, count);
  }

  TimePoint now_ = from_ms<TimePoint>(1'000'000);

 private:
  std::unique_ptr<ChildPool> pool_;
};

// --- how many ----------------------------------------------------------------

TEST_F(ChildPoolTest, TheLeastAreStartedWithoutWork) {
  begin({2, 5, 0});
  EXPECT_EQ(decide(), "start 1, start 2");
  EXPECT_EQ(decide(), "");
  EXPECT_EQ(ready(1), "");
  EXPECT_EQ(pool().counts().starting, 1u);
  EXPECT_EQ(pool().counts().idle, 1u);
}

TEST_F(ChildPoolTest, NoneIsStartedWithoutWorkWhenNoneMustBe) {
  begin({0, 5, 0});
  EXPECT_EQ(decide(), "");
  EXPECT_EQ(pool().next_wakeup(), std::nullopt);
  EXPECT_TRUE(pool().empty());
  EXPECT_EQ(wanted(7), "start 1");
  EXPECT_FALSE(pool().empty());
  EXPECT_EQ(ready(1), "give 1 e7");
}

TEST_F(ChildPoolTest, OneIsStartedForEachEventUpToTheMost) {
  begin({0, 2, 0});
  EXPECT_EQ(wanted(1), "start 1");
  EXPECT_EQ(wanted(2), "start 2");
  EXPECT_EQ(wanted(3), "");
  EXPECT_EQ(ready(2), "give 2 e1");
  EXPECT_EQ(answered(2), "give 2 e2");
  EXPECT_EQ(ready(1), "give 1 e3");
  EXPECT_EQ(pool().started(), 2u);
  EXPECT_EQ(pool().served(), 1u);
}

TEST_F(ChildPoolTest, OneThatIsIdleIsUsedBeforeAnotherIsStarted) {
  begin_ready({0, 5, 0}, 1);
  EXPECT_EQ(wanted(1), "give 1 e1");
  EXPECT_EQ(wanted(2), "start 2");
}

TEST_F(ChildPoolTest, OneThatIsEndingHasItsPlaceUntilItHasEnded) {
  begin_ready({0, 1, 1}, 0);
  EXPECT_EQ(wanted(1), "start 1");
  EXPECT_EQ(ready(1), "give 1 e1");
  EXPECT_EQ(wanted(2), "");
  EXPECT_EQ(answered(1), "retire 1");
  EXPECT_EQ(pool().counts().ending, 1u);
  EXPECT_EQ(ended(1), "start 2");
  EXPECT_EQ(ready(2), "give 2 e2");
}

TEST_F(ChildPoolTest, EventsAreGivenInTheirOrder) {
  begin({0, 1, 0});
  EXPECT_EQ(wanted(3), "start 1");
  EXPECT_EQ(wanted(1), "");
  EXPECT_EQ(wanted(2), "");
  EXPECT_EQ(ready(1), "give 1 e3");
  EXPECT_EQ(answered(1), "give 1 e1");
  EXPECT_EQ(answered(1), "give 1 e2");
}

// --- which of them -----------------------------------------------------------

TEST_F(ChildPoolTest, WhoIsUsedLastIsUsedFirst) {
  begin_ready({0, 3, 0}, 3);
  EXPECT_EQ(wanted(1), "give 3 e1");
  EXPECT_EQ(wanted(2), "give 2 e2");
  EXPECT_EQ(answered(3), "");
  EXPECT_EQ(answered(2), "");
  EXPECT_EQ(wanted(3), "give 2 e3");
}

TEST_F(ChildPoolTest, WhatIsIdleBeyondTheLeastIsEndedAfterAMinute) {
  begin_ready({1, 3, 0}, 3);
  pass(20s);
  EXPECT_EQ(wanted(1), "give 3 e1");
  EXPECT_EQ(answered(3), "");
  EXPECT_EQ(wakeup_in(), 40s);
  pass(40s - 1ms);
  EXPECT_EQ(decide(), "");
  pass(1ms);
  EXPECT_EQ(decide(), "retire 1, retire 2");
  EXPECT_EQ(wakeup_in(), std::nullopt);  // the last one stays
  pass(1h);
  EXPECT_EQ(decide(), "");
  EXPECT_EQ(ended(1), "");
  EXPECT_EQ(ended(2), "");
  EXPECT_EQ(wanted(2), "give 3 e2");
}

TEST_F(ChildPoolTest, ABusyOneCountsAmongTheLeast) {
  begin_ready({1, 2, 0}, 2);
  EXPECT_EQ(wanted(1), "give 2 e1");
  pass(kIdleTimeMax);
  EXPECT_EQ(decide(), "retire 1");
}

TEST_F(ChildPoolTest, RecycledAfterSoManyEvents) {
  begin_ready({1, 2, 3}, 1);  // it has served one
  EXPECT_EQ(wanted(1), "give 1 e1");
  EXPECT_EQ(answered(1), "");
  EXPECT_EQ(wanted(2), "give 1 e2");
  EXPECT_EQ(answered(1), "retire 1, start 2");
  EXPECT_EQ(wanted(3), "");
  EXPECT_EQ(ready(2), "give 2 e3");
  EXPECT_EQ(ended(1), "");
}

// --- broken ------------------------------------------------------------------

TEST_F(ChildPoolTest, BrokenWhenOneDoesNotGetReadyAndNoneIs) {
  begin({0, 3, 0});
  EXPECT_EQ(wanted(1), "start 1");
  EXPECT_EQ(wanted(2), "start 2");
  EXPECT_EQ(ended(1, "no such file"), "broken: no such file, away e1, "
                                      "away e2");
  EXPECT_TRUE(pool().broken());
  EXPECT_EQ(wanted(3), "away e3");
  EXPECT_EQ(ready(2), "mended");
  EXPECT_FALSE(pool().broken());
  EXPECT_EQ(wanted(4), "give 2 e4");
}

TEST_F(ChildPoolTest, NotReadyInTimeIsTheSameWhenItHasEnded) {
  begin({1, 3, 0});
  EXPECT_EQ(decide(), "start 1");
  EXPECT_EQ(ending(1, true), "");
  EXPECT_FALSE(pool().broken());
  EXPECT_EQ(ended(1, "not ready"), "broken: not ready");
}

TEST_F(ChildPoolTest, OneThatWasEndedBeforeItWasReadyIsNoFault) {
  begin({1, 3, 0});
  EXPECT_EQ(decide(), "start 1");
  EXPECT_EQ(ending(1, false), "start 2");
  EXPECT_EQ(ended(1), "");
  EXPECT_FALSE(pool().broken());
}

TEST_F(ChildPoolTest, OneIsStartedToSeeEverMoreRarely) {
  begin({2, 3, 0});
  EXPECT_EQ(decide(), "start 1, start 2");
  EXPECT_EQ(ended(1, "no"), "broken: no");
  EXPECT_EQ(ended(2, "no"), "");
  for (uint64_t child = 3; const Duration wait : {1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s}) {
    EXPECT_EQ(wakeup_in(), wait);
    EXPECT_EQ(pool().probe_at(), now_ + wait);
    pass(wait - 1ms);
    EXPECT_EQ(decide(), "");
    pass(1ms);
    EXPECT_EQ(decide(), "start " + std::to_string(child));  // one alone, of two
    EXPECT_EQ(pool().probe_at(), std::nullopt);
    EXPECT_EQ(wakeup_in(), std::nullopt);
    EXPECT_EQ(ended(child, "still"), "");  // told once
    ++child;
  }
}

// Else a pool of many would be looked at after a minute first.
TEST_F(ChildPoolTest, ProcessesThatWereStartedTogetherFailOnce) {
  begin({8, 8, 0});
  decide();
  EXPECT_EQ(ended(1, "no"), "broken: no");
  for (uint64_t child = 2; child <= 7; ++child) EXPECT_EQ(ended(child), "");
  EXPECT_EQ(wakeup_in(), 1s);
  pass(10s);
  EXPECT_EQ(decide(), "");  // the last of them may still get ready
  EXPECT_EQ(ended(8), "start 9");
  EXPECT_EQ(ended(9), "");
  EXPECT_EQ(wakeup_in(), 2s);
}

TEST_F(ChildPoolTest, AfterOneHasGotReadyTheNextThatDoesNotIsNew) {
  begin({3, 3, 0});
  EXPECT_EQ(decide(), "start 1, start 2, start 3");
  EXPECT_EQ(ended(1, "no"), "broken: no");
  EXPECT_EQ(ready(2), "start 4, mended");
  EXPECT_EQ(ended(3, "no"), "");
  EXPECT_EQ(wakeup_in(), 1s);
}

TEST_F(ChildPoolTest, WhenOneIsReadyItIsMendedAndTheWaitBeginsAnew) {
  begin({2, 3, 0});
  EXPECT_EQ(decide(), "start 1, start 2");
  EXPECT_EQ(ended(1, "no"), "broken: no");
  EXPECT_EQ(ended(2, "no"), "");
  pass(1s);
  EXPECT_EQ(decide(), "start 3");
  EXPECT_EQ(ended(3), "");
  pass(2s);
  EXPECT_EQ(decide(), "start 4");
  EXPECT_EQ(ready(4), "start 5, mended");
  EXPECT_EQ(ending(4, true), "");
  EXPECT_EQ(ended(4), "");
  EXPECT_EQ(ended(5, "again"), "broken: again");
  EXPECT_EQ(wakeup_in(), 1s);
}

TEST_F(ChildPoolTest, WhileAnotherServesAFailedStartTurnsNothingAway) {
  begin_ready({0, 2, 0}, 1);
  EXPECT_EQ(wanted(1), "give 1 e1");
  EXPECT_EQ(wanted(2), "start 2");
  EXPECT_EQ(ended(2, "no"), "");
  EXPECT_FALSE(pool().broken());
  EXPECT_EQ(wakeup_in(), 1s);
  EXPECT_EQ(answered(1), "give 1 e2");
  EXPECT_EQ(wanted(3), "");
  pass(1s);
  EXPECT_EQ(decide(), "start 3");
  EXPECT_EQ(ended(3, "no"), "");
  EXPECT_EQ(wakeup_in(), 2s);
}

TEST_F(ChildPoolTest, BrokenAlsoWhenTheLastReadyOneGoesLater) {
  begin_ready({0, 2, 0}, 1);
  EXPECT_EQ(wanted(1), "give 1 e1");
  EXPECT_EQ(wanted(2), "start 2");
  EXPECT_EQ(ended(2, "no"), "");
  EXPECT_EQ(ended(1, "it ended"), "broken: no, away e2");
  EXPECT_EQ(wakeup_in(), 1s);  // the probe's, not the shorter one after a fault
}

TEST_F(ChildPoolTest, OneThatIsEndingIsNotReady) {
  begin_ready({0, 2, 0}, 1);
  EXPECT_EQ(wanted(1), "give 1 e1");
  EXPECT_EQ(wanted(2), "start 2");
  EXPECT_EQ(ending(1, false), "");
  EXPECT_EQ(ended(2, "no"), "broken: no, away e2");
}

// --- ends by themselves ------------------------------------------------------

TEST_F(ChildPoolTest, AfterAFaultTheNextOneWaitsEverLonger) {
  begin_ready({1, 1, 0}, 1);
  uint64_t child = 1;
  for (const Duration wait : {100ms, 200ms, 400ms, 800ms, 1600ms, 3200ms, 6400ms, 10000ms,
                              10000ms}) {
    EXPECT_EQ(wanted(child), "give " + std::to_string(child) + " e" + std::to_string(child));
    EXPECT_EQ(ended(child), "");
    EXPECT_EQ(wakeup_in(), wait);
    pass(wait - 1ms);
    EXPECT_EQ(decide(), "");
    pass(1ms);
    EXPECT_EQ(decide(), "start " + std::to_string(++child));
    EXPECT_EQ(ready(child), "");
  }
  EXPECT_EQ(wanted(100), "give " + std::to_string(child) + " e100");
  EXPECT_EQ(answered(child), "");
  EXPECT_EQ(ended(child), "");  // an idle one, too
  EXPECT_EQ(wakeup_in(), 100ms);
}

TEST_F(ChildPoolTest, AFaultIsCountedOnceFromWhenItIsKnown) {
  begin_ready({1, 1, 0}, 1);
  EXPECT_EQ(wanted(1), "give 1 e1");
  EXPECT_EQ(ending(1, true), "");
  EXPECT_EQ(wakeup_in(), 100ms);
  pass(40ms);
  EXPECT_EQ(ending(1, true), "");
  EXPECT_EQ(ended(1), "");
  EXPECT_EQ(wakeup_in(), 60ms);
}

TEST_F(ChildPoolTest, OneThatWasStoppedIsNoFault) {
  begin_ready({1, 2, 0}, 1);
  EXPECT_EQ(wanted(1), "give 1 e1");
  EXPECT_EQ(ending(1, false), "start 2");
  EXPECT_EQ(ended(1), "");
  EXPECT_EQ(pool().next_wakeup(), std::nullopt);
}

TEST_F(ChildPoolTest, AFaultLeavesTheQueueWhereItIs) {
  begin_ready({0, 1, 0}, 1);
  EXPECT_EQ(wanted(1), "give 1 e1");
  EXPECT_EQ(wanted(2), "");
  EXPECT_EQ(ended(1), "");
  pass(100ms);
  EXPECT_EQ(decide(), "start 2");
  EXPECT_EQ(ready(2), "give 2 e2");
}

// --- attempts that are not wanted any more -----------------------------------

TEST_F(ChildPoolTest, WithdrawnIsWhatWasGivenToNobody) {
  begin({0, 1, 0});
  wanted(1);
  wanted(2);
  EXPECT_EQ(ready(1), "give 1 e1");
  EXPECT_FALSE(pool().withdrawn(Seq{1}));
  EXPECT_TRUE(pool().withdrawn(Seq{2}));
  EXPECT_FALSE(pool().withdrawn(Seq{2}));
  EXPECT_FALSE(pool().withdrawn(Seq{3}));
  EXPECT_EQ(answered(1), "");
}

// --- the operator ------------------------------------------------------------

TEST_F(ChildPoolTest, AnotherCommandReplacesAllProcesses) {
  begin_ready({3, 6, 0}, 2);
  EXPECT_EQ(wanted(1), "give 2 e1");
  EXPECT_EQ(changed({1, 6, 0}, true), "retire 1, retire 3, start 4");
  EXPECT_EQ(answered(2), "retire 2");
  EXPECT_EQ(ended(3, "no"), "");  // it was not waited for any more
  EXPECT_FALSE(pool().broken());
  EXPECT_EQ(wanted(2), "");
  EXPECT_EQ(ready(4), "give 4 e2");
}

TEST_F(ChildPoolTest, AnotherCommandKeepsTheQueue) {
  begin({0, 1, 0});
  EXPECT_EQ(wanted(1), "start 1");
  EXPECT_EQ(changed({0, 1, 0}, true), "retire 1");
  EXPECT_EQ(ended(1), "start 2");
  EXPECT_EQ(ready(2), "give 2 e1");
}

TEST_F(ChildPoolTest, AnotherCommandIsTriedAtOnce) {
  begin({1, 1, 0});
  decide();
  EXPECT_EQ(ended(1, "no"), "broken: no");
  EXPECT_EQ(changed({1, 1, 0}, true), "start 2, mended");
  EXPECT_EQ(ended(2, "no"), "broken: no");
  EXPECT_EQ(wakeup_in(), 1s);
  pass(1s);
  EXPECT_EQ(decide(), "start 3");
  EXPECT_EQ(ready(3), "mended");
  EXPECT_EQ(ended(3), "");
  EXPECT_EQ(wakeup_in(), 100ms);
  EXPECT_EQ(changed({1, 1, 0}, true), "start 4");
}

TEST_F(ChildPoolTest, AFaultOfTheOldCommandIsNoneOfTheNew) {
  begin_ready({0, 3, 0}, 2);
  EXPECT_EQ(wanted(1), "give 2 e1");
  EXPECT_EQ(wanted(2), "give 1 e2");
  changed({0, 3, 0}, true);
  EXPECT_EQ(ending(2, true), "");
  EXPECT_EQ(ended(1), "");
  EXPECT_EQ(pool().next_wakeup(), std::nullopt);
}

TEST_F(ChildPoolTest, TheSameCommandKeepsProcessesAndWaits) {
  begin({1, 1, 0});
  decide();
  EXPECT_EQ(ended(1, "no"), "broken: no");
  EXPECT_EQ(changed({2, 2, 0}, false), "");
  EXPECT_TRUE(pool().broken());
  EXPECT_EQ(wakeup_in(), 1s);
  pass(1s);
  EXPECT_EQ(decide(), "start 2");
  EXPECT_EQ(ready(2), "start 3, mended");
}

TEST_F(ChildPoolTest, MoreAreStartedWhenTheLeastIsRaised) {
  begin_ready({0, 3, 0}, 1);
  EXPECT_EQ(changed({2, 3, 0}, false), "start 2");
}

TEST_F(ChildPoolTest, WhatIsBeyondALoweredMostGoesWhenItIsIdle) {
  begin_ready({0, 4, 0}, 4);
  EXPECT_EQ(wanted(1), "give 4 e1");
  EXPECT_EQ(wanted(2), "give 3 e2");
  EXPECT_EQ(changed({0, 1, 0}, false), "retire 1, retire 2");
  EXPECT_EQ(wanted(3), "");
  EXPECT_EQ(answered(3), "retire 3");  // although something waits
  EXPECT_EQ(ended(1) + ended(2) + ended(3), "");
  EXPECT_EQ(answered(4), "give 4 e3");
}

TEST_F(ChildPoolTest, WhatIsNotReadyYetGoesFirstWhenTheMostIsLowered) {
  begin_ready({0, 4, 0}, 1);
  EXPECT_EQ(wanted(1), "give 1 e1");
  EXPECT_EQ(wanted(2), "start 2");
  EXPECT_EQ(wanted(3), "start 3");
  EXPECT_EQ(ready(2), "give 2 e2");
  EXPECT_EQ(answered(2), "give 2 e3");
  EXPECT_EQ(changed({0, 2, 0}, false), "retire 3");
  EXPECT_EQ(ended(3, "no"), "");
  EXPECT_FALSE(pool().broken());
}

TEST_F(ChildPoolTest, ClosedItEndsAllAndTurnsAwayWhatWaits) {
  begin_ready({1, 2, 0}, 2);
  EXPECT_EQ(wanted(1), "give 2 e1");
  EXPECT_EQ(wanted(2), "give 1 e2");
  EXPECT_EQ(wanted(3), "");
  EXPECT_EQ(answered(1), "give 1 e3");
  EXPECT_EQ(wanted(4), "");
  EXPECT_EQ(closed(), "away e4");
  EXPECT_EQ(answered(1), "retire 1");
  EXPECT_EQ(ended(1), "");
  EXPECT_EQ(wanted(5), "away e5");
  EXPECT_FALSE(pool().empty());
  EXPECT_EQ(ended(2), "");
  EXPECT_TRUE(pool().empty());
  EXPECT_EQ(pool().next_wakeup(), std::nullopt);
}

TEST_F(ChildPoolTest, ClosedWhileBrokenItIsNotBrokenAnyMore) {
  begin({1, 2, 0});
  decide();
  EXPECT_EQ(ended(1, "no"), "broken: no");
  EXPECT_EQ(closed(), "mended");
  EXPECT_EQ(pool().next_wakeup(), std::nullopt);
  pass(1h);
  EXPECT_EQ(decide(), "");
  EXPECT_EQ(changed({1, 2, 0}, true), "start 2");
}

TEST_F(ChildPoolTest, ClosedWhileOneStartsItsEndIsNoFault) {
  begin({1, 2, 0});
  decide();
  EXPECT_EQ(closed(), "retire 1");
  EXPECT_EQ(ended(1, "no"), "");
  EXPECT_TRUE(pool().empty());
  EXPECT_FALSE(pool().broken());
}

}  // namespace
}  // namespace holdfast::pool
