// SpareLog: the file of a log that is no longer needed, kept for the next log to be
// written over it.
//
// To overwrite a block that has been written is all that a sync has to make durable. A new
// block also changes what the file system keeps of the file, and the sync waits for that:
// measured with writes of 33 KB, 100 us instead of 168 over preallocated blocks on ext4
// without a journal, 200 instead of 390 with one.
//
// Rule    One file is kept, and only of a log that this SpareLog saw closed.
// Reason  RocksDB cuts a log to its size when it closes it. If it did so later, it would cut
//         the log that has taken its place. And every log here has a salt (log_salt.h).
//
// Rule    What an earlier process has kept is deleted before the first log is made.
// Reason  Its directory may have been copied from anywhere since.
//
// Rule    On btrfs none is kept.
// Reason  It never writes in place, so there is nothing to gain; and RocksDB does not sync the
//         directory there for a log, since a new file is durable with its own sync: of one that
//         was renamed nobody says so.
//
// After a power cut the file may have its old name again, and bytes of the newer log: RocksDB
// deletes a log by name only when no start needs it any more.
//
// Ownership  borrows the file system. Threads  any.
// Failure    what cannot be kept is deleted, what cannot be reused is made anew.
#pragma once

#include <rocksdb/file_system.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <string>

namespace holdfast::storage {

// Whether what is written to a file again goes where it was.
bool writes_in_place(const std::string& directory);

inline constexpr const char* kSpareLogName = "spare_log";

class SpareLog {
 public:
  explicit SpareLog(rocksdb::FileSystem& files) : files_(files) {}

  // Makes the log `path`; `written_bytes` is how much of the file has been written before.
  rocksdb::IOStatus make(const std::string& path, const rocksdb::FileOptions& options,
                         std::unique_ptr<rocksdb::FSWritableFile>* file, uint64_t& written_bytes,
                         rocksdb::IODebugContext* context);

  // The log has its final size.
  void closed(const std::string& path);

  // Keeps it or deletes it.
  rocksdb::IOStatus dispose(const std::string& path, const rocksdb::IOOptions& options,
                            rocksdb::IODebugContext* context);

 private:
  rocksdb::FileSystem& files_;
  std::mutex mutex_;
  std::set<std::string> closed_;
  bool cleared_ = false;  // of what an earlier process has kept
  bool kept_ = false;
};

}  // namespace holdfast::storage
