// CrashDisk: a disk in memory that loses what was not synced when its power goes, at
// an I/O of the test's choice.
//
//    CrashDisk disk{seed};
//    CrashEnv env{disk};                 // crash_env.h: RocksDB stands on this
//    disk.cut_at(17);                    // power goes in the middle of the 17th I/O
//    ...                                 // from then on everything fails
//    disk.restart(Survival::torn_sectors);
//
// The fault model
//   bytes    What was synced survives. Of what was written since, a cut keeps nothing, a
//            prefix, a prefix with torn sectors, or all: Survival.
//   names    Creating, renaming and deleting is durable from the next sync of the
//            directory on; a cut keeps a prefix of what came after it, in its order.
//   append   The one that is under way when power goes may be written in part.
//   sync     One that fails makes the file a liar: its bytes stay readable until the
//            cut, later syncs of it succeed, and none of them keeps what was written
//            before. Linux does that on ext4, XFS and Btrfs (Rebello, ATC 2020).
//   space    Appends fail with "no space" when it is used up, or from one I/O on.
//   not      Synced bytes never rot; that is the damage test's business.
//
// Every call of RocksDB that reads or changes the disk is one I/O and may be the one
// in which power goes; reads succeed all the same, as nobody is left to look at them.
//
// Threads  any. Failure  an IOStatus, as RocksDB wants it.
#pragma once

#include <rocksdb/io_status.h>

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/random.h"

namespace holdfast::crash {

enum class Survival : uint8_t { nothing, prefix, torn_sectors, everything };
inline constexpr Survival kAllSurvivals[] = {Survival::nothing, Survival::prefix,
                                             Survival::torn_sectors, Survival::everything};
const char* name(Survival survival);

// One file, with or without a name.
struct Inode {
  std::string bytes;          // as everybody reads them
  std::string durable;        // as a cut that keeps nothing leaves them
  size_t changed_from = 0;    // equal below here; `durable` never reaches further
  bool liar = false;          // a sync of it failed
};
using InodePtr = std::shared_ptr<Inode>;

class CrashDisk {
 public:
  static constexpr uint64_t kNever = std::numeric_limits<uint64_t>::max();

  explicit CrashDisk(uint64_t seed) : random_(seed) {}

  // --- faults
  void cut_at(uint64_t io);       // counted from now; kNever: not at all
  void fail_sync_at(uint64_t n);  // the n-th sync of a file from now on
  void set_space(uint64_t bytes);
  void fill_at(uint64_t io);  // from this I/O on no append finds space
  bool off() const;
  bool has_refused() const;  // a sync failed, or an append found no space, since the restart
  uint64_t io_count() const;    // since the last cut_at() or restart
  uint64_t sync_count() const;  // of files, since the last fail_sync_at()
  uint64_t kept_count() const;  // files that were opened to be written over

  // Everything fails from now on, as when the process is gone.
  void switch_off();
  // After a power cut: what survived becomes what is there.
  void restart(Survival survival);
  // After a SIGKILL: the kernel still has it all, and it is no more durable than before.
  void restart_process();

  // --- bytes
  InodePtr find(const std::string& path) const;
  rocksdb::IOStatus create(const std::string& path, bool keep, InodePtr& inode);
  rocksdb::IOStatus write(Inode& inode, uint64_t offset, std::string_view bytes);
  rocksdb::IOStatus extend(Inode& inode, uint64_t size);
  rocksdb::IOStatus truncate(Inode& inode, uint64_t size);
  rocksdb::IOStatus sync(Inode& inode);
  std::string read(const Inode& inode, uint64_t offset, size_t size);
  uint64_t size(const Inode& inode) const;

  // --- names
  rocksdb::IOStatus remove(const std::string& path);
  rocksdb::IOStatus rename(const std::string& from, const std::string& to);
  rocksdb::IOStatus link(const std::string& from, const std::string& to);
  rocksdb::IOStatus sync_directory();
  void make_directory(const std::string& path);
  bool exists(const std::string& path) const;
  bool is_directory(const std::string& path) const;
  std::vector<std::string> children(const std::string& directory) const;
  bool lock(const std::string& path);
  void unlock(const std::string& path);
  uint64_t free_space() const;

  // All files as they are read now: for tests that damage them.
  std::map<std::string, std::string> files() const;
  void overwrite(const std::string& path, std::string bytes);  // durable at once

 private:
  using Names = std::map<std::string, InodePtr>;
  struct NameChange {
    std::string removed;  // empty: none
    std::string added;    // empty: none
    InodePtr inode;
  };

  rocksdb::IOStatus io();  // counts one, and is where power goes
  void forget_faults();
  static void apply(Names& names, const NameChange& change);
  void change(NameChange change);
  void put(Inode& inode, uint64_t offset, std::string_view bytes);
  void survive(Inode& inode, Survival survival);
  void tear(Inode& inode, std::string& bytes);

  mutable std::mutex mutex_;
  Random random_;
  Names names_;
  Names durable_names_;
  std::vector<NameChange> unsynced_;  // in order
  std::set<std::string> directories_;
  std::set<std::string> locks_;

  uint64_t ios_ = 0;
  uint64_t cut_at_ = kNever;
  uint64_t syncs_ = 0;
  uint64_t kept_ = 0;
  uint64_t fail_sync_at_ = kNever;
  uint64_t space_ = kNever;
  uint64_t fill_at_ = kNever;
  bool off_ = false;
  bool has_refused_ = false;
};

}  // namespace holdfast::crash
