// Every RocksDB option we set, each with its reason, in one place.
//
// They hold for RocksDB 7.8. Most of them undo a default that suits a server with
// much memory, or step around a fault of that version; options.cc says which.
#pragma once

#include <rocksdb/compaction_filter.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>

#include <atomic>
#include <memory>

#include "storage/families.h"

namespace holdfast::storage {

// What all families share. It lives longer than the database.
struct SharedParts {
  std::shared_ptr<rocksdb::Cache> cache;
  std::shared_ptr<rocksdb::WriteBufferManager> write_buffers;
  std::unique_ptr<rocksdb::CompactionFilter> history_filter;
  std::unique_ptr<rocksdb::CompactionFilter> endings_filter;

  explicit SharedParts(const std::atomic<uint64_t>& first_kept_ending);
};

rocksdb::DBOptions database_options(const SharedParts& parts, rocksdb::Env& env);
rocksdb::ColumnFamilyOptions family_options(const SharedParts& parts, Family family);

// RocksDB insists on a family "default". It holds one row, which every commit overwrites
// last: so the highest sequence is always in a log or a table file, also when all
// other rows of the commit annihilate on their way to one.
rocksdb::ColumnFamilyOptions default_family_options(const SharedParts& parts);
inline constexpr const char* kCommitRow = "commit";

rocksdb::WriteOptions commit_options();
rocksdb::ReadOptions get_options();
rocksdb::ReadOptions cached_get_options();
rocksdb::ReadOptions scan_options(Family family);

// RocksDB counts each comparison of two keys, for whoever asks. Nobody does here, and finding
// the counter costs more than the comparison. It goes by thread: each says so itself.
void stop_counting();

}  // namespace holdfast::storage
