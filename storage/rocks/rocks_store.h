// RocksStore: the Store on a real disk.
//
//    Result<std::unique_ptr<RocksStore>> store = RocksStore::open({.directory = path});
//    if (!store) return store.error();
//    log((*store)->open_report().audit.sentence);
//
// open() first audits the write-ahead log (wal_audit.h). A torn tail is normal; damage
// to acknowledged data is refused with Error{corrupt} and nothing is changed, unless
// the caller only reads or accepts the loss.
//
// Ownership  Whoever opened it destroys it, after all users of it.
// Threads    As Store says. stats() and failure() are for any thread.
// Failure    One failed commit, or one failure of RocksDB's background work, and every
//            later commit is refused with the same error; see failure(). The process
//            should then end without more ado: RocksDB 7.8 must not go on after a
//            failed sync, not even by its own recovery, which is switched off here.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "storage/rocks/wal_audit.h"
#include "storage/store.h"

namespace rocksdb {
class Env;
}

namespace holdfast::storage {

struct OpenOptions {
  std::string directory;  // made if absent, but not its parents

  // Opens also a damaged database, takes no lock and changes nothing. Commits are refused.
  bool read_only = false;

  // The operator's word: open although acknowledged data is missing. What follows the
  // bad spot in the log is gone afterwards (wal_cut.h). Until settle_loss() or the first
  // commit the side file goes on telling of it: whoever accepts it can do more than open.
  bool accept_loss = false;

  // Hears RocksDB's warnings, one line each, from any thread. Null: nobody does.
  std::function<void(std::string_view)> on_warning{};

  rocksdb::Env* env = nullptr;  // null: the real file system; outlives the store
};

struct OpenReport {
  AuditReport audit;
  bool created = false;        // there was no database before
  bool loss_accepted = false;  // something acknowledged was missing, and accepted
  uint64_t sequence = 0;       // of the last write that was recovered

  // The last commit that was acknowledged, as far as the side file knows.
  std::optional<uint64_t> acknowledged_sequence;
  std::chrono::milliseconds duration{0};  // audit and recovery
};

struct StoreStats {
  uint64_t commit_count = 0;
  uint64_t log_bytes = 0;  // handed to the write-ahead log; the disk writes more
  std::chrono::microseconds last_commit_duration{0};
  std::chrono::microseconds commit_duration_sum{0};
};

// The table files of one family, without what is still in memory.
struct TableStats {
  uint64_t table_count = 0;
  uint64_t bytes = 0;
  uint64_t entry_count = 0;  // tombstones included
  uint64_t tombstone_count = 0;
};

struct Database;

class RocksStore final : public Store {
 public:
  static Result<std::unique_ptr<RocksStore>> open(const OpenOptions& options);
  ~RocksStore() override;
  RocksStore(const RocksStore&) = delete;
  RocksStore& operator=(const RocksStore&) = delete;

  Result<> commit(std::span<const Write> writes) override;
  Result<std::optional<std::string>> get(Family family, std::string_view key) const override;
  CachedValue get_cached(Family family, std::string_view key) const override;
  Result<> scan(const ScanRange& range, const ScanVisitor& visit) const override;

  // Takes its effect from memory: call it at each start, and whenever the cut-off moves.
  Result<> drop_below(Family family, std::string_view key) override;

  // Writes the memory of all families into table files and waits for it. Commits go on.
  Result<> flush();

  // Ends an accepted loss: from now on nobody misses what is not there. A commit does
  // so, too.
  void settle_loss();

  // Reads all table files and compares their checksums. Errc::corrupt names the file.
  Result<> verify_checksums() const;

  // The family of a column of RocksDB's, as logs number them; nothing for its own one.
  std::optional<Family> family_of_column(uint32_t column) const;

  const OpenReport& open_report() const { return report_; }
  StoreStats stats() const;
  Result<TableStats> table_stats(Family family) const;

  // Why commits are refused; nothing while all is well.
  std::optional<Error> failure() const;

 private:
  RocksStore(std::unique_ptr<Database> database, OpenReport report);

  Result<> write_synced(std::span<const Write> writes);
  void learn_keys() const;

  const OpenReport report_;
  std::unique_ptr<Database> database_;
};

}  // namespace holdfast::storage
