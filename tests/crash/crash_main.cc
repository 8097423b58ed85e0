// The power-cut tests' main(): see cuts_test.cc for the command line.
#include <gtest/gtest.h>

#include <cstdlib>
#include <limits>
#include <string_view>

#include "tests/crash/crash_options.h"

namespace holdfast::crash {

CrashOptions& options() {
  static CrashOptions options;
  return options;
}

namespace {

// HOLDFAST_SOAK is the length of a long run in seconds.
void parse(int argc, char** argv) {
  CrashOptions& wanted = options();
  if (const char* soak = std::getenv("HOLDFAST_SOAK")) {
    wanted.cuts = std::numeric_limits<uint64_t>::max();
    wanted.end = std::chrono::steady_clock::now() + std::chrono::seconds{std::atoll(soak)};
  }
  for (int n = 1; n + 1 < argc; n += 2) {
    const std::string_view name{argv[n]};
    const uint64_t number = std::strtoull(argv[n + 1], nullptr, 10);
    if (name == "--cuts") wanted.cuts = number;
    if (name == "--from") wanted.from = number;
    if (name == "--seed") wanted.seed = number;
  }
}

}  // namespace
}  // namespace holdfast::crash

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  holdfast::crash::parse(argc, argv);
  return RUN_ALL_TESTS();
}
