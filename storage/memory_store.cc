#include "storage/memory_store.h"

#include "storage/base/check.h"

namespace holdfast::storage {

namespace {

using Lock = std::lock_guard<std::recursive_mutex>;

KeyLife life_of(Family family) { return row_of(family).life; }

}  // namespace

MemoryStore::MemoryStore(const MemoryStore& other) : disk_(other.copy_of_disk()) {}

MemoryStore& MemoryStore::operator=(const MemoryStore& other) {
  Disk copy = other.copy_of_disk();
  const Lock lock{mutex_};
  disk_ = std::move(copy);
  fail_next_.reset();
  in_doubt_.reset();
  return *this;
}

MemoryStore::Disk MemoryStore::copy_of_disk() const {
  const Lock lock{mutex_};
  return disk_;
}

Result<> MemoryStore::commit(std::span<const Write> writes) {
  const Lock lock{mutex_};
  CHECK(scan_depth_ == 0);
  if (in_doubt_) return Error{Errc::refused, "an earlier commit failed; restart to go on"};
  if (fail_next_) {
    in_doubt_.emplace();
    if (*fail_next_ == InDoubt::kept) in_doubt_->assign(writes.begin(), writes.end());
    return Error{Errc::io, "the sync failed, as the test wished"};
  }
  for (const Write& write : writes) apply(disk_, write);
  ++disk_.commit_count;
  return ok();
}

void MemoryStore::apply(Disk& disk, const Write& write) {
  const auto family = static_cast<size_t>(write.family);
  CHECK(family < kFamilyCount);
  Rows& rows = disk.rows[family];
  switch (write.op) {
    case WriteOp::put:
      put(disk, write);
      return;
    case WriteOp::single_delete:
      CHECK(life_of(write.family) == KeyLife::once);
      CHECK(rows.erase(write.key) == 1);
      if (disk.dead_keys == DeadKeys::remembered) disk.dead[family].insert(write.key);
      return;
    case WriteOp::erase:
      CHECK(life_of(write.family) == KeyLife::rewritten);
      rows.erase(write.key);
      return;
  }
  check_failed("every case has returned", __FILE__, __LINE__);
}

void MemoryStore::put(Disk& disk, const Write& write) {
  const auto family = static_cast<size_t>(write.family);
  Rows& rows = disk.rows[family];
  switch (life_of(write.family)) {
    case KeyLife::once:
      CHECK(!disk.dead[family].contains(write.key));
      CHECK(rows.emplace(write.key, write.value).second);
      return;
    case KeyLife::cut_off:
      CHECK(!disk.cut_off.hides(write.family, write.key, write.value));
      CHECK(rows.emplace(write.key, write.value).second);
      return;
    case KeyLife::rewritten:
      rows.insert_or_assign(write.key, write.value);
      return;
  }
  check_failed("every case has returned", __FILE__, __LINE__);
}

Result<std::optional<std::string>> MemoryStore::get(Family family, std::string_view key) const {
  const Lock lock{mutex_};
  const Rows& rows = rows_of(family);
  const auto row = rows.find(key);
  if (row == rows.end() || disk_.cut_off.hides(family, row->first, row->second)) {
    return std::optional<std::string>{};
  }
  return std::optional<std::string>{row->second};
}

CachedValue MemoryStore::get_cached(Family family, std::string_view key) const {
  return *get(family, key);
}

Result<> MemoryStore::scan(const ScanRange& range, const ScanVisitor& visit) const {
  const Lock lock{mutex_};
  if (!range.to.empty() && range.to <= range.from) return ok();
  const Rows& rows = rows_of(range.family);
  const auto begin = rows.lower_bound(range.from);
  const auto end = range.to.empty() ? rows.end() : rows.lower_bound(range.to);
  const auto go_on_after = [&](const Rows::value_type& row) {
    return disk_.cut_off.hides(range.family, row.first, row.second) || visit(row.first, row.second);
  };
  ++scan_depth_;
  if (range.reverse) {
    for (auto row = end; row != begin;) {
      if (!go_on_after(*--row)) break;
    }
  } else {
    for (auto row = begin; row != end; ++row) {
      if (!go_on_after(*row)) break;
    }
  }
  --scan_depth_;
  return ok();
}

Result<> MemoryStore::drop_below(Family family, std::string_view key) {
  const Lock lock{mutex_};
  CHECK(scan_depth_ == 0);
  CHECK(life_of(family) == KeyLife::cut_off);
  const std::optional<CutOff> cut_off = CutOff::from_key(key);
  CHECK(cut_off.has_value());
  if (cut_off->ending <= disk_.cut_off.ending) return ok();
  disk_.cut_off = *cut_off;
  Rows& rows = disk_.rows[static_cast<size_t>(family)];
  rows.erase(rows.begin(), rows.lower_bound(key));
  return ok();
}

void MemoryStore::fail_next_commit(InDoubt in_doubt) {
  const Lock lock{mutex_};
  fail_next_ = in_doubt;
}

MemoryStore MemoryStore::reopened() const {
  const Lock lock{mutex_};
  MemoryStore next{*this};
  if (in_doubt_ && !in_doubt_->empty()) CHECK(next.commit(*in_doubt_));
  return next;
}

size_t MemoryStore::row_count(Family family) const {
  const Lock lock{mutex_};
  return rows_of(family).size();
}

uint64_t MemoryStore::commit_count() const {
  const Lock lock{mutex_};
  return disk_.commit_count;
}

}  // namespace holdfast::storage
