#include "storage/rocks/store_env.h"

#include <rocksdb/file_system.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <string>
#include <utility>

#include "storage/rocks/manifest.h"
#include "storage/rocks/prepared_log.h"
#include "storage/rocks/synced_manifest.h"

namespace holdfast::storage {

using rocksdb::IOStatus;

namespace {

bool is_log(const std::string& path) { return path.ends_with(".log"); }

std::string folder_of(const std::string& path) { return path.substr(0, path.find_last_of('/')); }

// The front of a file.
class ShortenedFile final : public rocksdb::FSSequentialFileOwnerWrapper {
 public:
  ShortenedFile(std::unique_ptr<rocksdb::FSSequentialFile>&& file, uint64_t bytes)
      : FSSequentialFileOwnerWrapper(std::move(file)), left_(bytes) {}

  IOStatus Read(size_t bytes, const rocksdb::IOOptions& options, rocksdb::Slice* result,
                char* scratch, rocksdb::IODebugContext* context) override {
    const size_t wanted = static_cast<size_t>(std::min<uint64_t>(bytes, left_));
    const IOStatus read = target()->Read(wanted, options, result, scratch, context);
    left_ -= std::min<uint64_t>(left_, result->size());
    return read;
  }
  IOStatus Skip(uint64_t bytes) override {
    const uint64_t skipped = std::min(bytes, left_);
    left_ -= skipped;
    return target()->Skip(skipped);
  }

 private:
  uint64_t left_;
};

// A MANIFEST that is being written: each sync is recorded.
class ManifestFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  ManifestFile(std::unique_ptr<rocksdb::FSWritableFile>&& file, SyncedManifest synced)
      : FSWritableFileOwnerWrapper(std::move(file)), synced_(std::move(synced)) {}

  IOStatus Append(const rocksdb::Slice& bytes, const rocksdb::IOOptions& options,
                  rocksdb::IODebugContext* context) override {
    return counted(bytes, target()->Append(bytes, options, context));
  }
  IOStatus Append(const rocksdb::Slice& bytes, const rocksdb::IOOptions& options,
                  const rocksdb::DataVerificationInfo& verification,
                  rocksdb::IODebugContext* context) override {
    return counted(bytes, target()->Append(bytes, options, verification, context));
  }
  IOStatus Sync(const rocksdb::IOOptions& options, rocksdb::IODebugContext* context) override {
    return recorded(target()->Sync(options, context));
  }
  IOStatus Fsync(const rocksdb::IOOptions& options, rocksdb::IODebugContext* context) override {
    return recorded(target()->Fsync(options, context));
  }

 private:
  IOStatus counted(const rocksdb::Slice& bytes, IOStatus appended) {
    if (appended.ok()) bytes_ += bytes.size();
    return appended;
  }
  IOStatus recorded(IOStatus synced) {
    if (synced.ok()) synced_.record(bytes_);
    return synced;
  }

  SyncedManifest synced_;
  uint64_t bytes_ = 0;
};

class StoreFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  StoreFileSystem(rocksdb::Env& base, PrepareLogs prepare)
      : FileSystemWrapper(base.GetFileSystem()), base_(base), prepare_(prepare) {}
  const char* Name() const override { return "holdfast.store"; }

  rocksdb::FileOptions OptimizeForLogWrite(const rocksdb::FileOptions& file_options,
                                           const rocksdb::DBOptions& options) const override {
    rocksdb::FileOptions result = target()->OptimizeForLogWrite(file_options, options);
    result.fallocate_with_keep_size = false;
    return result;
  }

  IOStatus NewSequentialFile(const std::string& path, const rocksdb::FileOptions& options,
                             std::unique_ptr<rocksdb::FSSequentialFile>* file,
                             rocksdb::IODebugContext* context) override {
    const IOStatus opened = target()->NewSequentialFile(path, options, file, context);
    if (!opened.ok() || !is_manifest(path)) return opened;
    const Result<ManifestSummary> summary = read_once(path, options, context);
    // Whatever kept us from reading it, RocksDB meets and tells.
    if (!summary || !summary->torn) return opened;
    const std::optional<uint64_t> synced = SyncedManifest{base_, path}.bytes();
    if (!synced || summary->whole_bytes < *synced) return opened;
    *file = std::make_unique<ShortenedFile>(std::move(*file), summary->whole_bytes);
    return opened;
  }

  IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                           std::unique_ptr<rocksdb::FSWritableFile>* file,
                           rocksdb::IODebugContext* context) override {
    const IOStatus made = target()->NewWritableFile(path, options, file, context);
    if (made.ok() && is_manifest(path)) {
      *file = std::make_unique<ManifestFile>(std::move(*file), SyncedManifest{base_, path});
    }
    if (made.ok() && is_log(path) && prepares_in(folder_of(path))) {
      std::unique_ptr<rocksdb::FSRandomRWFile> ahead;
      // Without it the log is written as it is.
      target()->NewRandomRWFile(path, options, &ahead, context).PermitUncheckedError();
      const uint64_t stretch = prepare_ == PrepareLogs::in_small_steps
                                   ? 2 * PreparedLog::kPageBytes
                                   : PreparedLog::kStretchBytes;
      *file = std::make_unique<PreparedLog>(std::move(*file), std::move(ahead), stretch);
    }
    return made;
  }

 private:
  Result<ManifestSummary> read_once(const std::string& path, const rocksdb::FileOptions& options,
                                    rocksdb::IODebugContext* context) {
    std::unique_ptr<rocksdb::FSSequentialFile> file;
    const IOStatus opened = target()->NewSequentialFile(path, options, &file, context);
    if (!opened.ok()) return Error{Errc::io, opened.ToString()};
    LogReader reader{[&](std::span<char> block) -> Result<size_t> {
      rocksdb::Slice bytes;
      const IOStatus read = file->Read(block.size(), rocksdb::IOOptions{}, &bytes, block.data(),
                                       context);
      if (!read.ok()) return Error{Errc::io, read.ToString()};
      if (bytes.data() != block.data()) std::memcpy(block.data(), bytes.data(), bytes.size());
      return bytes.size();
    }};
    return read_manifest(reader);
  }

  bool prepares_in(const std::string& folder) const {
    return prepare_ == PrepareLogs::in_small_steps || preparing_pays(folder);
  }

  rocksdb::Env& base_;
  const PrepareLogs prepare_;
};

class StoreEnv final : public rocksdb::EnvWrapper {
 public:
  StoreEnv(rocksdb::Env& base, PrepareLogs prepare) : EnvWrapper(&base) {
    file_system_ = std::make_shared<StoreFileSystem>(base, prepare);
    system_clock_ = base.GetSystemClock();
  }
  const char* Name() const override { return "holdfast.store"; }
};

}  // namespace

std::unique_ptr<rocksdb::Env> store_env(rocksdb::Env& base, PrepareLogs prepare) {
  return std::make_unique<StoreEnv>(base, prepare);
}

}  // namespace holdfast::storage
