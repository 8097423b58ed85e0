#include "tests/crash/crash_env.h"

#include <rocksdb/file_system.h>
#include <rocksdb/system_clock.h>

#include <algorithm>
#include <cstring>
#include <thread>
#include <utility>

namespace holdfast::crash {

using namespace rocksdb;

namespace {

// A real log is preallocated by megabytes; this much shows the same and reads faster.
constexpr uint64_t kPreallocatedBytesMax = 48 * 1024;

Slice fill(const std::string& bytes, char* scratch) {
  std::memcpy(scratch, bytes.data(), bytes.size());
  return Slice{scratch, bytes.size()};
}

class SequentialFile final : public FSSequentialFile {
 public:
  SequentialFile(CrashDisk& disk, InodePtr inode) : disk_(disk), inode_(std::move(inode)) {}

  IOStatus Read(size_t size, const IOOptions& /*options*/, Slice* result, char* scratch,
                IODebugContext* /*context*/) override {
    *result = fill(disk_.read(*inode_, at_, size), scratch);
    at_ += result->size();
    return IOStatus::OK();
  }
  IOStatus Skip(uint64_t size) override {
    at_ += size;
    return IOStatus::OK();
  }

 private:
  CrashDisk& disk_;
  const InodePtr inode_;
  uint64_t at_ = 0;
};

class RandomAccessFile final : public FSRandomAccessFile {
 public:
  RandomAccessFile(CrashDisk& disk, InodePtr inode) : disk_(disk), inode_(std::move(inode)) {}

  IOStatus Read(uint64_t offset, size_t size, const IOOptions& /*options*/, Slice* result,
                char* scratch, IODebugContext* /*context*/) const override {
    *result = fill(disk_.read(*inode_, offset, size), scratch);
    return IOStatus::OK();
  }

 private:
  CrashDisk& disk_;
  const InodePtr inode_;
};

class WritableFile final : public FSWritableFile {
 public:
  WritableFile(CrashDisk& disk, InodePtr inode, bool size_shows)
      : disk_(disk), inode_(std::move(inode)), size_shows_(size_shows) {}

  using FSWritableFile::Append;
  IOStatus Append(const Slice& bytes, const IOOptions& /*options*/,
                  IODebugContext* /*context*/) override {
    const IOStatus done = disk_.write(*inode_, at_, bytes.ToStringView());
    if (done.ok()) at_ += bytes.size();
    return done;
  }
  IOStatus Append(const Slice& bytes, const IOOptions& options,
                  const DataVerificationInfo& /*verification*/, IODebugContext* context) override {
    return Append(bytes, options, context);
  }
  IOStatus Allocate(uint64_t offset, uint64_t size, const IOOptions& /*options*/,
                    IODebugContext* /*context*/) override {
    if (!size_shows_) return IOStatus::OK();
    return disk_.extend(*inode_, std::min(offset + size, at_ + kPreallocatedBytesMax));
  }
  IOStatus Truncate(uint64_t size, const IOOptions& /*options*/,
                    IODebugContext* /*context*/) override {
    return disk_.truncate(*inode_, size);
  }
  IOStatus Sync(const IOOptions& /*options*/, IODebugContext* /*context*/) override {
    return disk_.sync(*inode_);
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* context) override {
    return Sync(options, context);
  }
  // As the real one does: what was preallocated and not used is given back.
  IOStatus Close(const IOOptions& /*options*/, IODebugContext* /*context*/) override {
    return disk_.truncate(*inode_, at_);
  }
  IOStatus Flush(const IOOptions& /*options*/, IODebugContext* /*context*/) override {
    return IOStatus::OK();
  }
  bool IsSyncThreadSafe() const override { return true; }
  uint64_t GetFileSize(const IOOptions& /*options*/, IODebugContext* /*context*/) override {
    return at_;
  }

 private:
  CrashDisk& disk_;
  const InodePtr inode_;
  const bool size_shows_;
  uint64_t at_ = 0;
};

// The side file, which is never synced, and the zeros ahead of a log.
class OverwrittenFile final : public FSRandomRWFile {
 public:
  OverwrittenFile(CrashDisk& disk, InodePtr inode) : disk_(disk), inode_(std::move(inode)) {}

