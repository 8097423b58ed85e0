// ChildPool and the operator: another command, other bounds, the end.
#include "tests/pool/pool_story.h"

namespace holdfast::pool {
namespace {

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
