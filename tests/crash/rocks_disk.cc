#include "tests/crash/rocks_disk.h"

#include <algorithm>
#include <utility>

namespace holdfast::crash {

// A start takes a few hundred I/Os and must succeed some day: each one that was cut
// short gives the next more time.
ArmFaults random_faults(uint64_t seed, RandomFaults faults) {
  return [random = Random{seed}, faults](CrashDisk& disk, const Life& life) mutable {
    const auto within = [&random](uint64_t most) { return 1 + random.up_to(most - 1); };
    const uint64_t ios_max = faults.ios_max << std::min<uint64_t>(life.failed_starts, 10);
    if (ios_max > 0) disk.cut_at(within(ios_max));
    if (life.failed_starts > 10) return;
    if (faults.sync_fails_max > 0 && random.chance(50)) {
      disk.fail_sync_at(within(faults.sync_fails_max));
    }
    if (faults.space_max > 0 && random.chance(50)) disk.set_space(within(faults.space_max));
  };
}

RocksDisk::RocksDisk(uint64_t seed, ArmFaults arm, Deaths deaths)
    : random_(seed), disk_(random_.next()), env_(disk_), arm_(std::move(arm)), deaths_(deaths) {}

storage::Store* RocksDisk::open() {
  ++life_.number;
  if (arm_) arm_(disk_, life_);
  Result<std::unique_ptr<storage::RocksStore>> opened =
      storage::RocksStore::open({.directory = "/db", .env = &env_});
  if (opened) {
    life_.failed_starts = 0;
    store_ = std::move(*opened);
    return store_.get();
  }
  ++life_.failed_starts;
  ++counts_.opening;
  const bool may_fail = disk_.off() || disk_.has_refused();
  if (!may_fail || opened.error().code == Errc::corrupt) {
    std::string refused = "the store refused to open: " + opened.error().what;
    if (complaints_.empty() || complaints_.back() != refused) complaints_.push_back(refused);
  }
  restart();
  return nullptr;
}

void RocksDisk::close() {
  if (disk_.off() || disk_.has_refused()) ++counts_.faults;
  // A dead process writes nothing more, not even what a clean shutdown would.
  disk_.switch_off();
  store_.reset();
  restart();
}

void RocksDisk::restart() {
  if (random_.chance(deaths_.sigkill_percent)) {
    ++counts_.sigkills;
    disk_.restart_process();
    return;
  }
  const Survival survival = deaths_.survival.value_or(
      kAllSurvivals[random_.up_to(std::size(kAllSurvivals) - 1)]);
  ++counts_.cuts;
  if (survival == Survival::torn_sectors) ++counts_.torn;
  disk_.restart(survival);
}

bool RocksDisk::failed() const {
  return disk_.off() || (store_ != nullptr && store_->failure().has_value());
}

void RocksDisk::churn() {
  if (store_ != nullptr && random_.chance(deaths_.flush_percent)) (void)store_->flush();
}

void RocksDisk::heal() {
  arm_ = nullptr;
  deaths_.flush_percent = 0;
  disk_.cut_at(CrashDisk::kNever);
  disk_.fail_sync_at(CrashDisk::kNever);
  disk_.set_space(CrashDisk::kNever);
  disk_.fill_at(CrashDisk::kNever);
}

}  // namespace holdfast::crash
