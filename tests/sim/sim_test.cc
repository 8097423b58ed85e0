// Runs simulations, each twice: once to see that nothing goes wrong, and once more to
// see that the seed decides everything.
//
//   sim_test [--seeds N] [--from S]   N seeds from S on (300 from 1), after those that
//                                     ever failed (tests/sim/regressions.txt)
//   sim_test --seed S                 one seed
//   HOLDFAST_SOAK=SECONDS sim_test    for so long, from a random seed on
//
// The seed is printed before its run, so that a crash cannot hide it. One that fails is
// added to regressions.txt, and runs before all others from then on.
#include <gtest/gtest.h>

#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/simulation.h"

namespace holdfast::sim {
namespace {

struct Options {
  uint64_t seeds = 300;
  uint64_t from = 1;
  std::optional<uint64_t> seed;
  std::optional<std::chrono::steady_clock::time_point> end;  // of a long run

  bool is_over(uint64_t next) const {
    return end ? std::chrono::steady_clock::now() > *end : next >= from + seeds;
  }
};
Options options;

constexpr size_t kComplaintsShownMax = 20;

std::string regressions_path() {
  const char* root = std::getenv("HOLDFAST_SOURCE_ROOT");
  return std::string{root == nullptr ? "." : root} + "/tests/sim/regressions.txt";
}

// Not for mutants, which fail on purpose.
void keep_seed(uint64_t seed) {
  if (options.seed || std::getenv("HOLDFAST_MUTANT") != nullptr) return;
  std::ofstream file{regressions_path(), std::ios::app};
  if (file << seed << '\n') std::printf("kept in tests/sim/regressions.txt: commit it\n");
}

void run_seed(uint64_t seed) {
  std::printf("seed %" PRIu64 "\n", seed);
  std::fflush(stdout);
  const Outcome first = Simulation{seed}.run();
  std::printf("  %" PRIu64 " steps, %zu events, %zu endings, %u crashes\n", first.steps,
              first.events, first.endings, first.crashes);
  const Outcome second = Simulation{seed}.run();
  EXPECT_EQ(first.trace, second.trace) << "the seed does not decide everything";
  for (size_t n = 0; n < std::min(first.complaints.size(), kComplaintsShownMax); ++n) {
    ADD_FAILURE() << first.complaints[n];
  }
  if (!testing::Test::HasFailure()) return;
  std::printf("to repeat: sim_test --seed %" PRIu64 "\n", seed);
  keep_seed(seed);
}

std::vector<uint64_t> regressions() {
  std::ifstream file{regressions_path()};
  EXPECT_TRUE(file.is_open()) << "set HOLDFAST_SOURCE_ROOT, or run it from the source folder";
  std::vector<uint64_t> seeds;
  for (std::string line; std::getline(file, line);) {
    if (!line.empty() && line[0] != '#') seeds.push_back(std::stoull(line));
  }
  return seeds;
}

TEST(Simulation, SeedsThatOnceFailedPass) {
  if (options.seed) GTEST_SKIP() << "one seed was asked for";
  for (uint64_t seed : regressions()) {
    run_seed(seed);
    if (HasFailure()) return;
  }
}

TEST(Simulation, NothingGoesWrongAndEverythingDrains) {
  if (options.seed) return run_seed(*options.seed);
  uint64_t seed = options.from;
  for (; !options.is_over(seed); ++seed) {
    run_seed(seed);
    if (HasFailure()) return;
  }
  std::printf("%" PRIu64 " seeds from %" PRIu64 " on, each twice\n", seed - options.from,
              options.from);
}

void parse(int argc, char** argv) {
  if (const char* seconds = std::getenv("HOLDFAST_SOAK")) {
    options.end = std::chrono::steady_clock::now() + std::chrono::seconds{std::atoll(seconds)};
    options.from = 1'000'000 + std::random_device{}() % 1'000'000'000ull;
  }
  for (int n = 1; n + 1 < argc; n += 2) {
    const std::string_view name{argv[n]};
    const uint64_t number = std::strtoull(argv[n + 1], nullptr, 10);
    if (name == "--seeds") options.seeds = number;
    if (name == "--from") options.from = number;
    if (name == "--seed") options.seed = number;
  }
}

}  // namespace
}  // namespace holdfast::sim

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  holdfast::sim::parse(argc, argv);
  return RUN_ALL_TESTS();
}
