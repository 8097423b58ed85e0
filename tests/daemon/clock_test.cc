#include "daemon/clock.h"

#include <gtest/gtest.h>

namespace holdfast::daemon {
namespace {

constexpr int64_t kHour = 3600 * 1000;
constexpr int64_t kIn2026 = 1'770'000'000'000;

ClockReading reading(const std::string& boot, int64_t boottime_ms, int64_t wall_ms,
                     bool synchronised) {
  return {boot, boottime_ms, wall_ms, synchronised};
}

storage::ClockStamp never_ran() { return {}; }

TEST(Clock, AdvancesByTheTimeSinceBootWhateverTheWallClockDoes) {
  Clock clock{never_ran(), reading("a", 1000, kIn2026, false), false};
  const Moment first = clock.advance(reading("a", 1000, kIn2026, false));
  const Moment later = clock.advance(reading("a", 6000, kIn2026 - kHour, false));
  EXPECT_EQ(later.now - first.now, Duration{5000});
  EXPECT_EQ(later.lit - first.lit, Duration{5000});
  EXPECT_EQ(to_ms(later.wall), kIn2026 - kHour);
}

TEST(Clock, NeverGoesBackWhenASynchronisedWallClockIsBehind) {
  Clock clock{never_ran(), reading("a", 1000, kIn2026, true), false};
  const Moment first = clock.advance(reading("a", 1000, kIn2026, true));
  const Moment later = clock.advance(reading("a", 2000, kIn2026 - kHour, true));
  EXPECT_EQ(later.now - first.now, Duration{1000});
}

TEST(Clock, LearningTheDateMovesDueTimesButNotAges) {
  Clock clock{never_ran(), reading("a", 1000, 5000, false), false};
  const Moment in_1970 = clock.advance(reading("a", 2000, 6000, false));
  const Moment in_2026 = clock.advance(reading("a", 3000, kIn2026, true));
  EXPECT_EQ(to_ms(in_2026.now), kIn2026);
  EXPECT_EQ(in_2026.lit - in_1970.lit, Duration{1000});
}

TEST(Clock, AnUnsynchronisedWallClockIsNotBelieved) {
  Clock clock{never_ran(), reading("a", 1000, 5000, false), false};
  const Moment moment = clock.advance(reading("a", 2000, kIn2026, false));
  EXPECT_EQ(to_ms(moment.now), 6000);
}

TEST(Clock, TheTimeBetweenTwoLivesOnOneBootCounts) {
  Clock first{never_ran(), reading("a", 1000, kIn2026, false), false};
  const Moment before = first.advance(reading("a", 2000, kIn2026, false));
  Clock second{first.stamp(), reading("a", 2000 + kHour, 0, false), false};
  const Moment after = second.advance(reading("a", 2000 + kHour, 0, false));
  EXPECT_EQ(after.now - before.now, Duration{kHour});
  EXPECT_EQ(after.lit - before.lit, Duration{kHour});
}

TEST(Clock, AfterARebootItGoesOnWhereItStood) {
  Clock first{never_ran(), reading("a", 1000, kIn2026, false), false};
  const Moment before = first.advance(reading("a", 2000, kIn2026, false));
  Clock second{first.stamp(), reading("b", 500, 0, false), false};
  const Moment after = second.advance(reading("b", 700, 0, false));
  EXPECT_EQ(after.now - before.now, Duration{200});
}

TEST(Clock, ADarkWeekendAgesNothingUnlessItIsToldTo) {
  for (const bool dark_time_ages : {false, true}) {
    Clock first{never_ran(), reading("a", 1000, kIn2026, true), dark_time_ages};
    const Moment before = first.advance(reading("a", 1000, kIn2026, true));
    Clock second{first.stamp(), reading("b", 500, kIn2026 + 48 * kHour, true), dark_time_ages};
    const Moment after = second.advance(reading("b", 500, kIn2026 + 48 * kHour, true));
    EXPECT_EQ(after.now - before.now, Duration{48 * kHour});
    EXPECT_EQ(after.lit - before.lit, dark_time_ages ? Duration{48 * kHour} : Duration{0});
  }
}

TEST(Clock, ReadsTheKernel) {
  const ClockReading one = read_kernel_clocks();
  const ClockReading two = read_kernel_clocks();
  EXPECT_FALSE(one.boot_id.empty());
  EXPECT_EQ(one.boot_id, two.boot_id);
  EXPECT_LE(one.boottime_ms, two.boottime_ms);
}

}  // namespace
}  // namespace holdfast::daemon
