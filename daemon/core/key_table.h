// KeyTable: what memory knows of idempotency keys.
//
// The rows are on disk; here are only those whose latest change is not durable yet,
// and the lookups on their way. Memory overrules the disk:
//
//   Rule    a key with a change in flight is answered from here.
//   Rule    a lookup reserves its key: later submits wait for the same answer, in
//           order. So no key is decided on twice at once.
//   Rule    a change is forgotten when it is durable and no lookup of its key, which
//           may be older than it, is outstanding.
//
// Threads  the loop's.
#pragma once

#include <deque>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "daemon/core/effect.h"
#include "storage/keys.h"

namespace holdfast::core {

struct HashOfHash {
  size_t operator()(const storage::KeyHash& hash) const noexcept {
    size_t folded = 0;  // already uniform: the first bytes do
    for (size_t n = 0; n < sizeof folded; ++n) folded = (folded << 8) | hash[n];
    return folded;
  }
};

template <class Waiter>
class KeyTable {
 public:
  using Record = std::optional<storage::IdempotencyRecord>;

  // The record in flight, if there is one.
  const storage::IdempotencyRecord* find(const storage::KeyHash& hash) const {
    auto at = changes_.find(hash);
    return at == changes_.end() ? nullptr : at->second.record.get();
  }
  // True while its erasure is in flight: a row that a lookup still finds is the past.
  bool is_erased(const storage::KeyHash& hash) const {
    auto at = changes_.find(hash);
    return at != changes_.end() && at->second.record == nullptr;
  }

  bool looking_up(const storage::KeyHash& hash) const { return lookups_.contains(hash); }

  // True if what the disk says of the key does not count, or is on its way already.
  bool overrules_disk(const storage::KeyHash& hash) const {
    return changes_.contains(hash) || lookups_.contains(hash);
  }

  // True if this is the first who waits for the key: the lookup must be sent.
  bool wait(const storage::KeyHash& hash, Waiter waiter) {
    auto& waiters = lookups_[hash];
    waiters.push_back(std::move(waiter));
    return waiters.size() == 1;
  }

  // The answer of a lookup has come: who waited for it. The key stays reserved until
  // the caller has dealt with all of them and calls lookup_finished().
  std::vector<Waiter> take_waiters(const storage::KeyHash& hash) {
    auto at = lookups_.find(hash);
    CHECK(at != lookups_.end());
    return std::exchange(at->second, {});
  }
  void lookup_finished(const storage::KeyHash& hash, StepSeq durable) {
    lookups_.erase(hash);
    auto at = changes_.find(hash);
    if (at != changes_.end() && at->second.step <= durable) changes_.erase(at);
  }

  void changed(const storage::KeyHash& hash, storage::IdempotencyPtr record, StepSeq step) {
    note(hash, Change{std::move(record), step});
  }
  void erased(const storage::KeyHash& hash, StepSeq step) { note(hash, Change{nullptr, step}); }

  void durable(StepSeq watermark) {
    while (!order_.empty() && order_.front().first <= watermark) {
      const storage::KeyHash hash = order_.front().second;
      order_.pop_front();
      auto at = changes_.find(hash);
      if (at == changes_.end() || watermark < at->second.step) continue;
      if (!lookups_.contains(hash)) changes_.erase(at);
    }
  }

  // Between the two, keys that change are noted: a page of expired rows that was read
  // meanwhile may be wrong about them.
  void sweep_started() {
    sweeping_ = true;
    swept_over_.clear();
  }
  void sweep_finished() {
    sweeping_ = false;
    swept_over_.clear();
  }
  bool changed_during_sweep(const storage::KeyHash& hash) const {
    return swept_over_.contains(hash) || overrules_disk(hash);
  }

  size_t changes() const { return changes_.size(); }
  size_t lookups() const { return lookups_.size(); }

 private:
  struct Change {
    storage::IdempotencyPtr record;  // null: erased
    StepSeq step;
  };

  void note(const storage::KeyHash& hash, Change change) {
    order_.emplace_back(change.step, hash);
    changes_.insert_or_assign(hash, std::move(change));
    if (sweeping_) swept_over_.insert(hash);
  }

  std::unordered_map<storage::KeyHash, Change, HashOfHash> changes_;
  std::deque<std::pair<StepSeq, storage::KeyHash>> order_;  // of changes, rising
  std::unordered_map<storage::KeyHash, std::vector<Waiter>, HashOfHash> lookups_;
  bool sweeping_ = false;
  std::unordered_set<storage::KeyHash, HashOfHash> swept_over_;
};

}  // namespace holdfast::core
