#include "storage/rocks/options.h"

#include <rocksdb/cache.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/perf_level.h>
#include <rocksdb/table.h>
#include <rocksdb/write_buffer_manager.h>

#include <optional>

#include "storage/base/mutant.h"
#include "storage/rocks/collector.h"
#include "storage/rocks/cut_off_filter.h"
#include "storage/rocks/memtable.h"

namespace holdfast::storage {

namespace {

constexpr size_t kKiB = 1024;
constexpr size_t kMiB = 1024 * kKiB;

// The whole memory of the store: write buffers are charged to the block cache.
constexpr size_t kCacheBytes = 20 * kMiB;
constexpr size_t kWriteBuffersBytes = 16 * kMiB;
constexpr int kCacheShardBits = 2;  // few threads read; more shards split a small cache too finely

// Bounds the replay at start, and makes quiet families flush, which would pin old logs.
constexpr uint64_t kWalBytesMax = 24 * kMiB;

// Tables of the first level that is sorted; it holds four. Small is cheap to merge with: what
// goes down from it moves unchanged at the new end of a queue, and vanishes with its tombstones
// at the old one.
constexpr uint64_t kTableBytes = 8 * kMiB;

// What differs from family to family.
struct FamilyShape {
  // 1 MB where little is written, more where a Put and its SingleDelete should meet in
  // memory, most for the payloads: all families flush together, and while they do, their
  // syncs and those of the commits wait for one another.
  size_t write_buffer_bytes = 1 * kMiB;
  size_t block_bytes = 4 * kKiB;
  std::optional<FrontOfQueue> queue = {};  // rows die by key: look out for thick tombstones
  bool lookups_miss = false;  // point lookups of absent keys are common: a filter pays
  bool scans_cached = false;  // what a scan reads is read again soon
};

FamilyShape shape_of(Family family) {
  const size_t large_block = 16 * kKiB;  // payloads and records compress better together
  const auto searched = FrontOfQueue::is_searched;
  switch (family) {
    case Family::meta:
      return {.scans_cached = true};
    case Family::events:
      return {.write_buffer_bytes = 12 * kMiB, .block_bytes = large_block,
              .queue = FrontOfQueue::is_known, .scans_cached = true};
    case Family::waiting:
    case Family::due:
      return {.write_buffer_bytes = 2 * kMiB, .queue = searched, .scans_cached = true};
    case Family::running:
      return {.write_buffer_bytes = 2 * kMiB, .queue = searched, .scans_cached = true};
    case Family::attempts:
      return {.block_bytes = large_block, .queue = searched};
    case Family::idempotency:
      return {.write_buffer_bytes = 4 * kMiB, .lookups_miss = true};
    case Family::history:
      return {.write_buffer_bytes = 4 * kMiB, .block_bytes = large_block};
    case Family::dead_letters:
      return {.block_bytes = large_block, .queue = searched};
    case Family::destinations:
      return {.write_buffer_bytes = 4 * kMiB, .block_bytes = large_block, .queue = searched,
              .scans_cached = true};
    case Family::endings:
      return {.lookups_miss = true};
  }
  return {};
}

void set_log_options(rocksdb::DBOptions& options) {
  // A torn tail must not keep the box from starting; WalStream tells it from damage.
  // The tolerant mode refuses a torn fragment that is followed by zeros.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  options.max_total_wal_size = kWalBytesMax;
  options.wal_bytes_per_sync = 0;                     // every batch is synced anyway
  options.recycle_log_file_num = 0;                   // we do it ourselves: spare_log.h
  options.wal_compression = rocksdb::kNoCompression;  // 7.8 can misread compressed logs
  options.manual_wal_flush = false;  // with an error, families could diverge (fixed in 9.7)
  options.use_fsync = false;         // fdatasync is enough for a file that only grows
  options.avoid_flush_during_recovery = false;  // start with an empty log
  // On, 7.8 may record logs that are missing later, and refuse to open.
  options.track_and_verify_wals_in_manifest = false;
  // All families flush together, so the tables are always the state after one commit. When
  // the log is damaged behind it, that state and what is left of the log fit together; with
  // families of different ages RocksDB refuses to open ("SST file is ahead of WALs"), and
  // what opens at all does not add up. 7.8 may hang in a flush after one that failed: by
  // then we have stopped.
  options.atomic_flush = true;
}

void set_write_options(rocksdb::DBOptions& options) {
  // One thread writes. All of these only serve several.
  options.enable_pipelined_write = false;
  options.unordered_write = false;
  options.two_write_queues = false;
  options.allow_concurrent_memtable_write = false;
  options.enable_write_thread_adaptive_yield = false;
}

void set_background_options(rocksdb::DBOptions& options) {
  // One flush and one compaction thread: a second flush may delete the first one's
  // output when it fails (fixed in 8.7).
  options.max_background_jobs = 2;
  options.max_subcompactions = 1;
  options.bytes_per_sync = 1 * kMiB;     // spreads the write-back of table files
  options.max_bgerror_resume_count = 0;  // never resume: we stop and start again
  // No rate limiter: 7.8's can stop granting for ever (fixed in 8.7).
}

void set_memory_options(rocksdb::DBOptions& options, const SharedParts& parts) {
  options.write_buffer_manager = parts.write_buffers;
  options.max_open_files = 128;  // a table reader keeps memory, and starting opens fewer files
  // Of the 64 shards that are the default each would have room for one file or two: files in use
  // would push each other out, and be opened again at every lookup.
  options.table_cache_numshardbits = 0;
  options.max_file_opening_threads = 2;
  options.skip_stats_update_on_db_open = true;  // would read every table file at start
  options.max_manifest_file_size = 4 * kMiB;
  options.stats_dump_period_sec = 0;  // no statistics thread
  options.stats_persist_period_sec = 0;
}

rocksdb::BlockBasedTableOptions table_options(const SharedParts& parts, const FamilyShape& shape) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = parts.cache;
  table.block_size = shape.block_bytes;
  // Filters and indexes of a large backlog would otherwise be memory nobody counts.
  table.cache_index_and_filter_blocks = true;
  table.cache_index_and_filter_blocks_with_high_priority = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.format_version = 5;
  table.checksum = rocksdb::kXXH3;
  if (shape.lookups_miss) {
    table.filter_policy.reset(rocksdb::NewRibbonFilterPolicy(10));  // bits a key: 1 % false hits
    table.whole_key_filtering = true;
    // Ten million keys have 12 MB of filters: only the parts in use are in the cache.
    table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
    table.partition_filters = true;
    table.pin_top_level_index_and_filter = true;
  }
  return table;
}

void set_compaction_options(rocksdb::ColumnFamilyOptions& options, const FamilyShape& shape) {
  // The same compression on all levels, so that sorted tables are moved, not rewritten.
  options.compression = rocksdb::kLZ4Compression;
  options.bottommost_compression = rocksdb::kDisableCompressionOption;
  options.level_compaction_dynamic_level_bytes = true;
  options.target_file_size_base = kTableBytes;
  options.max_bytes_for_level_base = 4 * kTableBytes;
  // In a queue each table of the first level spans the backlog: its puts are at one end, its
  // deletes at the other. The merge rewrites what is new, so it shall be much.
  options.level0_file_num_compaction_trigger = shape.queue ? 8 : 4;
  options.level0_slowdown_writes_trigger = 20;
  options.level0_stop_writes_trigger = 36;
  // Nothing expires by the age of a file; both would rewrite a resting backlog monthly.
  options.ttl = 0;
  options.periodic_compaction_seconds = 0;
  if (shape.queue) {
    options.table_properties_collector_factories.push_back(tombstone_collector(*shape.queue));
  }
}

rocksdb::ColumnFamilyOptions options_of_shape(const SharedParts& parts, const FamilyShape& shape) {
  rocksdb::ColumnFamilyOptions options;
  options.write_buffer_size = shape.write_buffer_bytes;
  options.max_write_buffer_number = 2;
  // A flipped bit in a memtable, where rows lie for days, stops the flush. A batch has no
  // checksums: it lives for its commit, and what it is made from has none either.
  options.memtable_protection_bytes_per_key = 4;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table_options(parts, shape)));
  set_compaction_options(options, shape);
  options.memtable_factory = entry_list_factory();
  return options;
}

}  // namespace

