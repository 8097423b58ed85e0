// RocksDisk: the Disk of a World that is the real RocksStore on a CrashDisk. Each life
// of the daemon ends at a random I/O (also in the middle of opening), by a power cut or
// by a SIGKILL, until the faults are over.
//
//    auto disk = std::make_shared<RocksDisk>(seed, Faults{.ios_max = 300});
//    Simulation simulation{seed, plan, disk};
//    ...
//    disk->complaints();   // a store that refused to open, ...
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "storage/rocks/rocks_store.h"
#include "tests/crash/crash_env.h"
#include "tests/support/disk.h"

namespace holdfast::crash {

// What goes wrong in each life; zero: nothing of the kind.
struct Faults {
  uint64_t ios_max = 0;         // power goes within so many I/Os
  uint64_t sync_fails_max = 0;  // one of the first so many syncs fails, in half of the lives
  uint64_t space_max = 0;       // at most so many bytes are free, in half of the lives
  uint32_t sigkill_percent = 20;
  uint32_t flush_percent = 2;   // after a commit
};

struct FaultCounts {
  uint64_t cuts = 0;          // by power
  uint64_t cuts_opening = 0;  // of those, before the store was open
  uint64_t torn = 0;          // of those, with torn sectors
  uint64_t sigkills = 0;
  uint64_t failed_writes = 0;  // lives that a failed sync or a full disk ended
};

class RocksDisk final : public test::Disk {
 public:
  RocksDisk(uint64_t seed, Faults faults);

  storage::Store* open() override;
  void close() override;
  bool failed() const override;
  void churn() override;
  void heal() override;

  CrashDisk& disk() { return disk_; }
  const FaultCounts& counts() const { return counts_; }
  const std::vector<std::string>& complaints() const { return complaints_; }

 private:
  void arm();
  void restart();

  Random random_;
  CrashDisk disk_;
  CrashEnv env_;
  Faults faults_;
  FaultCounts counts_;
  uint64_t failed_starts_ = 0;  // in a row
  std::unique_ptr<storage::RocksStore> store_;
  std::vector<std::string> complaints_;
};

}  // namespace holdfast::crash
