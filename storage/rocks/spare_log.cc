#include "storage/rocks/spare_log.h"

#include <linux/magic.h>
#include <sys/vfs.h>

#include "storage/rocks/paths.h"

namespace holdfast::storage {

using rocksdb::IOStatus;

namespace {

std::string spare_beside(const std::string& path) { return folder_of(path) + "/" + kSpareLogName; }

}  // namespace

bool writes_in_place(const std::string& directory) {
  struct statfs system {};
  return ::statfs(directory.c_str(), &system) != 0 || system.f_type != BTRFS_SUPER_MAGIC;
}

IOStatus SpareLog::make(const std::string& path, const rocksdb::FileOptions& options,
                        std::unique_ptr<rocksdb::FSWritableFile>* file, uint64_t& written_bytes,
                        rocksdb::IODebugContext* context) {
  const std::lock_guard lock{mutex_};
  const std::string spare = spare_beside(path);
  if (!cleared_) files_.DeleteFile(spare, options.io_options, context).PermitUncheckedError();
  cleared_ = true;
  written_bytes = 0;
  if (kept_) {
    kept_ = false;
    const IOStatus sized =
        files_.GetFileSize(spare, options.io_options, &written_bytes, context);
    if (sized.ok() && files_.ReuseWritableFile(path, spare, options, file, context).ok()) {
      return IOStatus::OK();
    }
    written_bytes = 0;
  }
  return files_.NewWritableFile(path, options, file, context);
}

void SpareLog::closed(const std::string& path) {
  const std::lock_guard lock{mutex_};
  closed_.insert(path);
}

IOStatus SpareLog::dispose(const std::string& path, const rocksdb::IOOptions& options,
                           rocksdb::IODebugContext* context) {
  const std::lock_guard lock{mutex_};
  const bool closed = closed_.erase(path) > 0;
  const bool wanted = closed && !kept_ && writes_in_place(folder_of(path));
  if (wanted && files_.RenameFile(path, spare_beside(path), options, context).ok()) {
    kept_ = true;
    return IOStatus::OK();
  }
  return files_.DeleteFile(path, options, context);
}

}  // namespace holdfast::storage
