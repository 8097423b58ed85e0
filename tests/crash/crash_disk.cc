#include "tests/crash/crash_disk.h"

#include <algorithm>
#include <utility>

#include "storage/base/check.h"

namespace holdfast::crash {

using rocksdb::IOStatus;
using Lock = std::lock_guard<std::mutex>;

namespace {

constexpr size_t kSectorBytes = 512;

IOStatus no_space() {
  IOStatus status = IOStatus::NoSpace("the simulated disk is full");
  status.SetRetryable(true);  // as the real file system says it
  return status;
}

std::string without_slash(std::string path) {
  if (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path;
}

}  // namespace

const char* name(Survival survival) {
  switch (survival) {
    case Survival::nothing:
      return "nothing";
    case Survival::prefix:
      return "prefix";
    case Survival::torn_sectors:
      return "torn_sectors";
    case Survival::everything:
      return "everything";
  }
  return "?";
}

// --- faults ------------------------------------------------------------------------

void CrashDisk::cut_at(uint64_t io) {
  const Lock lock{mutex_};
  ios_ = 0;
  cut_at_ = io;
}

void CrashDisk::fail_sync_at(uint64_t n) {
  const Lock lock{mutex_};
  syncs_ = 0;
  fail_sync_at_ = n;
}

void CrashDisk::set_space(uint64_t bytes) {
  const Lock lock{mutex_};
  space_ = bytes;
}

void CrashDisk::fill_at(uint64_t io) {
  const Lock lock{mutex_};
  ios_ = 0;
  fill_at_ = io;
}

bool CrashDisk::off() const {
  const Lock lock{mutex_};
  return off_;
}

bool CrashDisk::has_refused() const {
  const Lock lock{mutex_};
  return has_refused_;
}

uint64_t CrashDisk::io_count() const {
  const Lock lock{mutex_};
  return ios_;
}

uint64_t CrashDisk::sync_count() const {
  const Lock lock{mutex_};
  return syncs_;
}

uint64_t CrashDisk::kept_count() const {
  const Lock lock{mutex_};
  return kept_;
}

void CrashDisk::switch_off() {
  const Lock lock{mutex_};
  off_ = true;
}

IOStatus CrashDisk::io() {
  if (off_) return IOStatus::IOError("the power is off");
  if (++ios_ < cut_at_) return IOStatus::OK();
  off_ = true;
  return IOStatus::IOError("the power goes off");
}

void CrashDisk::restart(Survival survival) {
  const Lock lock{mutex_};
  size_t kept = 0;
  if (survival == Survival::everything) kept = unsynced_.size();
  if (survival == Survival::prefix || survival == Survival::torn_sectors) {
    kept = random_.up_to(unsynced_.size());
  }
  for (size_t n = 0; n < kept; ++n) apply(durable_names_, unsynced_[n]);
  unsynced_.clear();
  names_ = durable_names_;
  std::set<Inode*> survived;
  for (const auto& [path, inode] : names_) {
    if (survived.insert(inode.get()).second) survive(*inode, survival);
  }
  locks_.clear();
  forget_faults();
}

void CrashDisk::restart_process() {
  const Lock lock{mutex_};
  locks_.clear();
  forget_faults();
}

void CrashDisk::forget_faults() {
  off_ = false;
  has_refused_ = false;
  ios_ = 0;
  cut_at_ = kNever;
  fail_sync_at_ = kNever;
  space_ = kNever;
  fill_at_ = kNever;
}

void CrashDisk::survive(Inode& inode, Survival survival) {
  std::string bytes = inode.durable;
  if (survival == Survival::everything) bytes = inode.bytes;
  if (survival == Survival::prefix || survival == Survival::torn_sectors) {
    const size_t written = std::max(inode.bytes.size(), inode.changed_from) - inode.changed_from;
    const size_t end = inode.changed_from + random_.up_to(written);
    bytes = inode.bytes.substr(0, end);
    if (inode.durable.size() > end) bytes += inode.durable.substr(end);
    if (survival == Survival::torn_sectors) tear(inode, bytes);
  }
  inode.bytes = bytes;
  inode.durable = std::move(bytes);
  inode.changed_from = inode.bytes.size();
  inode.liar = false;
}

// Sectors are written whole, but in any order: one in four is still as it was before
// (zeros, behind the old end), and one in four of the new ones is garbage.
void CrashDisk::tear(Inode& inode, std::string& bytes) {
  for (size_t at = inode.changed_from; at < bytes.size();) {
    const size_t end = std::min(bytes.size(), (at / kSectorBytes + 1) * kSectorBytes);
    const bool was_there = end <= inode.durable.size();
    const uint64_t fate = random_.up_to(3);
    for (size_t n = at; n < end; ++n) {
      if (fate == 0) bytes[n] = n < inode.durable.size() ? inode.durable[n] : '\0';
      if (fate == 1 && !was_there) bytes[n] = static_cast<char>(random_.up_to(255));
    }
    at = end;
  }
}

// --- bytes -------------------------------------------------------------------------

InodePtr CrashDisk::find(const std::string& path) const {
  const Lock lock{mutex_};
  const auto at = names_.find(path);
  return at == names_.end() ? nullptr : at->second;
}

IOStatus CrashDisk::create(const std::string& path, bool keep, InodePtr& inode) {
  const Lock lock{mutex_};
  const IOStatus done = io();
  if (!done.ok()) return done;
  const auto at = names_.find(path);
  if (keep && at != names_.end()) {
    inode = at->second;
    ++kept_;
    return done;
  }
  inode = std::make_shared<Inode>();
  change({{}, path, inode});
  return done;
}

void CrashDisk::put(Inode& inode, uint64_t offset, std::string_view bytes) {
  if (inode.bytes.size() < offset + bytes.size()) inode.bytes.resize(offset + bytes.size());
  std::copy(bytes.begin(), bytes.end(), inode.bytes.begin() + static_cast<std::ptrdiff_t>(offset));
  inode.changed_from = std::min<size_t>(inode.changed_from, offset);
}

IOStatus CrashDisk::write(Inode& inode, uint64_t offset, std::string_view bytes) {
  const Lock lock{mutex_};
  const bool was_off = off_;
  const IOStatus done = io();
  if (!done.ok()) {
    if (!was_off) put(inode, offset, bytes.substr(0, random_.up_to(bytes.size())));
    return done;
  }
  const uint64_t grown =
      offset + bytes.size() > inode.bytes.size() ? offset + bytes.size() - inode.bytes.size() : 0;
  if (grown > space_ || (grown > 0 && ios_ >= fill_at_)) {
    has_refused_ = true;
    return no_space();
  }
  if (space_ != kNever) space_ -= grown;
  put(inode, offset, bytes);
  return done;
}

// Preallocation that the file's size shows: zeros.
IOStatus CrashDisk::extend(Inode& inode, uint64_t size) {
  const Lock lock{mutex_};
  const IOStatus done = io();
  if (!done.ok() || size <= inode.bytes.size()) return done;
  inode.changed_from = std::min<size_t>(inode.changed_from, inode.bytes.size());
  inode.bytes.resize(size);
  return done;
}

IOStatus CrashDisk::truncate(Inode& inode, uint64_t size) {
  const Lock lock{mutex_};
  const IOStatus done = io();
  if (!done.ok() || size >= inode.bytes.size()) return done;
  inode.bytes.resize(size);
  inode.changed_from = std::min<size_t>(inode.changed_from, size);
  return done;
}

IOStatus CrashDisk::sync(Inode& inode) {
  const Lock lock{mutex_};
  const IOStatus done = io();
  if (!done.ok()) return done;
  if (++syncs_ == fail_sync_at_) {
    inode.liar = true;
    has_refused_ = true;
    return IOStatus::IOError("the simulated disk failed a sync");
  }
  if (inode.liar) return done;
  inode.durable.resize(std::min(inode.durable.size(), inode.changed_from));
  inode.durable += std::string_view{inode.bytes}.substr(inode.durable.size());
  inode.changed_from = inode.bytes.size();
  return done;
}

std::string CrashDisk::read(const Inode& inode, uint64_t offset, size_t size) {
  const Lock lock{mutex_};
  if (!off_) (void)io();
  if (offset >= inode.bytes.size()) return {};
  return inode.bytes.substr(offset, size);
}

uint64_t CrashDisk::size(const Inode& inode) const {
  const Lock lock{mutex_};
  return inode.bytes.size();
}

// --- names -------------------------------------------------------------------------

void CrashDisk::apply(Names& names, const NameChange& change) {
  if (!change.removed.empty()) names.erase(change.removed);
  if (!change.added.empty()) names[change.added] = change.inode;
}

void CrashDisk::change(NameChange change) {
  apply(names_, change);
  unsynced_.push_back(std::move(change));
}

IOStatus CrashDisk::remove(const std::string& path) {
  const Lock lock{mutex_};
  const auto at = names_.find(path);
  if (at == names_.end()) return IOStatus::PathNotFound(path);
  const IOStatus done = io();
  if (!done.ok()) return done;
  if (space_ != kNever) space_ += at->second->bytes.size();
  change({path, {}, nullptr});
  return done;
}

IOStatus CrashDisk::rename(const std::string& from, const std::string& to) {
  const Lock lock{mutex_};
  const auto at = names_.find(from);
  if (at == names_.end()) return IOStatus::PathNotFound(from);
  const IOStatus done = io();
  if (done.ok()) change({from, to, at->second});
  return done;
}

IOStatus CrashDisk::link(const std::string& from, const std::string& to) {
  const Lock lock{mutex_};
  const auto at = names_.find(from);
  if (at == names_.end()) return IOStatus::PathNotFound(from);
  const IOStatus done = io();
  if (done.ok()) change({{}, to, at->second});
  return done;
}

IOStatus CrashDisk::sync_directory() {
  const Lock lock{mutex_};
  const IOStatus done = io();
  if (!done.ok()) return done;
  for (const NameChange& change : unsynced_) apply(durable_names_, change);
  unsynced_.clear();
  return done;
}

void CrashDisk::make_directory(const std::string& path) {
  const Lock lock{mutex_};
  directories_.insert(without_slash(path));
}

bool CrashDisk::exists(const std::string& path) const {
  const Lock lock{mutex_};
  return names_.contains(path) || directories_.contains(without_slash(path));
}

bool CrashDisk::is_directory(const std::string& path) const {
  const Lock lock{mutex_};
  return directories_.contains(without_slash(path));
}

std::vector<std::string> CrashDisk::children(const std::string& directory) const {
  const Lock lock{mutex_};
  const std::string prefix = without_slash(directory) + "/";
  std::vector<std::string> found;
  for (const auto& [path, inode] : names_) {
    if (!path.starts_with(prefix)) continue;
    if (path.find('/', prefix.size()) != std::string::npos) continue;
    found.push_back(path.substr(prefix.size()));
  }
  return found;
}

bool CrashDisk::lock(const std::string& path) {
  const Lock guard{mutex_};
  return locks_.insert(path).second;
}

void CrashDisk::unlock(const std::string& path) {
  const Lock guard{mutex_};
  locks_.erase(path);
}

uint64_t CrashDisk::free_space() const {
  const Lock lock{mutex_};
  return space_ == kNever ? uint64_t{1} << 40 : space_;
}

std::map<std::string, std::string> CrashDisk::files() const {
  const Lock lock{mutex_};
  std::map<std::string, std::string> files;
  for (const auto& [path, inode] : names_) files.emplace(path, inode->bytes);
  return files;
}

void CrashDisk::overwrite(const std::string& path, std::string bytes) {
  const Lock lock{mutex_};
  const auto inode = std::make_shared<Inode>();
  inode->durable = bytes;
  inode->bytes = std::move(bytes);
  inode->changed_from = inode->bytes.size();
  names_[path] = inode;
  durable_names_[path] = inode;
}

}  // namespace holdfast::crash
