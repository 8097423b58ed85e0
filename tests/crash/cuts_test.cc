// Power cuts under the real RocksDB: whole lives of the daemon, rolled from seeds as in
// the simulation, with the same clients and the same checker, on a disk that goes off in
// the middle of any I/O, also while the store is opening.
//
//   crash_test [--cuts N] [--from S]   seeds from S on (1), until N lives were cut (1,000)
//   crash_test --seed S                one seed
//
// RocksDB's own threads run freely, so a seed does not repeat to the last I/O; a failing
// one is worth some tries.
#include <gtest/gtest.h>

#include <cinttypes>
#include <cstdio>

#include "tests/crash/crash_options.h"
#include "tests/crash/rocks_disk.h"
#include "tests/sim/simulation.h"

namespace holdfast::crash {
namespace {

constexpr size_t kComplaintsShownMax = 20;

DeathCounts& operator+=(DeathCounts& sum, const DeathCounts& more) {
  sum.cuts += more.cuts;
  sum.torn += more.torn;
  sum.sigkills += more.sigkills;
  sum.opening += more.opening;
  sum.faults += more.faults;
  sum.reused += more.reused;
  return sum;
}

// Some seeds die early and often, some late; some also meet failing syncs or a full disk.
RandomFaults roll_faults(Random& random) {
  RandomFaults faults;
  faults.ios_max = random.chance(30) ? 150 : 600;
  if (random.chance(15)) faults.sync_fails_max = 60;
  if (random.chance(15)) faults.space_max = 400'000;
  return faults;
}

Deaths roll_deaths(Random& random) {
  Deaths deaths;
  deaths.sigkill_percent = random.chance(50) ? 0 : 50;
  deaths.flush_percent = random.chance(50) ? 2 : 25;
  return deaths;
}

DeathCounts run_seed(uint64_t seed) {
  std::printf("seed %" PRIu64 "\n", seed);
  std::fflush(stdout);
  Random random{seed};
  ArmFaults faults = random_faults(random.next(), roll_faults(random));
  const auto disk =
      std::make_shared<RocksDisk>(random.next(), std::move(faults), roll_deaths(random));
  sim::Simulation simulation{random, &sim::Plan::roll_for_cuts, disk};
  sim::Outcome outcome = simulation.run();
  std::vector<std::string> complaints = disk->complaints();
  complaints.insert(complaints.end(), outcome.complaints.begin(), outcome.complaints.end());
  for (size_t n = 0; n < std::min(complaints.size(), kComplaintsShownMax); ++n) {
    ADD_FAILURE() << "seed " << seed << ": " << complaints[n];
  }
  if (!complaints.empty()) std::printf("to repeat: crash_test --seed %" PRIu64 "\n", seed);
  return disk->counts();
}

TEST(PowerCuts, lose_nothing_that_was_acknowledged) {
  if (options().seed) {
    run_seed(*options().seed);
    return;
  }
  DeathCounts sum;
  uint64_t seed = options().from;
  for (; sum.cuts < options().cuts && !HasFailure() && !options().time_is_over(); ++seed) {
    sum += run_seed(seed);
  }
  std::printf("%" PRIu64 " seeds, %" PRIu64 " power cuts (%" PRIu64
              " with torn sectors), %" PRIu64 " SIGKILLs; %" PRIu64
              " of all these while opening; %" PRIu64 " logs were written over older ones\n",
              seed - options().from, sum.cuts, sum.torn, sum.sigkills, sum.opening, sum.reused);
  if (sum.cuts >= 100) {
    EXPECT_GT(sum.reused, sum.cuts / 20);
  }
}

}  // namespace
}  // namespace holdfast::crash
