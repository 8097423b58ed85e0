#include "tests/crash/rocks_disk.h"

#include <algorithm>
#include <utility>

namespace holdfast::crash {

RocksDisk::RocksDisk(uint64_t seed, Faults faults)
    : random_(seed), disk_(random_.next()), env_(disk_), faults_(faults) {}

// Each start that was cut short gives the next one more time, since a start takes a few
// hundred I/Os and must succeed some day.
void RocksDisk::arm() {
  const auto within = [this](uint64_t most) { return 1 + random_.up_to(most - 1); };
  const uint64_t ios_max = faults_.ios_max << std::min<uint64_t>(failed_starts_, 10);
  disk_.cut_at(ios_max > 0 ? within(ios_max) : CrashDisk::kNever);
  const bool patient = failed_starts_ > 10;
  const bool sync_fails = faults_.sync_fails_max > 0 && !patient && random_.chance(50);
  disk_.fail_sync_at(sync_fails ? within(faults_.sync_fails_max) : CrashDisk::kNever);
  const bool is_full = faults_.space_max > 0 && !patient && random_.chance(50);
  disk_.set_space(is_full ? within(faults_.space_max) : CrashDisk::kNever);
}

void RocksDisk::heal() {
  faults_ = Faults{.sigkill_percent = 0, .flush_percent = 0};
  arm();
}

storage::Store* RocksDisk::open() {
  arm();
  Result<std::unique_ptr<storage::RocksStore>> opened =
      storage::RocksStore::open({.directory = "/db", .env = &env_});
  if (opened) {
    store_ = std::move(*opened);
    failed_starts_ = 0;
    return store_.get();
  }
  ++failed_starts_;
  if (disk_.off()) ++counts_.cuts_opening;
  const bool may_fail = disk_.off() || disk_.has_refused();
  if (!may_fail || opened.error().code == Errc::corrupt) {
    complaints_.push_back("the store refused to open: " + opened.error().what);
  }
  restart();
  return nullptr;
}

void RocksDisk::close() {
  if (!disk_.off()) {
    if (store_ && store_->failure()) ++counts_.failed_writes;
    // A dead process writes nothing more, not even what a clean shutdown would.
    disk_.switch_off();
  }
  store_.reset();
  restart();
}

void RocksDisk::restart() {
  if (random_.chance(faults_.sigkill_percent)) {
    ++counts_.sigkills;
    disk_.restart_process();
    return;
  }
  const Survival survival = kAllSurvivals[random_.up_to(std::size(kAllSurvivals) - 1)];
  ++counts_.cuts;
  if (survival == Survival::torn_sectors) ++counts_.torn;
  disk_.restart(survival);
}

bool RocksDisk::failed() const {
  return disk_.off() || (store_ != nullptr && store_->failure().has_value());
}

void RocksDisk::churn() {
  if (store_ != nullptr && random_.chance(faults_.flush_percent)) (void)store_->flush();
}

}  // namespace holdfast::crash