SharedParts::SharedParts(const std::atomic<uint64_t>& first_kept_ending)
    : cache(rocksdb::NewLRUCache(kCacheBytes, kCacheShardBits)),
      // No stall by budget: admission refuses events before memory runs out.
      write_buffers(std::make_shared<rocksdb::WriteBufferManager>(kWriteBuffersBytes, cache,
                                                                  /*allow_stall=*/false)),
      history_filter(std::make_unique<CutOffFilter>(Family::history, first_kept_ending)),
      endings_filter(std::make_unique<CutOffFilter>(Family::endings, first_kept_ending)) {}

rocksdb::DBOptions database_options(const SharedParts& parts, rocksdb::Env& env) {
  rocksdb::DBOptions options;
  options.env = &env;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  options.paranoid_checks = true;
  options.flush_verify_memtable_count = true;
  options.verify_sst_unique_id_in_manifest = true;
  options.enforce_single_del_contracts = true;  // a Delete on a `once` key is a bug: say so
  set_log_options(options);
  set_write_options(options);
  set_background_options(options);
  set_memory_options(options, parts);
  return options;
}

rocksdb::ColumnFamilyOptions family_options(const SharedParts& parts, Family family) {
  rocksdb::ColumnFamilyOptions options = options_of_shape(parts, shape_of(family));
  if (family == Family::idempotency) {
    // Nearly every submit asks for a key that is not there: answer without a search.
    options.memtable_prefix_bloom_size_ratio = 0.02;
    options.memtable_whole_key_filtering = true;
    options.memtable_factory = hash_list_factory();
    // Keys are random: whatever is merged with the level below rewrites all of it, so it
    // shall be much. Many tables of the first level cost the lookup of a new key nothing once
    // KeyFilter knows all keys; that of a duplicate asks each one's filter, in less than a
    // microsecond.
    options.level0_file_num_compaction_trigger = 32;
    options.level0_slowdown_writes_trigger = 64;
    options.level0_stop_writes_trigger = 96;
  }
  if (family == Family::history) options.compaction_filter = parts.history_filter.get();
  if (family == Family::endings) {
    options.compaction_filter = parts.endings_filter.get();
    // Sorted tables are only moved, past the filter; a small family can afford to be
    // rewritten once a day, and no reader depends on it.
    options.periodic_compaction_seconds = 24 * 60 * 60;
  }
  return options;
}

rocksdb::ColumnFamilyOptions default_family_options(const SharedParts& parts) {
  return options_of_shape(parts, {});
}

void stop_counting() { rocksdb::SetPerfLevel(rocksdb::PerfLevel::kDisable); }

rocksdb::WriteOptions commit_options() {
  rocksdb::WriteOptions options;
  // Rows become visible after the sync, so nobody reads what may be lost.
  options.sync = !broken(Mutant::sync_off);
  return options;
}

rocksdb::ReadOptions get_options() { return rocksdb::ReadOptions{}; }

rocksdb::ReadOptions cached_get_options() {
  rocksdb::ReadOptions options;
  options.read_tier = rocksdb::kBlockCacheTier;
  return options;
}

rocksdb::ReadOptions scan_options(Family family) {
  rocksdb::ReadOptions options;
  // Queries and exports must not push the working set out of a small cache.
  options.fill_cache = shape_of(family).scans_cached;
  return options;
}

}  // namespace holdfast::storage
