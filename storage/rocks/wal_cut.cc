#include "storage/rocks/wal_cut.h"

#include <algorithm>
#include <memory>

#include "storage/rocks/log_files.h"

namespace holdfast::storage {

namespace {

// The last log goes first, so that no crash leaves a gap that was not there.
Result<> delete_logs_behind(rocksdb::Env& env, const std::string& directory,
                            const LiveLogs& logs, const std::string& last_kept) {
  for (auto name = logs.names.rbegin(); name != logs.names.rend() && *name != last_kept; ++name) {
    const rocksdb::Status gone = env.DeleteFile(directory + "/" + *name);
    if (!gone.ok()) return Error{Errc::io, "cannot delete " + *name + ": " + gone.ToString()};
  }
  return ok();
}

Result<> truncate(rocksdb::Env& env, const std::string& path, uint64_t bytes) {
  std::unique_ptr<rocksdb::WritableFile> file;
  rocksdb::Status status = env.ReopenWritableFile(path, &file, rocksdb::EnvOptions{});
  if (status.ok()) status = file->Truncate(bytes);
  if (status.ok()) status = file->Fsync();
  if (status.ok()) status = file->Close();
  if (!status.ok()) return Error{Errc::io, "cannot cut " + path + ": " + status.ToString()};
  return ok();
}

}  // namespace

Result<> cut_logs(rocksdb::Env& env, const std::string& directory, const AuditReport& damage) {
  if (damage.file.empty()) return ok();
  const Result<LiveLogs> logs = live_logs(env, directory);
  if (!logs) return logs.error();
  if (const Result<> gone = delete_logs_behind(env, directory, *logs, damage.file); !gone) {
    return gone.error();
  }
  if (const Result<> cut = truncate(env, directory + "/" + damage.file, damage.offset); !cut) {
    return cut.error();
  }
  std::unique_ptr<rocksdb::Directory> entries;
  rocksdb::Status status = env.NewDirectory(directory, &entries);
  if (status.ok()) status = entries->Fsync();
  if (!status.ok()) return Error{Errc::io, "cannot sync " + directory + ": " + status.ToString()};
  return ok();
}

}  // namespace holdfast::storage
