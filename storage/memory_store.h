// MemoryStore: the Store as a sorted map. The obvious twin of RocksStore, for tests
// and simulations; and the strict one: what RocksDB merely assumes, it CHECKs.
//
//    MemoryStore store;
//    CHECK(store.commit(writes));
//    MemoryStore durable{store};   // the disk as a power cut would leave it now
//
// Contracts   single_delete only in families of KeyLife::once, on a key that is
// (CHECKed)   there; a key of such a family is never put again, dead or alive; a key
//             of a cut_off family is put once and never deleted; erase only in
//             rewritten families. RocksDB would bring old rows back otherwise.
// Memory      The keys that died are remembered for the second check, so memory
//             grows with the run; DeadKeys::forgotten switches that off.
// Threads     Any thread may call anything. A visitor may read, but not commit.
// Failure     fail_next_commit() plays a failed sync: the writes of that commit are
//             in doubt, and reopened() shows the disk after the restart.
#pragma once

#include <array>
#include <map>
#include <mutex>
#include <unordered_set>
#include <vector>

#include "storage/cut_off.h"
#include "storage/store.h"

namespace holdfast::storage {

class MemoryStore final : public Store {
 public:
  enum class DeadKeys : uint8_t { remembered, forgotten };
  enum class InDoubt : uint8_t { lost, kept };

  explicit MemoryStore(DeadKeys dead_keys = DeadKeys::remembered) { disk_.dead_keys = dead_keys; }
  MemoryStore(const MemoryStore& other);
  MemoryStore& operator=(const MemoryStore& other);

  Result<> commit(std::span<const Write> writes) override;
  Result<std::optional<std::string>> get(Family family, std::string_view key) const override;
  CachedValue get_cached(Family family, std::string_view key) const override;
  Result<> scan(const ScanRange& range, const ScanVisitor& visit) const override;
  Result<> drop_below(Family family, std::string_view key) override;

  // The next commit fails. Until reopened() nothing of it is seen; afterwards all of
  // it if it was kept, none of it if it was lost.
  void fail_next_commit(InDoubt in_doubt);

  // The same disk under a new process: no failure, and no doubt either.
  MemoryStore reopened() const;

  size_t row_count(Family family) const;
  uint64_t commit_count() const;

 private:
  using Rows = std::map<std::string, std::string, std::less<>>;

  struct Disk {
    std::array<Rows, kFamilyCount> rows;
    std::array<std::unordered_set<std::string>, kFamilyCount> dead;
    DeadKeys dead_keys = DeadKeys::remembered;
    CutOff cut_off;
    uint64_t commit_count = 0;
  };

  Disk copy_of_disk() const;
  static void apply(Disk& disk, const Write& write);
  static void put(Disk& disk, const Write& write);
  const Rows& rows_of(Family family) const { return disk_.rows[static_cast<size_t>(family)]; }

  // Recursive, because a visitor may read while a scan holds it.
  mutable std::recursive_mutex mutex_;
  mutable int scan_depth_ = 0;
  Disk disk_;
  std::optional<InDoubt> fail_next_;
  std::optional<std::vector<Write>> in_doubt_;  // set once a commit has failed
};

}  // namespace holdfast::storage
