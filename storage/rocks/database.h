// The opened RocksDB and all that must outlive it, in the order that its destruction
// needs. Private to rocks_store.cc and open_database.cc.
#pragma once

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>

#include "storage/base/result.h"
#include "storage/cut_off.h"
#include "storage/rocks/key_filter.h"
#include "storage/rocks/options.h"
#include "storage/rocks/rocks_store.h"
#include "storage/rocks/side_file.h"

namespace holdfast::storage {

// The first failure, after which nothing is committed any more. Set by the committer
// and by RocksDB's background threads.
class FirstFailure {
 public:
  void set(Error error) {
    const std::lock_guard lock{mutex_};
    if (!error_) error_ = std::move(error);
    failed_.store(true, std::memory_order_release);
  }
  std::optional<Error> get() const {
    if (!failed_.load(std::memory_order_acquire)) return std::nullopt;
    const std::lock_guard lock{mutex_};
    return error_;
  }

 private:
  std::atomic<bool> failed_{false};  // so that the good case takes no lock
  mutable std::mutex mutex_;
  std::optional<Error> error_;
};

// Adds what we were doing to what RocksDB says.
Error to_error(const rocksdb::Status& status, const std::string& doing);

struct Database {
  std::atomic<uint64_t> first_kept_ending{0};
  SharedParts parts{first_kept_ending};
  std::unique_ptr<rocksdb::Env> env;
  std::shared_ptr<FirstFailure> failure = std::make_shared<FirstFailure>();

  std::unique_ptr<rocksdb::DB> db;
  std::array<rocksdb::ColumnFamilyHandle*, kFamilyCount> families{};
  rocksdb::ColumnFamilyHandle* default_family = nullptr;
  bool read_only = false;

  // Whoever commits uses them, one at a time. Both keep their memory from one commit to the next.
  rocksdb::WriteBatch batch;
  std::vector<const Write*> ordered;
  SideFile side_file;

  KeyFilter key_filter;  // of `idempotency`

  std::atomic<uint64_t> commit_count{0};
  std::atomic<uint64_t> log_bytes{0};
  std::atomic<int64_t> last_commit_us{0};
  std::atomic<int64_t> commit_us_sum{0};

  ~Database();

  rocksdb::ColumnFamilyHandle* handle(Family family) const {
    return families[static_cast<size_t>(family)];
  }
  CutOff cut_off() const { return CutOff{first_kept_ending.load(std::memory_order_acquire)}; }
};

// Audits, opens and compares; see rocks_store.h.
Result<std::unique_ptr<Database>> open_database(const OpenOptions& options, OpenReport& report);

}  // namespace holdfast::storage
