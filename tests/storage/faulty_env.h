// FaultyEnv: the real file system, of which a test counts the syncs of the log and the
// openings of tables, and makes the next syncs and writes fail.
#pragma once

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>

namespace holdfast::storage {

struct Faults {
  std::atomic<int> log_sync_count{0};
  std::atomic<int> table_open_count{0};
  std::atomic<bool> log_syncs_fail{false};
  std::atomic<bool> table_writes_fail{false};
};

class FaultyFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  FaultyFile(std::unique_ptr<rocksdb::FSWritableFile>&& file, Faults& faults, bool log)
      : FSWritableFileOwnerWrapper(std::move(file)), faults_(faults), log_(log) {}

  using FSWritableFileOwnerWrapper::Append;
  rocksdb::IOStatus Append(const rocksdb::Slice& bytes, const rocksdb::IOOptions& options,
                           rocksdb::IODebugContext* context) override {
    if (!log_ && faults_.table_writes_fail) return rocksdb::IOStatus::IOError("as wished");
    return FSWritableFileOwnerWrapper::Append(bytes, options, context);
  }
  rocksdb::IOStatus Sync(const rocksdb::IOOptions& options,
                         rocksdb::IODebugContext* context) override {
    if (log_ && faults_.log_syncs_fail) return rocksdb::IOStatus::IOError("as wished");
    if (log_) ++faults_.log_sync_count;
    return FSWritableFileOwnerWrapper::Sync(options, context);
  }

 private:
  Faults& faults_;
  const bool log_;
};

class FaultyFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  FaultyFileSystem(const std::shared_ptr<rocksdb::FileSystem>& base, Faults& faults)
      : FileSystemWrapper(base), faults_(faults) {}
  const char* Name() const override { return "FaultyFileSystem"; }

  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* context) override {
    const rocksdb::IOStatus made = target()->NewWritableFile(path, options, file, context);
    const bool log = path.ends_with(".log");
    if (made.ok() && (log || path.ends_with(".sst"))) {
      *file = std::make_unique<FaultyFile>(std::move(*file), faults_, log);
    }
    return made;
  }
  rocksdb::IOStatus NewRandomAccessFile(const std::string& path,
                                        const rocksdb::FileOptions& options,
                                        std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                                        rocksdb::IODebugContext* context) override {
    if (path.ends_with(".sst")) ++faults_.table_open_count;
    return target()->NewRandomAccessFile(path, options, file, context);
  }

 private:
  Faults& faults_;
};

class FaultyEnv final : public rocksdb::EnvWrapper {
 public:
  explicit FaultyEnv(Faults& faults) : EnvWrapper(rocksdb::Env::Default()) {
    file_system_ = std::make_shared<FaultyFileSystem>(target()->GetFileSystem(), faults);
    system_clock_ = target()->GetSystemClock();
  }
  const char* Name() const override { return "FaultyEnv"; }
};

}  // namespace holdfast::storage
