// RocksDisk: the Disk of a World that is the real RocksStore on a CrashDisk. Before each
// start of the daemon the faults of its life are armed; whatever ends that life, power
// goes then, or the process alone is killed.
//
//    auto disk = std::make_shared<RocksDisk>(seed, random_faults(seed, {.ios_max = 300}),
//                                            Deaths{});
//    Simulation simulation{seed, roll, disk};
//    ...
//    disk->complaints();   // a store that refused to open, ...
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "storage/rocks/rocks_store.h"
#include "tests/crash/crash_env.h"
#include "tests/support/disk.h"

namespace holdfast::crash {

struct Life {
  uint64_t number = 0;         // 1 is the first
  uint64_t failed_starts = 0;  // in a row, just before it
};
using ArmFaults = std::function<void(CrashDisk& disk, const Life& life)>;

// Faults at random moments of each life; zero: none of the kind.
struct RandomFaults {
  uint64_t ios_max = 0;         // power goes within so many I/Os
  uint64_t sync_fails_max = 0;  // in half of the lives, one of the first so many syncs fails
  uint64_t space_max = 0;       // in half of the lives, at most so many bytes are free
};
ArmFaults random_faults(uint64_t seed, RandomFaults faults);

// What is done to the disk between two lives.
struct Deaths {
  uint32_t sigkill_percent = 20;         // the others are power cuts
  std::optional<Survival> survival = {};  // of those; unset: a random one
  uint32_t flush_percent = 2;            // after a commit, since a flush writes most
};

struct DeathCounts {
  uint64_t cuts = 0;
  uint64_t torn = 0;      // of those, with torn sectors
  uint64_t sigkills = 0;  // of the process alone
  uint64_t opening = 0;   // lives that ended before the store was open
  uint64_t faults = 0;    // lives that an armed fault ended
  uint64_t reused = 0;    // logs that were written over older ones
};

class RocksDisk final : public test::Disk {
 public:
  RocksDisk(uint64_t seed, ArmFaults arm, Deaths deaths);

  storage::Store* open() override;
  void close() override;
  bool failed() const override;
  void churn() override;
  void heal() override;

  CrashDisk& disk() { return disk_; }
  DeathCounts counts() const {
    DeathCounts counts = counts_;
    counts.reused = disk_.kept_count();
    return counts;
  }
  const std::vector<std::string>& complaints() const { return complaints_; }

 private:
  void restart();

  Random random_;
  CrashDisk disk_;
  CrashEnv env_;
  ArmFaults arm_;
  Deaths deaths_;
  Life life_;
  DeathCounts counts_;
  std::unique_ptr<storage::RocksStore> store_;
  std::vector<std::string> complaints_;
};

}  // namespace holdfast::crash