  IOStatus Write(uint64_t offset, const Slice& bytes, const IOOptions& /*options*/,
                 IODebugContext* /*context*/) override {
    return disk_.write(*inode_, offset, bytes.ToStringView());
  }
  IOStatus Read(uint64_t offset, size_t size, const IOOptions& /*options*/, Slice* result,
                char* scratch, IODebugContext* /*context*/) const override {
    *result = fill(disk_.read(*inode_, offset, size), scratch);
    return IOStatus::OK();
  }
  IOStatus Flush(const IOOptions& /*options*/, IODebugContext* /*context*/) override {
    return IOStatus::OK();
  }
  IOStatus Sync(const IOOptions& /*options*/, IODebugContext* /*context*/) override {
    return disk_.sync(*inode_);
  }
  IOStatus Close(const IOOptions& /*options*/, IODebugContext* /*context*/) override {
    return IOStatus::OK();
  }

 private:
  CrashDisk& disk_;
  const InodePtr inode_;
};

class Directory final : public FSDirectory {
 public:
  explicit Directory(CrashDisk& disk) : disk_(disk) {}
  IOStatus Fsync(const IOOptions& /*options*/, IODebugContext* /*context*/) override {
    return disk_.sync_directory();
  }

 private:
  CrashDisk& disk_;
};

struct HeldLock final : FileLock {
  explicit HeldLock(std::string held) : path(std::move(held)) {}
  const std::string path;
};

class CrashFileSystem final : public FileSystem {
 public:
  explicit CrashFileSystem(CrashDisk& disk) : disk_(disk) {}
  const char* Name() const override { return "CrashFileSystem"; }

  IOStatus NewSequentialFile(const std::string& path, const FileOptions& /*options*/,
                             std::unique_ptr<FSSequentialFile>* file,
                             IODebugContext* /*context*/) override {
    return open_existing<SequentialFile>(path, file);
  }
  IOStatus NewRandomAccessFile(const std::string& path, const FileOptions& /*options*/,
                               std::unique_ptr<FSRandomAccessFile>* file,
                               IODebugContext* /*context*/) override {
    return open_existing<RandomAccessFile>(path, file);
  }
  IOStatus NewRandomRWFile(const std::string& path, const FileOptions& /*options*/,
                           std::unique_ptr<FSRandomRWFile>* file,
                           IODebugContext* /*context*/) override {
    return open_existing<OverwrittenFile>(path, file);
  }
  IOStatus NewWritableFile(const std::string& path, const FileOptions& options,
                           std::unique_ptr<FSWritableFile>* file,
                           IODebugContext* /*context*/) override {
    InodePtr inode;
    const IOStatus made = disk_.create(path, /*keep=*/false, inode);
    if (made.ok()) {
      *file = std::make_unique<WritableFile>(disk_, inode, !options.fallocate_with_keep_size);
    }
    return made;
  }
  // As the real one does: the name changes, and the bytes stay until they are written over.
  IOStatus ReuseWritableFile(const std::string& path, const std::string& old_path,
                             const FileOptions& options, std::unique_ptr<FSWritableFile>* file,
                             IODebugContext* /*context*/) override {
    const IOStatus renamed = disk_.rename(old_path, path);
    if (!renamed.ok()) return renamed;
    InodePtr inode;
    const IOStatus made = disk_.create(path, /*keep=*/true, inode);
    if (made.ok()) {
      *file = std::make_unique<WritableFile>(disk_, inode, !options.fallocate_with_keep_size);
    }
    return made;
  }
  IOStatus NewDirectory(const std::string& /*path*/, const IOOptions& /*options*/,
                        std::unique_ptr<FSDirectory>* directory,
                        IODebugContext* /*context*/) override {
    *directory = std::make_unique<Directory>(disk_);
    return IOStatus::OK();
  }

