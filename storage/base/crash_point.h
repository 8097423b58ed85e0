// Crash points: named moments at which a test has the process killed, as by a power cut
// of its own: HOLDFAST_CRASH_AT=after_wal_sync:17 sends SIGKILL to the process when it
// passes that point for the 17th time. With a third number, after_wal_sync:17:30, the
// thread stands still there for 30 ms first, and what else runs goes on: whatever left too
// early has time to be seen.
//
//    crash_point("after_wal_sync");
//
// They exist only in builds with HOLDFAST_TEST_HOOKS; in all others nothing of them
// remains. Any thread may pass one. tests/crash/points.py lists them with their reasons;
// the kill test (tests/crash/kill_test.py) aims at each and must reach each.
#pragma once

#ifdef HOLDFAST_TEST_HOOKS

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <string>
#include <string_view>

namespace holdfast {

struct CrashPlan {
  std::string point;  // empty: no crash
  std::atomic<int64_t> passes_left{1};
  std::chrono::milliseconds pause{0};

  // point[:passes[:pause]]
  CrashPlan() {
    const char* wanted = std::getenv("HOLDFAST_CRASH_AT");
    if (wanted == nullptr) return;
    const std::string_view text{wanted};
    const size_t passes_at = text.find(':');
    point = text.substr(0, passes_at);
    if (passes_at == std::string_view::npos) return;
    passes_left = std::atoll(wanted + passes_at + 1);
    const size_t pause_at = text.find(':', passes_at + 1);
    if (pause_at == std::string_view::npos) return;
    pause = std::chrono::milliseconds{std::atoll(wanted + pause_at + 1)};
  }
};

inline void crash_point(std::string_view point) {
  static CrashPlan plan;
  if (plan.point != point) return;
  if (plan.passes_left.fetch_sub(1) != 1) return;
  std::mutex mutex;
  std::unique_lock lock{mutex};
  std::condition_variable{}.wait_for(lock, plan.pause);
  std::raise(SIGKILL);
}

}  // namespace holdfast

#else

namespace holdfast {
constexpr void crash_point(const char* /*point*/) {}
}  // namespace holdfast

#endif
