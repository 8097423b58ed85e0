#include "storage/rocks/prepared_log.h"

#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>

namespace holdfast::storage {

using rocksdb::IOStatus;

namespace {

constexpr decltype(statfs::f_type) kXfs = 0x58465342;  // not in linux/magic.h

// Page by page: the kernel keeps in one piece what came in one, and counts all of it as
// dirty again, by process and for its throttling, whenever a byte of it changes.
constinit const std::array<char, PreparedLog::kPageBytes> kZeros{};

uint64_t next_page(uint64_t offset) {
  return (offset + PreparedLog::kPageBytes - 1) / PreparedLog::kPageBytes * PreparedLog::kPageBytes;
}

}  // namespace

// It shows the thread that writes its journal, or <none>. What ext2's own driver mounts has
// the same magic number, and shows nothing.
bool ext4_has_journal(dev_t device, const std::string& sysfs) {
  const std::string number = std::to_string(major(device)) + ":" + std::to_string(minor(device));
  std::error_code error;
  const std::filesystem::path link =
      std::filesystem::read_symlink(sysfs + "/dev/block/" + number, error);
  if (error) return false;
  std::ifstream file{std::filesystem::path{sysfs} / "fs/ext4" / link.filename() / "journal_task"};
  std::string task;
  return file >> task && task != "<none>";
}

bool preparing_pays(const std::string& directory) {
  struct statfs system {};
  struct stat entry {};
  if (::statfs(directory.c_str(), &system) != 0) return false;
  if (::stat(directory.c_str(), &entry) != 0) return false;
  if (system.f_type == kXfs) return true;
  return system.f_type == EXT4_SUPER_MAGIC && ext4_has_journal(entry.st_dev);
}

IOStatus PreparedLog::Append(const rocksdb::Slice& bytes, const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* context) {
  prepare(bytes.size());
  return counted(bytes.size(), target()->Append(bytes, options, context));
}

IOStatus PreparedLog::Append(const rocksdb::Slice& bytes, const rocksdb::IOOptions& options,
                             const rocksdb::DataVerificationInfo& verification,
                             rocksdb::IODebugContext* context) {
  prepare(bytes.size());
  return counted(bytes.size(), target()->Append(bytes, options, verification, context));
}

IOStatus PreparedLog::Sync(const rocksdb::IOOptions& options, rocksdb::IODebugContext* context) {
  last_commit_small_ = appended_to_ - synced_to_ <= kSmallCommitBytesMax;
  synced_to_ = appended_to_;
  return target()->Sync(options, context);
}

void PreparedLog::prepare(uint64_t bytes) {
  if (!ahead_ || !last_commit_small_ || bytes > kSmallCommitBytesMax) return;
  if (appended_to_ + bytes <= zeroed_to_) return;
  // What is left of a page that has been begun is no longer the file system's business.
  zeroed_to_ = std::max(next_page(appended_to_), zeroed_to_);
  const uint64_t end = zeroed_to_ + stretch_bytes_;
  for (; ahead_ && zeroed_to_ < end; zeroed_to_ += kZeros.size()) {
    const IOStatus zeroed = ahead_->Write(zeroed_to_, {kZeros.data(), kZeros.size()}, {}, nullptr);
    if (!zeroed.ok()) ahead_.reset();
  }
}

IOStatus PreparedLog::counted(uint64_t bytes, IOStatus appended) {
  if (appended.ok()) appended_to_ += bytes;
  return appended;
}

}  // namespace holdfast::storage