  IOStatus FileExists(const std::string& path, const IOOptions& /*options*/,
                      IODebugContext* /*context*/) override {
    return disk_.exists(path) ? IOStatus::OK() : IOStatus::NotFound(path);
  }
  IOStatus GetChildren(const std::string& path, const IOOptions& /*options*/,
                       std::vector<std::string>* names, IODebugContext* /*context*/) override {
    if (!disk_.is_directory(path)) return IOStatus::NotFound(path);
    *names = disk_.children(path);
    return IOStatus::OK();
  }
  IOStatus DeleteFile(const std::string& path, const IOOptions& /*options*/,
                      IODebugContext* /*context*/) override {
    return disk_.remove(path);
  }
  IOStatus CreateDir(const std::string& path, const IOOptions& /*options*/,
                     IODebugContext* /*context*/) override {
    disk_.make_directory(path);
    return IOStatus::OK();
  }
  IOStatus CreateDirIfMissing(const std::string& path, const IOOptions& options,
                              IODebugContext* context) override {
    return CreateDir(path, options, context);
  }
  IOStatus DeleteDir(const std::string& path, const IOOptions& /*options*/,
                     IODebugContext* /*context*/) override {
    return IOStatus::NotSupported(path);
  }
  IOStatus GetFileSize(const std::string& path, const IOOptions& /*options*/, uint64_t* size,
                       IODebugContext* /*context*/) override {
    const InodePtr inode = disk_.find(path);
    if (!inode) return IOStatus::PathNotFound(path);
    *size = disk_.size(*inode);
    return IOStatus::OK();
  }
  IOStatus GetFileModificationTime(const std::string& path, const IOOptions& /*options*/,
                                   uint64_t* time, IODebugContext* /*context*/) override {
    *time = 0;
    return disk_.find(path) ? IOStatus::OK() : IOStatus::PathNotFound(path);
  }
  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions& /*options*/,
                      IODebugContext* /*context*/) override {
    return disk_.rename(from, to);
  }
  IOStatus LinkFile(const std::string& from, const std::string& to, const IOOptions& /*options*/,
                    IODebugContext* /*context*/) override {
    return disk_.link(from, to);
  }
  IOStatus Truncate(const std::string& path, size_t size, const IOOptions& /*options*/,
                    IODebugContext* /*context*/) override {
    const InodePtr inode = disk_.find(path);
    return inode ? disk_.truncate(*inode, size) : IOStatus::PathNotFound(path);
  }
  IOStatus LockFile(const std::string& path, const IOOptions& /*options*/, FileLock** lock,
                    IODebugContext* /*context*/) override {
    if (!disk_.lock(path)) return IOStatus::IOError("locked: " + path);
    *lock = new HeldLock{path};
    return IOStatus::OK();
  }
  IOStatus UnlockFile(FileLock* lock, const IOOptions& /*options*/,
                      IODebugContext* /*context*/) override {
    const std::unique_ptr<HeldLock> held{static_cast<HeldLock*>(lock)};
    disk_.unlock(held->path);
    return IOStatus::OK();
  }
  IOStatus GetTestDirectory(const IOOptions& /*options*/, std::string* path,
                            IODebugContext* /*context*/) override {
    *path = "/test";
    return IOStatus::OK();
  }
  IOStatus GetAbsolutePath(const std::string& path, const IOOptions& /*options*/,
                           std::string* absolute, IODebugContext* /*context*/) override {
    *absolute = path;
    return IOStatus::OK();
  }
  IOStatus IsDirectory(const std::string& path, const IOOptions& /*options*/, bool* is_directory,
                       IODebugContext* /*context*/) override {
    *is_directory = disk_.is_directory(path);
    return IOStatus::OK();
  }
  IOStatus GetFreeSpace(const std::string& /*path*/, const IOOptions& /*options*/, uint64_t* free,
                        IODebugContext* /*context*/) override {
    *free = disk_.free_space();
    return IOStatus::OK();
  }

 private:
  template <class File, class Base>
  IOStatus open_existing(const std::string& path, std::unique_ptr<Base>* file) {
    InodePtr inode = disk_.find(path);
    if (!inode) return IOStatus::PathNotFound(path);
    *file = std::make_unique<File>(disk_, std::move(inode));
    return IOStatus::OK();
  }

  CrashDisk& disk_;
};

class Unhurried final : public SystemClockWrapper {
 public:
  using SystemClockWrapper::SystemClockWrapper;
  const char* Name() const override { return "Unhurried"; }
  void SleepForMicroseconds(int /*us*/) override { std::this_thread::yield(); }
};

}  // namespace

// The calls that go by Env and those that go by FileSystem must meet the same disk.
CrashEnv::CrashEnv(CrashDisk& disk) : CrashEnv(std::make_shared<CrashFileSystem>(disk)) {}

CrashEnv::CrashEnv(std::shared_ptr<rocksdb::FileSystem> file_system)
    : EnvWrapper(NewCompositeEnv(file_system)) {
  file_system_ = std::move(file_system);
  system_clock_ = std::make_shared<Unhurried>(SystemClock::Default());
}

void CrashEnv::SleepForMicroseconds(int /*us*/) { std::this_thread::yield(); }

}  // namespace holdfast::crash
