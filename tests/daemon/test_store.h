// Stores whose rows are in memory; how a commit goes is for the test to say.
#pragma once

#include <chrono>
#include <functional>
#include <thread>

#include "daemon/committer.h"
#include "storage/memory_store.h"

namespace holdfast::daemon {

class TestStore : public storage::Store {
 public:
  Result<> commit(std::span<const storage::Write> writes) override { return rows.commit(writes); }
  Result<std::optional<std::string>> get(storage::Family family,
                                         std::string_view key) const override {
    return rows.get(family, key);
  }
  storage::CachedValue get_cached(storage::Family family, std::string_view key) const override {
    return rows.get_cached(family, key);
  }
  Result<> scan(const storage::ScanRange& range, const storage::ScanVisitor& visit) const override {
    return rows.scan(range, visit);
  }
  Result<> drop_below(storage::Family family, std::string_view key) override {
    return rows.drop_below(family, key);
  }
  storage::MemoryStore rows;
};

// Remembers who wrote, and takes its time if it is told to.
class WatchedStore final : public TestStore {
 public:
  Result<> commit(std::span<const storage::Write> writes) override {
    writer = std::this_thread::get_id();
    ++commits;
    if (on_commit) on_commit();
    if (is_slow) std::this_thread::sleep_for(kQuickCommit);
    if (fails) return Error{Errc::io, "the disk is gone"};
    return rows.commit(writes);
  }
  std::function<void()> on_commit;
  std::thread::id writer;
  uint64_t commits = 0;
  bool is_slow = false;
  bool fails = false;
};

}  // namespace holdfast::daemon
