#include "storage/rocks/store_env.h"

#include <rocksdb/file_system.h>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "storage/rocks/log_reader.h"
#include "storage/rocks/log_salt.h"
#include "storage/rocks/log_secret.h"
#include "storage/rocks/manifest.h"
#include "storage/rocks/paths.h"
#include "storage/rocks/prepared_log.h"
#include "storage/rocks/spare_log.h"
#include "storage/rocks/synced_manifest.h"

namespace holdfast::storage {

using rocksdb::IOStatus;

namespace {

bool is_log(const std::string& path) { return log_number_of(path).has_value(); }

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

// A log that is being read: without its salt, as RocksDB wrote it.
class UnsaltedFile final : public rocksdb::FSSequentialFileOwnerWrapper {
 public:
  UnsaltedFile(std::unique_ptr<rocksdb::FSSequentialFile>&& file, uint32_t salt)
      : FSSequentialFileOwnerWrapper(std::move(file)), salt_(salt) {}

  IOStatus Read(size_t bytes, const rocksdb::IOOptions& options, rocksdb::Slice* result,
                char* scratch, rocksdb::IODebugContext* context) override {
    const IOStatus read = target()->Read(bytes, options, result, scratch, context);
    if (!read.ok()) return read;
    if (result->data() != scratch) std::memcpy(scratch, result->data(), result->size());
    *result = rocksdb::Slice{scratch, result->size()};
    salt_.apply({scratch, result->size()});
    return read;
  }
  // The salt of what is skipped would have to be skipped, too; RocksDB reads on.
  IOStatus Skip(uint64_t /*bytes*/) override { return IOStatus::NotSupported("in a log"); }

 private:
  SaltStream salt_;
};

// A log that is being written: with its salt.
class SaltedFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  SaltedFile(std::unique_ptr<rocksdb::FSWritableFile>&& file, uint32_t salt, std::string path,
             SpareLog& spare)
      : FSWritableFileOwnerWrapper(std::move(file)),
        salt_(salt),
        path_(std::move(path)),
        spare_(spare) {}

  IOStatus Append(const rocksdb::Slice& bytes, const rocksdb::IOOptions& options,
                  rocksdb::IODebugContext* context) override {
    salted_.assign(bytes.data(), bytes.size());
    salt_.apply(salted_);
    return target()->Append(salted_, options, context);
  }
  // The checksum that came along would be that of other bytes.
  IOStatus Append(const rocksdb::Slice& bytes, const rocksdb::IOOptions& options,
                  const rocksdb::DataVerificationInfo& /*verification*/,
                  rocksdb::IODebugContext* context) override {
    return Append(bytes, options, context);
  }
  IOStatus Close(const rocksdb::IOOptions& options, rocksdb::IODebugContext* context) override {
    const IOStatus done = target()->Close(options, context);
    if (done.ok()) spare_.closed(path_);
    return done;
  }

 private:
  SaltStream salt_;
  const std::string path_;
  SpareLog& spare_;
  std::string salted_;  // keeps its memory
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
  StoreFileSystem(rocksdb::Env& base, PrepareLogs prepare,
                  std::map<std::string, uint64_t> whole_bytes)
      : FileSystemWrapper(base.GetFileSystem()),
        base_(base),
        prepare_(prepare),
        whole_bytes_(std::move(whole_bytes)),
        spare_(*target()) {}
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
    if (!opened.ok()) return opened;
    if (is_manifest(path)) end_behind_last_edit(path, options, file, context);
    return is_log(path) ? show_log(path, file) : opened;
  }

  IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                           std::unique_ptr<rocksdb::FSWritableFile>* file,
                           rocksdb::IODebugContext* context) override {
    if (is_log(path)) return make_log(path, options, file, context);
    const IOStatus made = target()->NewWritableFile(path, options, file, context);
    if (made.ok() && is_manifest(path)) {
      *file = std::make_unique<ManifestFile>(std::move(*file), SyncedManifest{base_, path});
    }
    return made;
  }

  IOStatus DeleteFile(const std::string& path, const rocksdb::IOOptions& options,
                      rocksdb::IODebugContext* context) override {
    if (is_log(path)) return spare_.dispose(path, options, context);
    return target()->DeleteFile(path, options, context);
  }

 private:
  void end_behind_last_edit(const std::string& path, const rocksdb::FileOptions& options,
                            std::unique_ptr<rocksdb::FSSequentialFile>* file,
                            rocksdb::IODebugContext* context) {
    const Result<ManifestSummary> summary = read_once(path, options, context);
    // Whatever kept us from reading it, RocksDB meets and tells.
    if (!summary || !summary->torn) return;
    const std::optional<uint64_t> synced = SyncedManifest{base_, path}.bytes();
    if (!synced || summary->whole_bytes < *synced) return;
    *file = std::make_unique<ShortenedFile>(std::move(*file), summary->whole_bytes);
  }

  // The secret is read once, so that a log can be made when it can no longer be read.
  Result<uint32_t> salt_of(const std::string& path) {
    const std::lock_guard lock{secret_mutex_};
    if (!secret_) {
      const Result<uint32_t> secret = read_log_secret(base_, folder_of(path));
      if (!secret) return secret.error();
      secret_ = *secret;
    }
    return log_salt(*log_number_of(path), *secret_);
  }

  IOStatus show_log(const std::string& path, std::unique_ptr<rocksdb::FSSequentialFile>* file) {
    if (const auto whole = whole_bytes_.find(file_name_of(path)); whole != whole_bytes_.end()) {
      *file = std::make_unique<ShortenedFile>(std::move(*file), whole->second);
      if (whole->second == 0) return IOStatus::OK();  // perhaps because there is no secret
    }
    const Result<uint32_t> salt = salt_of(path);
    if (!salt) return failed(salt.error());
    *file = std::make_unique<UnsaltedFile>(std::move(*file), *salt);
    return IOStatus::OK();
  }

  static IOStatus failed(const Error& error) {
    return error.code == Errc::io ? IOStatus::IOError(error.what)
                                  : IOStatus::Corruption(error.what);
  }

  IOStatus make_log(const std::string& path, const rocksdb::FileOptions& options,
                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                    rocksdb::IODebugContext* context) {
    const Result<uint32_t> salt = salt_of(path);
    if (!salt) return failed(salt.error());
    uint64_t written_bytes = 0;
    const IOStatus made = spare_.make(path, options, file, written_bytes, context);
    if (!made.ok()) return made;
    if (prepares_in(folder_of(path))) {
      std::unique_ptr<rocksdb::FSRandomRWFile> ahead;
      // Without it the log is written as it is.
      target()->NewRandomRWFile(path, options, &ahead, context).PermitUncheckedError();
      const uint64_t stretch = prepare_ == PrepareLogs::in_small_steps
                                   ? 2 * PreparedLog::kPageBytes
                                   : PreparedLog::kStretchBytes;
      *file = std::make_unique<PreparedLog>(std::move(*file), std::move(ahead), stretch,
                                            written_bytes);
    }
    *file = std::make_unique<SaltedFile>(std::move(*file), *salt, path, spare_);
    return made;
  }

  // Without salt.
  static LogReader reader_of(rocksdb::FSSequentialFile& file, rocksdb::IODebugContext* context) {
    return LogReader{[&file, context](std::span<char> block) -> Result<size_t> {
      rocksdb::Slice bytes;
      const IOStatus read =
          file.Read(block.size(), rocksdb::IOOptions{}, &bytes, block.data(), context);
      if (!read.ok()) return Error{Errc::io, read.ToString()};
      if (bytes.data() != block.data()) std::memcpy(block.data(), bytes.data(), bytes.size());
      return bytes.size();
    }};
  }

  Result<ManifestSummary> read_once(const std::string& path, const rocksdb::FileOptions& options,
                                    rocksdb::IODebugContext* context) {
    std::unique_ptr<rocksdb::FSSequentialFile> file;
    const IOStatus opened = target()->NewSequentialFile(path, options, &file, context);
    if (!opened.ok()) return Error{Errc::io, opened.ToString()};
    LogReader reader = reader_of(*file, context);
    return read_manifest(reader);
  }

  bool prepares_in(const std::string& folder) const {
    return prepare_ == PrepareLogs::in_small_steps || preparing_pays(folder);
  }

  rocksdb::Env& base_;
  const PrepareLogs prepare_;
  const std::map<std::string, uint64_t> whole_bytes_;
  SpareLog spare_;
  std::mutex secret_mutex_;
  std::optional<uint32_t> secret_;
};

class StoreEnv final : public rocksdb::EnvWrapper {
 public:
  StoreEnv(rocksdb::Env& base, PrepareLogs prepare, std::map<std::string, uint64_t> whole_bytes)
      : EnvWrapper(&base) {
    file_system_ = std::make_shared<StoreFileSystem>(base, prepare, std::move(whole_bytes));
    system_clock_ = base.GetSystemClock();
  }
  const char* Name() const override { return "holdfast.store"; }
};

}  // namespace

std::unique_ptr<rocksdb::Env> store_env(rocksdb::Env& base, PrepareLogs prepare,
                                        std::map<std::string, uint64_t> whole_bytes) {
  return std::make_unique<StoreEnv>(base, prepare, std::move(whole_bytes));
}

}  // namespace holdfast::storage
