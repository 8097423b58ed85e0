// ChildPool, rule by rule: facts in, decisions out, as one line of words each.
#include "tests/pool/pool_story.h"

namespace holdfast::pool {
namespace {

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
  EXPECT_EQ(wakeup_in(), 1s);  // one has answered in between
}

TEST_F(ChildPoolTest, BrokenAlsoWhenTheLastReadyOneGoesLater) {
  begin_ready({0, 2, 0}, 1);
  EXPECT_EQ(wanted(1), "give 1 e1");
  EXPECT_EQ(wanted(2), "start 2");
  EXPECT_EQ(ended(2, "no"), "");
  EXPECT_EQ(ended(1, "it ended"), "broken: no, away e2");
  EXPECT_EQ(wakeup_in(), 1s);  // the probe's, not the shorter one after a fault
}

TEST_F(ChildPoolTest, AnOldFailureIsForgottenOnceOneHasAnswered) {
  begin_ready({0, 2, 0}, 1);
  EXPECT_EQ(wanted(1), "give 1 e1");
  EXPECT_EQ(wanted(2), "start 2");
  EXPECT_EQ(ended(2, "no"), "");
  EXPECT_EQ(answered(1), "give 1 e2");
  EXPECT_EQ(answered(1), "");
  pass(60s);
  EXPECT_EQ(decide(), "retire 1");
  EXPECT_EQ(ended(1), "");
  pass(1h);
  EXPECT_EQ(wanted(3), "start 3");
  EXPECT_FALSE(pool().broken());
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

}  // namespace
}  // namespace holdfast::pool
