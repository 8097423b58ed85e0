// A short script, and a fault at every place that it has: power goes in I/O number 1, 2,
// 3, ... in every way of surviving; sync number 1, 2, 3, ... fails; the disk is full from
// I/O number 1, 2, 3, ... on. It ends when the script is over before its fault comes.
// Every other run is hit again while it recovers.
//
// The script begins on a database that was made before, since making one takes a
// thousand I/Os; cutting those short has a test of its own.
#include <gtest/gtest.h>

#include <array>
#include <cstdio>

#include "tests/crash/rocks_disk.h"
#include "tests/sim/simulation.h"

namespace holdfast::crash {
namespace {

using sim::Move;

// Twenty operations that touch every family: events with and without a key, retries, dead
// letters with all their records, a redrive, a synchronous call, a queue's messages.
constexpr std::array kScript{
    Move::repeat_key,    Move::finish_handler, Move::time,           Move::finish_handler,
    Move::repeat_key,    Move::submit,         Move::finish_handler, Move::time,
    Move::finish_handler, Move::call,          Move::finish_handler, Move::redrive,
    Move::finish_handler, Move::queue,         Move::queue,          Move::queue,
    Move::submit,        Move::cancel,         Move::finish_handler, Move::queue,
};

// Far beyond what the script needs.
constexpr uint64_t kPlacesMax = 3000;

// A start takes about so many I/Os; the second hit wanders over them.
constexpr uint64_t kStartIos = 160;

// Its files, closed as a dead process leaves them.
const std::map<std::string, std::string>& made_before() {
  static const std::map<std::string, std::string> files = [] {
    RocksDisk disk{1, nullptr, {.sigkill_percent = 0, .survival = Survival::nothing}};
    CHECK(disk.open() != nullptr);
    disk.close();
    return disk.disk().files();
  }();
  return files;
}

struct Run {
  bool hit = false;
  std::vector<std::string> complaints;
};

Run run_script(const ArmFaults& arm, const Deaths& deaths, bool from_nothing) {
  const auto disk = std::make_shared<RocksDisk>(1, arm, deaths);
  if (!from_nothing) {
    disk->disk().make_directory("/db");
    for (const auto& [path, bytes] : made_before()) disk->disk().overwrite(path, bytes);
  }
  sim::Simulation simulation{Random{20}, &sim::Plan::of_script, disk};
  sim::Outcome outcome = simulation.follow(kScript);
  Run run{disk->counts().faults + disk->counts().opening > 0, disk->complaints()};
  run.complaints.insert(run.complaints.end(), outcome.complaints.begin(),
                        outcome.complaints.end());
  return run;
}

struct Walk {
  bool from_nothing = false;
  uint64_t step = 1;
};

// Runs the script with its fault at place 1, 2, 3, ... until that comes too late; gives
// how many places there were.
template <class Arm>
uint64_t at_every_place(const Arm& arm, const Deaths& deaths, const Walk& walk = {}) {
  for (uint64_t place = 1; place < kPlacesMax; place += walk.step) {
    const auto armed = [&](CrashDisk& disk, const Life& life) {
      if (life.number == 1) arm(disk, place);
      if (life.number == 2 && place % 2 == 0) disk.cut_at(1 + place * 7 % kStartIos);
    };
    const Run run = run_script(armed, deaths, walk.from_nothing);
    for (const std::string& complaint : run.complaints) {
      ADD_FAILURE() << "place " << place << ": " << complaint;
    }
    if (!run.complaints.empty() || !run.hit) return place;
  }
  ADD_FAILURE() << "the script never came to its end";
  return kPlacesMax;
}

const auto kCut = [](CrashDisk& disk, uint64_t io) { disk.cut_at(io); };

class Script : public testing::TestWithParam<Survival> {};

TEST_P(Script, survives_a_power_cut_at_every_io) {
  const Deaths deaths{.sigkill_percent = 0, .survival = GetParam()};
  const uint64_t places = at_every_place(kCut, deaths);
  std::printf("%s: %llu places\n", name(GetParam()), static_cast<unsigned long long>(places));
  EXPECT_GT(places, 100u) << "the script did not do what it is for";
}

TEST_P(Script, survives_every_failing_sync) {
  const uint64_t places =
      at_every_place([](CrashDisk& disk, uint64_t sync) { disk.fail_sync_at(sync); },
                     {.sigkill_percent = 50, .survival = GetParam()});
  EXPECT_GT(places, 20u);
}

TEST_P(Script, survives_a_power_cut_while_the_database_is_made) {
  const Deaths deaths{.sigkill_percent = 0, .survival = GetParam()};
  EXPECT_GT(at_every_place(kCut, deaths, {.from_nothing = true, .step = 37}), 300u);
}

INSTANTIATE_TEST_SUITE_P(Cuts, Script, testing::ValuesIn(kAllSurvivals),
                         [](const auto& row) { return std::string{name(row.param)}; });

TEST(ScriptOnAFullDisk, survives_running_out_of_space_anywhere) {
  const uint64_t places =
      at_every_place([](CrashDisk& disk, uint64_t io) { disk.fill_at(io); },
                     {.sigkill_percent = 50});
  EXPECT_GT(places, 100u);
}

}  // namespace
}  // namespace holdfast::crash
