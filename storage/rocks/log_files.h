// The write-ahead logs and the MANIFEST of a database directory as files: which logs
// RocksDB would replay, and a LogReader on each. For those who look before the database
// is opened.
//
// Ownership  an OpenLog owns its file; its reader borrows it. `env` outlives both.
// Failure    Error{io} if a file cannot be read. A directory without logs has none.
#pragma once

#include <rocksdb/env.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "storage/base/result.h"
#include "storage/rocks/log_reader.h"
#include "storage/rocks/manifest.h"

namespace holdfast::storage {

struct LiveLogs {
  std::vector<std::string> names;             // rising by number
  std::optional<uint64_t> sequence_in_tables;  // the highest that no log is needed for
};
Result<LiveLogs> live_logs(rocksdb::Env& env, const std::string& directory);

// The path of the MANIFEST that CURRENT names, also if it is not there; empty without CURRENT.
Result<std::string> current_manifest_path(rocksdb::Env& env, const std::string& directory);

// That MANIFEST. Without one the path is empty, and every log counts.
struct CurrentManifest {
  std::string path;
  ManifestSummary summary;
};
Result<CurrentManifest> current_manifest(rocksdb::Env& env, const std::string& directory);

// What the checksums of that log have been salted with, or would be; a MANIFEST's have not.
Result<uint32_t> salt_of(rocksdb::Env& env, const std::string& path);

struct OpenLog {
  std::unique_ptr<rocksdb::SequentialFile> file;
  LogReader reader;
};
Result<std::unique_ptr<OpenLog>> open_log(rocksdb::Env& env, const std::string& path);

}  // namespace holdfast::storage
