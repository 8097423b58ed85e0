// The compaction filter behind drop_below(): it leaves out the rows of `history` and
// `endings` that the cut-off hides. Readers hide them already, so when it runs, and
// whether it runs at all, changes nothing but the disk space. It asks no clock.
#pragma once

#include <rocksdb/compaction_filter.h>

#include <atomic>

#include "storage/cut_off.h"

namespace holdfast::storage {

class CutOffFilter final : public rocksdb::CompactionFilter {
 public:
  // `first_kept_ending` lives longer than the database.
  CutOffFilter(Family family, const std::atomic<uint64_t>& first_kept_ending)
      : family_(family), first_kept_ending_(first_kept_ending) {}

  bool Filter(int /*level*/, const rocksdb::Slice& key, const rocksdb::Slice& value,
              std::string* /*new_value*/, bool* /*value_changed*/) const override {
    const CutOff cut_off{first_kept_ending_.load(std::memory_order_relaxed)};
    return cut_off.hides(family_, key.ToStringView(), value.ToStringView());
  }
  const char* Name() const override { return "holdfast.cut_off"; }

 private:
  const Family family_;
  const std::atomic<uint64_t>& first_kept_ending_;
};

}  // namespace holdfast::storage
