#include "storage/rocks/rocks_store.h"

#include <rocksdb/convenience.h>
#include <rocksdb/table_properties.h>

#include <algorithm>
#include <vector>

#include "storage/base/crash_point.h"
#include "storage/base/mutant.h"
#include "storage/rocks/database.h"

namespace holdfast::storage {

namespace {

// Places for so many rows of a commit are kept for the next one.
constexpr size_t kOrderedKept = 4096;

// The contracts of storage/families.h, as far as they can be seen without reading.
bool allowed(const Write& write) {
  const KeyLife life = row_of(write.family).life;
  switch (write.op) {
    case WriteOp::put:
      return true;
    case WriteOp::single_delete:
      return life == KeyLife::once;
    case WriteOp::erase:
      return life == KeyLife::rewritten;
  }
  return false;
}

rocksdb::Status add(rocksdb::WriteBatch& batch, rocksdb::ColumnFamilyHandle* family,
                    const Write& write) {
  switch (write.op) {
    case WriteOp::put:
      return batch.Put(family, write.key, write.value);
    case WriteOp::single_delete:
      return batch.SingleDelete(family, write.key);
    case WriteOp::erase:
      return batch.Delete(family, write.key);
  }
  return rocksdb::Status::NotSupported();
}

// By family and key; writes of one key stay in the order they came.
bool comes_before(const Write* one, const Write* other) {
  if (one->family != other->family) return one->family < other->family;
  const int keys = one->key.compare(other->key);
  return keys != 0 ? keys < 0 : one < other;
}

rocksdb::Slice slice(std::string_view bytes) { return rocksdb::Slice{bytes.data(), bytes.size()}; }

}  // namespace

RocksStore::RocksStore(std::unique_ptr<Database> database, OpenReport report)
    : report_(std::move(report)), database_(std::move(database)) {}

RocksStore::~RocksStore() = default;

Result<std::unique_ptr<RocksStore>> RocksStore::open(const OpenOptions& options) {
  OpenReport report;
  Result<std::unique_ptr<Database>> database = open_database(options, report);
  if (!database) return database.error();
  return std::unique_ptr<RocksStore>{new RocksStore{std::move(*database), std::move(report)}};
}

Result<> RocksStore::commit(std::span<const Write> writes) {
  Database& database = *database_;
  if (database.read_only) return Error{Errc::refused, "the database is open for reading only"};
  if (const std::optional<Error> failure = database.failure->get()) {
    return Error{Errc::refused, "an earlier write failed, restart to go on: " + failure->what};
  }
  if (writes.empty()) return ok();
  const Result<> written = write_synced(writes);
  if (broken(Mutant::failed_sync_ignored)) return ok();
  if (!written) database.failure->set(written.error());
  return written;
}

Result<> RocksStore::write_synced(std::span<const Write> writes) {
  Database& database = *database_;
  const auto started = std::chrono::steady_clock::now();
  stop_counting();
  // In the order of the keys an insert into the memtable begins where the last one was.
  std::vector<const Write*>& ordered = database.ordered;
  ordered.clear();
  for (const Write& write : writes) ordered.push_back(&write);
  std::ranges::sort(ordered, comes_before);
  database.batch.Clear();
  for (const Write* write : ordered) {
    CHECK(allowed(*write));
    const rocksdb::Status added = add(database.batch, database.handle(write->family), *write);
    if (!added.ok()) return to_error(added, "cannot build a batch");
  }
  if (ordered.capacity() > kOrderedKept) ordered = {};
  const rocksdb::Status marked = database.batch.Put(database.default_family, kCommitRow, "");
  if (!marked.ok()) return to_error(marked, "cannot build a batch");
  const rocksdb::Status written = database.db->Write(commit_options(), &database.batch);
  if (!written.ok()) return to_error(written, "cannot commit");
  for (const Write& write : writes) {
    if (write.family == Family::idempotency && write.op == WriteOp::put) {
      database.key_filter.add(write.key);
    }
  }
  crash_point("before_side_file");
  database.side_file.write(database.db->GetLatestSequenceNumber());

  const int64_t us = std::chrono::duration_cast<std::chrono::microseconds>(
                         std::chrono::steady_clock::now() - started)
                         .count();
  database.commit_count.fetch_add(1, std::memory_order_relaxed);
  database.log_bytes.fetch_add(database.batch.GetDataSize(), std::memory_order_relaxed);
  database.last_commit_us.store(us, std::memory_order_relaxed);
  database.commit_us_sum.fetch_add(us, std::memory_order_relaxed);
  return ok();
}

Result<std::optional<std::string>> RocksStore::get(Family family, std::string_view key) const {
  stop_counting();
  if (family == Family::idempotency && !database_->read_only) learn_keys();
  std::string value;
  const rocksdb::Status status =
      database_->db->Get(get_options(), database_->handle(family), slice(key), &value);
  if (status.IsNotFound()) return std::optional<std::string>{};
  if (!status.ok()) return to_error(status, "cannot read from " + std::string{name(family)});
  if (database_->cut_off().hides(family, key, value)) return std::optional<std::string>{};
  return std::optional<std::string>{std::move(value)};
}

// Whoever asks the disk has time for that.
void RocksStore::learn_keys() const {
  database_->key_filter.learn([this](const std::string& from, const KeyFilter::Visit& visit) {
    const ScanRange rows{Family::idempotency, from, {}};
    return static_cast<bool>(
        scan(rows, [&](std::string_view key, std::string_view) { return visit(key); }));
  });
}

CachedValue RocksStore::get_cached(Family family, std::string_view key) const {
  stop_counting();
  if (family == Family::idempotency) {
    if (database_->key_filter.should_learn()) return NeedsDisk{};
    if (database_->key_filter.surely_absent(key)) return std::optional<std::string>{};
  }
  std::string value;
  const rocksdb::Status status =
      database_->db->Get(cached_get_options(), database_->handle(family), slice(key), &value);
  if (status.IsNotFound()) return std::optional<std::string>{};
  // Incomplete means "not in memory"; an error is for get() to meet again and to tell.
  // Where not even the table file is open, RocksDB says OK and gives an empty value
  // ("may exist"); no row of ours is empty.
  if (!status.ok() || value.empty()) return NeedsDisk{};
  if (database_->cut_off().hides(family, key, value)) return std::optional<std::string>{};
  return std::optional<std::string>{std::move(value)};
}

Result<> RocksStore::scan(const ScanRange& range, const ScanVisitor& visit) const {
  stop_counting();
  const CutOff cut_off = database_->cut_off();
  std::string from = range.from;
  // What the cut-off hides may be many rows: begin behind them.
  if (range.family == Family::history) from = std::max(from, cut_off.key());
  if (!range.to.empty() && range.to <= from) return ok();
  const rocksdb::Slice lower{from};
  const rocksdb::Slice upper{range.to};
  rocksdb::ReadOptions options = scan_options(range.family);
  // Bounds let RocksDB stop at the range's edge instead of walking the tombstones behind it.
  if (!from.empty()) options.iterate_lower_bound = &lower;
  if (!range.to.empty()) options.iterate_upper_bound = &upper;
  const std::unique_ptr<rocksdb::Iterator> row{
      database_->db->NewIterator(options, database_->handle(range.family))};
  for (range.reverse ? row->SeekToLast() : row->SeekToFirst(); row->Valid();
       range.reverse ? row->Prev() : row->Next()) {
    const std::string_view key = row->key().ToStringView();
    const std::string_view value = row->value().ToStringView();
    if (cut_off.hides(range.family, key, value)) continue;
    if (!visit(key, value)) return ok();
  }
  if (!row->status().ok()) {
    return to_error(row->status(), "cannot scan " + std::string{name(range.family)});
  }
  return ok();
}

Result<> RocksStore::drop_below(Family family, std::string_view key) {
  CHECK(row_of(family).life == KeyLife::cut_off);
  const std::optional<CutOff> cut_off = CutOff::from_key(key);
  CHECK(cut_off.has_value());
  Database& database = *database_;
  if (cut_off->ending <= database.cut_off().ending) return ok();
  database.first_kept_ending.store(cut_off->ending, std::memory_order_release);
  if (database.read_only) return ok();
  // Whole files go at once; what shares a file with kept rows goes with a compaction.
  // Costs a search through the list of files, and a MANIFEST write only if one goes.
  const rocksdb::Slice end = slice(key);
  const rocksdb::Status dropped = rocksdb::DeleteFilesInRange(
      database.db.get(), database.handle(family), nullptr, &end, /*include_end=*/false);
  if (!dropped.ok()) return to_error(dropped, "cannot drop old history");
  return ok();
}

Result<> RocksStore::flush() {
  std::vector<rocksdb::ColumnFamilyHandle*> families{database_->families.begin(),
                                                     database_->families.end()};
  families.push_back(database_->default_family);
  const rocksdb::Status flushed = database_->db->Flush(rocksdb::FlushOptions{}, families);
  if (!flushed.ok()) return to_error(flushed, "cannot flush");
  return ok();
}

void RocksStore::settle_loss() {
  database_->side_file.write(database_->db->GetLatestSequenceNumber());
}

Result<> RocksStore::verify_checksums() const {
  const rocksdb::Status verified = database_->db->VerifyChecksum(rocksdb::ReadOptions{});
  if (!verified.ok()) return to_error(verified, "a table file does not check out");
  return ok();
}

std::optional<Family> RocksStore::family_of_column(uint32_t column) const {
  for (const FamilyRow& row : kFamilies) {
    if (database_->handle(row.family)->GetID() == column) return row.family;
  }
  return std::nullopt;
}

StoreStats RocksStore::stats() const {
  return StoreStats{
      database_->commit_count.load(std::memory_order_relaxed),
      database_->log_bytes.load(std::memory_order_relaxed),
      std::chrono::microseconds{database_->last_commit_us.load(std::memory_order_relaxed)},
      std::chrono::microseconds{database_->commit_us_sum.load(std::memory_order_relaxed)},
  };
}

Result<TableStats> RocksStore::table_stats(Family family) const {
  rocksdb::TablePropertiesCollection tables;
  const rocksdb::Status status =
      database_->db->GetPropertiesOfAllTables(database_->handle(family), &tables);
  if (!status.ok()) return to_error(status, "cannot read table properties");
  TableStats stats;
  for (const auto& [path, properties] : tables) {
    ++stats.table_count;
    stats.bytes += properties->data_size;
    stats.entry_count += properties->num_entries;
    stats.tombstone_count += properties->num_deletions;
  }
  return stats;
}

std::optional<Error> RocksStore::failure() const { return database_->failure->get(); }

}  // namespace holdfast::storage
