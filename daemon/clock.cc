#include "daemon/clock.h"

#include <sys/timex.h>
#include <time.h>

#include <algorithm>
#include <fstream>

namespace holdfast::daemon {
namespace {

int64_t clock_ms(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<int64_t>(time.tv_sec) * 1000 + time.tv_nsec / 1000000;
}

const std::string& boot_id() {
  static const std::string id = [] {
    std::ifstream file("/proc/sys/kernel/random/boot_id");
    std::string text;
    std::getline(file, text);
    return text;
  }();
  return id;
}

// Asked for at most once a second: the answer changes a few times in a box's life.
bool synchronised(int64_t boottime_ms) {
  static int64_t asked_at = -1000;
  static bool answer = false;
  if (boottime_ms - asked_at >= 1000) {
    asked_at = boottime_ms;
    timex state{};
    answer = adjtimex(&state) >= 0 && (state.status & STA_UNSYNC) == 0;
  }
  return answer;
}

}  // namespace

ClockReading read_kernel_clocks() {
  ClockReading reading;
  reading.boot_id = boot_id();
  reading.boottime_ms = clock_ms(CLOCK_BOOTTIME);
  reading.wall_ms = clock_ms(CLOCK_REALTIME);
  reading.wall_synchronised = synchronised(reading.boottime_ms);
  return reading;
}

Clock::Clock(const storage::ClockStamp& saved, const ClockReading& first, bool dark_time_ages)
    : dark_time_ages_(dark_time_ages), stamp_(saved) {
  const bool never_ran = saved.boot_id.empty();
  const bool same_boot = saved.boot_id == first.boot_id && saved.boottime_ms <= first.boottime_ms;
  if (never_ran) {
    stamp_.now = from_ms<TimePoint>(std::max<int64_t>(first.wall_ms, 0));
    stamp_.lit = from_ms<LitPoint>(to_ms(stamp_.now));
  }
  if (never_ran || !same_boot) {
    // How long the box was off is not known yet; the wall clock may tell later.
    stamp_.boot_id = first.boot_id;
    stamp_.boottime_ms = first.boottime_ms;
  }
}

Moment Clock::advance(const ClockReading& reading) {
  const Duration lived{std::max<int64_t>(reading.boottime_ms - stamp_.boottime_ms, 0)};
  stamp_.boottime_ms += lived.count();
  stamp_.now += lived;
  stamp_.lit += lived;
  const TimePoint wall = from_ms<TimePoint>(reading.wall_ms);
  if (reading.wall_synchronised && wall > stamp_.now) {
    const Duration dark = wall - stamp_.now;
    stamp_.now = wall;
    if (dark_time_ages_) stamp_.lit += dark;
  }
  return Moment{stamp_.now, stamp_.lit, from_ms<WallTime>(reading.wall_ms),
                from_ms<UpPoint>(stamp_.boottime_ms)};
}

}  // namespace holdfast::daemon
