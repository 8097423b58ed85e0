#include "storage/rocks/collector.h"

#include <rocksdb/table_properties.h>

#include <cstdint>

namespace holdfast::storage {

namespace {

// A stretch of this many neighbouring entries with this many tombstones among them
// is thick: a reader in front of it wastes half of its steps.
constexpr uint32_t kStretchEntries = 1024;
constexpr uint32_t kStretchTombstonesMax = 512;

// Counts in two half stretches, so that a thick place across a border is seen, too.
class TombstoneCollector final : public rocksdb::TablePropertiesCollector {
 public:
  explicit TombstoneCollector(bool if_mostly_dead) : if_mostly_dead_(if_mostly_dead) {}

  rocksdb::Status AddUserKey(const rocksdb::Slice& /*key*/, const rocksdb::Slice& /*value*/,
                             rocksdb::EntryType type, rocksdb::SequenceNumber /*sequence*/,
                             uint64_t /*file_size*/) override {
    ++entries_;
    if (type == rocksdb::kEntryDelete || type == rocksdb::kEntrySingleDelete) {
      ++tombstones_;
      ++tombstones_in_half_;
      thick_ = thick_ || tombstones_in_half_ + tombstones_before_ >= kStretchTombstonesMax;
    }
    if (++entries_in_half_ == kStretchEntries / 2) {
      tombstones_before_ = tombstones_in_half_;
      tombstones_in_half_ = 0;
      entries_in_half_ = 0;
    }
    return rocksdb::Status::OK();
  }

  bool NeedCompact() const override { return thick_ && (!if_mostly_dead_ || mostly_dead()); }

  rocksdb::Status Finish(rocksdb::UserCollectedProperties* /*properties*/) override {
    return rocksdb::Status::OK();
  }
  rocksdb::UserCollectedProperties GetReadableProperties() const override { return {}; }
  const char* Name() const override { return "holdfast.tombstones"; }

 private:
  // A queue that is kept as long as it is has as many of both.
  bool mostly_dead() const { return tombstones_ > entries_ / 3 * 2; }

  const bool if_mostly_dead_;
  uint64_t entries_ = 0;
  uint64_t tombstones_ = 0;
  uint32_t entries_in_half_ = 0;
  uint32_t tombstones_in_half_ = 0;
  uint32_t tombstones_before_ = 0;
  bool thick_ = false;
};

class TombstoneCollectorFactory final : public rocksdb::TablePropertiesCollectorFactory {
 public:
  explicit TombstoneCollectorFactory(FrontOfQueue front) : front_(front) {}

  rocksdb::TablePropertiesCollector* CreateTablePropertiesCollector(
      rocksdb::TablePropertiesCollectorFactory::Context context) override {
    const bool from_memory = context.level_at_creation == 0;
    return new TombstoneCollector{front_ == FrontOfQueue::is_known && from_memory};
  }
  const char* Name() const override { return "holdfast.tombstones"; }

 private:
  const FrontOfQueue front_;
};

}  // namespace

std::shared_ptr<rocksdb::TablePropertiesCollectorFactory> tombstone_collector(FrontOfQueue front) {
  return std::make_shared<TombstoneCollectorFactory>(front);
}

}  // namespace holdfast::storage
