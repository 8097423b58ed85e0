// Instants and lengths. Nothing here asks a clock.
//
// Four scales, four types, so that they cannot be mixed up:
//
//   TimePoint  the core's time: milliseconds since 1970 as well as this box can
//              know it. Never goes back, across restarts too. Due times use it.
//   LitPoint   the same clock less all the time the box spent switched off (or
//              did not know the date). Ages and retentions use it: neither a
//              dark weekend nor the first NTP answer may age an event or let an
//              idempotency key expire.
//   UpPoint    since the box came up: only elapses, and means nothing to a later
//              boot. How long what runs now may still run uses it.
//   WallTime   what the kernel's clock says, right or wrong. Shown to people,
//              never compared.
#pragma once

#include <chrono>
#include <cstdint>

namespace holdfast {

using Duration = std::chrono::milliseconds;

struct CoreClock {
  using rep = int64_t;
  using period = std::milli;
  using duration = Duration;
  using time_point = std::chrono::time_point<CoreClock, Duration>;
  static constexpr bool is_steady = true;
};
struct LitClock {
  using rep = int64_t;
  using period = std::milli;
  using duration = Duration;
  using time_point = std::chrono::time_point<LitClock, Duration>;
  static constexpr bool is_steady = true;
};
struct UpClock {
  using rep = int64_t;
  using period = std::milli;
  using duration = Duration;
  using time_point = std::chrono::time_point<UpClock, Duration>;
  static constexpr bool is_steady = true;
};
struct WallClock {
  using rep = int64_t;
  using period = std::milli;
  using duration = Duration;
  using time_point = std::chrono::time_point<WallClock, Duration>;
  static constexpr bool is_steady = false;
};

using TimePoint = CoreClock::time_point;
using LitPoint = LitClock::time_point;
using UpPoint = UpClock::time_point;
using WallTime = WallClock::time_point;

// One reading of all four: what every fact that reaches the core carries.
struct Moment {
  TimePoint now;
  LitPoint lit;
  WallTime wall;
  UpPoint up{};
};

// Millisecond counts, for the borders only: keys, records, the wire.
template <class Point>
constexpr int64_t to_ms(Point point) {
  return point.time_since_epoch().count();
}
template <class Point>
constexpr Point from_ms(int64_t ms) {
  return Point{Duration{ms}};
}

}  // namespace holdfast
