// PreparedLog: a write-ahead log that is being written, over zeros that were written before.
//
// Preallocated blocks are known to be zeros without having been written. The first write to
// one must tell the file system so, and a sync then waits for its journal too: on ext4 12 KB
// and a second flush of the disk. With small commits that is every fourth.
//
// Rule    While commits are small, the log is zeroed a stretch ahead, from where it is not
//         written over an older one anyway (spare_log.h).
// Reason  Then a commit changes bytes and nothing else. Measured with commits of 1 KB, 200 a
//         second, ext4 with its journal, zeros included: 6.2 KB of the disk a commit instead
//         of 8.0, 1.01 flushes instead of 1.24, and the slowest tenth of the syncs takes
//         half as long.
//
// Rule    Commits beyond kSmallCommitBytesMax are not prepared for.
// Reason  They would write every byte twice, and touch fewer new blocks for each of them.
//
// Rule    Zeros only go where nothing has been appended. Where they are refused, preparing
//         ends, and nothing else.
// Reason  They are there for speed. A log ends in zeros anyway (store_env.h). If the disk
//         fails them later, the next sync says so, as of any byte of the log.
//
// Threads  as the file's: one at a time.
#pragma once

#include <rocksdb/file_system.h>
#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>

namespace holdfast::storage {

// Whether the file system of the directory journals what becomes of preallocated blocks,
// and writes in place: XFS, and ext4 with a journal. On others zeros only cost.
bool preparing_pays(const std::string& directory);

// Whether the ext4 of that device has one, as the kernel shows it below `sysfs`.
bool ext4_has_journal(dev_t device, const std::string& sysfs = "/sys");

class PreparedLog final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  static constexpr uint64_t kPageBytes = 4u << 10;
  static constexpr uint64_t kStretchBytes = 128u << 10;
  static constexpr uint64_t kSmallCommitBytesMax = 8u << 10;

  // `ahead` is the same file; `stretch_bytes` are whole pages; so much of it was written before.
  PreparedLog(std::unique_ptr<rocksdb::FSWritableFile>&& file,
              std::unique_ptr<rocksdb::FSRandomRWFile>&& ahead, uint64_t stretch_bytes,
              uint64_t written_bytes = 0)
      : FSWritableFileOwnerWrapper(std::move(file)),
        ahead_(std::move(ahead)),
        stretch_bytes_(stretch_bytes),
        zeroed_to_(whole_pages(written_bytes)) {}

  rocksdb::IOStatus Append(const rocksdb::Slice& bytes, const rocksdb::IOOptions& options,
                           rocksdb::IODebugContext* context) override;
  rocksdb::IOStatus Append(const rocksdb::Slice& bytes, const rocksdb::IOOptions& options,
                           const rocksdb::DataVerificationInfo& verification,
                           rocksdb::IODebugContext* context) override;
  rocksdb::IOStatus Sync(const rocksdb::IOOptions& options,
                         rocksdb::IODebugContext* context) override;

 private:
  static uint64_t whole_pages(uint64_t bytes) { return bytes / kPageBytes * kPageBytes; }
  void prepare(uint64_t bytes);
  rocksdb::IOStatus counted(uint64_t bytes, rocksdb::IOStatus appended);

  std::unique_ptr<rocksdb::FSRandomRWFile> ahead_;  // empty: no more zeros
  const uint64_t stretch_bytes_;
  uint64_t appended_to_ = 0;
  uint64_t synced_to_ = 0;
  uint64_t zeroed_to_;  // or written before
  bool last_commit_small_ = true;
};

}  // namespace holdfast::storage
