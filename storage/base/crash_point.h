// Crash points: named moments at which a test has the process killed, as by a power cut
// of its own: HOLDFAST_CRASH_AT=after_wal_sync:17 sends SIGKILL to the process when it
// passes that point for the 17th time.
//
//    crash_point("after_wal_sync");
//
// They exist only in builds with HOLDFAST_TEST_HOOKS; in all others nothing of them
// remains. Any thread may pass one. tests/crash/points.py lists them with their reasons;
// the kill test (tests/crash/kill_test.py) aims at each and must reach each.
#pragma once

#ifdef HOLDFAST_TEST_HOOKS

#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace holdfast {

struct CrashPlan {
  std::string point;  // empty: no crash
  std::atomic<int64_t> passes_left{0};

  CrashPlan() {
    const char* wanted = std::getenv("HOLDFAST_CRASH_AT");
    if (wanted == nullptr) return;
    const std::string_view text{wanted};
    const size_t colon = text.rfind(':');
    point = text.substr(0, colon);
    passes_left = colon == std::string_view::npos ? 1 : std::atoll(wanted + colon + 1);
  }
};

inline void crash_point(std::string_view point) {
  static CrashPlan plan;
  if (plan.point != point) return;
  if (plan.passes_left.fetch_sub(1) == 1) std::raise(SIGKILL);
}

}  // namespace holdfast

#else

namespace holdfast {
constexpr void crash_point(const char* /*point*/) {}
}  // namespace holdfast

#endif
