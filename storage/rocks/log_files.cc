#include "storage/rocks/log_files.h"

#include <cstring>
#include <map>
#include <span>
#include <utility>

#include "storage/rocks/log_salt.h"
#include "storage/rocks/log_secret.h"
#include "storage/rocks/paths.h"

namespace holdfast::storage {

namespace {

Error io_error(const std::string& path, const rocksdb::Status& status) {
  return Error{Errc::io, "cannot read " + path + ": " + status.ToString()};
}

LogReader reader_of(rocksdb::SequentialFile& file, const std::string& path, uint32_t salt) {
  const auto read = [&file, path](std::span<char> block) -> Result<size_t> {
    rocksdb::Slice bytes;
    const rocksdb::Status status = file.Read(block.size(), &bytes, block.data());
    if (!status.ok()) return io_error(path, status);
    // A file system may hand out its own memory instead of filling ours.
    if (bytes.data() != block.data()) std::memcpy(block.data(), bytes.data(), bytes.size());
    return bytes.size();
  };
  return LogReader{read, salt};
}

}  // namespace

// A MANIFEST has none.
Result<uint32_t> salt_of(rocksdb::Env& env, const std::string& path) {
  const std::optional<uint64_t> number = log_number_of(path);
  if (!number) return uint32_t{0};
  const Result<uint32_t> secret = read_log_secret(env, folder_of(path));
  if (!secret) return secret.error();
  return log_salt(*number, *secret);
}

Result<std::unique_ptr<OpenLog>> open_log(rocksdb::Env& env, const std::string& path) {
  const Result<uint32_t> salt = salt_of(env, path);
  if (!salt) return salt.error();
  std::unique_ptr<rocksdb::SequentialFile> file;
  const rocksdb::Status status = env.NewSequentialFile(path, &file, rocksdb::EnvOptions{});
  if (!status.ok()) return io_error(path, status);
  LogReader reader = reader_of(*file, path, *salt);
  return std::unique_ptr<OpenLog>(new OpenLog{std::move(file), std::move(reader)});
}

Result<std::string> current_manifest_path(rocksdb::Env& env, const std::string& directory) {
  const std::string current = directory + "/CURRENT";
  if (env.FileExists(current).IsNotFound()) return std::string{};
  std::string manifest;
  const rocksdb::Status status = rocksdb::ReadFileToString(&env, current, &manifest);
  if (!status.ok()) return io_error(current, status);
  if (!manifest.empty() && manifest.back() == '\n') manifest.pop_back();
  return directory + "/" + manifest;
}

Result<CurrentManifest> current_manifest(rocksdb::Env& env, const std::string& directory) {
  const Result<std::string> path = current_manifest_path(env, directory);
  if (!path) return path.error();
  // What CURRENT means is RocksDB's to judge; without a MANIFEST every log counts.
  if (path->empty() || !env.FileExists(*path).ok()) return CurrentManifest{};
  Result<std::unique_ptr<OpenLog>> log = open_log(env, *path);
  if (!log) return log.error();
  const Result<ManifestSummary> summary = read_manifest((*log)->reader);
  if (!summary) return summary.error();
  return CurrentManifest{*path, *summary};
}

Result<LiveLogs> live_logs(rocksdb::Env& env, const std::string& directory) {
  std::vector<std::string> names;
  const rocksdb::Status listed = env.GetChildren(directory, &names);
  if (!listed.ok() && !listed.IsNotFound()) return io_error(directory, listed);
  const Result<CurrentManifest> manifest = current_manifest(env, directory);
  if (!manifest) return manifest.error();

  std::map<uint64_t, std::string> numbered;
  for (std::string& name : names) {
    const std::optional<uint64_t> number = log_number_of(name);
    if (!number || *number < manifest->summary.oldest_live_log) continue;
    numbered.emplace(*number, std::move(name));
  }
  LiveLogs logs;
  for (auto& [number, name] : numbered) logs.names.push_back(std::move(name));
  logs.sequence_in_tables = manifest->summary.last_sequence;
  return logs;
}

}  // namespace holdfast::storage
