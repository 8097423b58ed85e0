// What crash_test was asked to do on its command line; see cuts_test.cc.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace holdfast::crash {

struct CrashOptions {
  uint64_t cuts = 1000;
  uint64_t from = 1;
  std::optional<uint64_t> seed;
  std::optional<std::chrono::steady_clock::time_point> end;  // of a long run

  bool time_is_over() const { return end && std::chrono::steady_clock::now() > *end; }
};
CrashOptions& options();

}  // namespace holdfast::crash
