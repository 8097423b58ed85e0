// Window<Key, Entry>: the part of an ordered backlog that is held in memory.
//
// The backlog is on disk, ordered by Key. The window holds its front, up to a bound:
//
//   Invariant  every row with key <= bound, durable or in flight, is in the window,
//              and none above it is. Without a bound the whole backlog is.
//
// When it runs low the owner asks the disk for the next page and hands it in:
//
//    if (window.wants_page()) ask_disk(window.begin_load());
//    ...
//    window.page_loaded(rows, last_row_key_unless_the_end);
//
// The page must be read after everything that was added or removed before
// begin_load() is durable; what changes in its range while it is on its way is laid
// over it here. When too many additions gather, only the lowest are kept and the new
// bound is lowered to the last of them: the rest is found by the next page.
//
// Ownership  values. Threads  one. Cost  O(log n) per change.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "storage/base/check.h"

namespace holdfast::core {

template <class Key, class Entry>
class Window {
 public:
  // Holds `entries_max` entries; a page is asked for at a quarter of that.
  explicit Window(size_t entries_max) : entries_max_(entries_max) { CHECK(entries_max > 0); }

  // Forgets everything: nothing of the backlog is known until a page comes. Before
  // any fact, for a backlog that may have rows on disk.
  void start_unknown() {
    CHECK(entries_.empty() && !load_);
    whole_ = false;
    bound_.reset();
  }

  bool empty() const { return entries_.empty(); }
  size_t size() const { return entries_.size(); }
  bool whole() const { return whole_; }  // nothing of the backlog is only on disk
  bool loading() const { return load_.has_value(); }
  const std::optional<Key>& bound() const { return bound_; }

  const std::map<Key, Entry>& entries() const { return entries_; }
  const Key& first_key() const {
    CHECK(!entries_.empty());
    return entries_.begin()->first;
  }
  Entry* find(const Key& key) {
    auto at = entries_.find(key);
    return at == entries_.end() ? nullptr : &at->second;
  }
  // True when the window alone can tell whether a row with this key exists.
  bool covers(const Key& key) const { return whole_ || (bound_ && !(*bound_ < key)); }

  // A row has been put in the backlog.
  void add(const Key& key, Entry entry) {
    if (covers(key)) {
      entries_.emplace(key, std::move(entry));
      if (entries_.size() > entries_max_) lower_bound_to_fit();
    } else if (load_) {
      load_->removed.erase(key);
      load_->added.emplace(key, std::move(entry));
      if (load_->added.size() > entries_max_) {
        auto last = std::prev(load_->added.end());
        load_->added.erase(last);
        load_->kept_below = std::prev(load_->added.end())->first;
      }
      if (load_->kept_below) drop_above_kept();
    }
  }

  // A row has left the backlog. Empty if the window does not hold it.
  std::optional<Entry> remove(const Key& key) {
    auto at = entries_.find(key);
    if (at != entries_.end()) {
      std::optional<Entry> entry{std::move(at->second)};
      entries_.erase(at);
      return entry;
    }
    if (load_ && !covers(key)) {
      load_->added.erase(key);
      load_->removed.insert(key);
    }
    return std::nullopt;
  }
  std::pair<Key, Entry> take_first() {
    CHECK(!entries_.empty());
    auto node = entries_.extract(entries_.begin());
    return {node.key(), std::move(node.mapped())};
  }

  bool wants_page() const {
    return !whole_ && !load_ && entries_.size() <= entries_max_ / 4;
  }
  // Where the page begins: after this key, or at the front when empty.
  std::optional<Key> begin_load() {
    CHECK(wants_page());
    load_.emplace();
    return bound_;
  }
  size_t page_rows_max() const { return entries_max_ - entries_max_ / 4; }

  // `page_bound` is the last key the page covers; empty if it reached the end.
  void page_loaded(std::vector<std::pair<Key, Entry>> rows, std::optional<Key> page_bound) {
    CHECK(load_);
    Load load = std::move(*load_);
    load_.reset();
    if (load.discard) return;

    std::optional<Key> new_bound = std::move(page_bound);
    if (load.kept_below && (!new_bound || *load.kept_below < *new_bound)) {
      new_bound = load.kept_below;
    }
    for (auto& [key, entry] : rows) {
      if (new_bound && *new_bound < key) continue;
      if (!load.removed.contains(key)) entries_.emplace(key, std::move(entry));
    }
    for (auto& [key, entry] : load.added) {
      if (!new_bound || !(*new_bound < key)) entries_.emplace(key, std::move(entry));
    }
    whole_ = !new_bound.has_value();
    bound_ = new_bound;
    if (entries_.size() > entries_max_) lower_bound_to_fit();
  }

 private:
  struct Load {
    std::map<Key, Entry> added;
    std::set<Key> removed;
    std::optional<Key> kept_below;  // additions above it were dropped
    bool discard = false;           // the bound moved below the page's beginning
  };

  // Gives the last entries back to the disk. Half a quarter at once, so that a
  // backlog that grows at its front does not do this for every row.
  void lower_bound_to_fit() {
    const size_t keep = entries_max_ - entries_max_ / 8;
    while (entries_.size() > keep && entries_.size() > 1) entries_.erase(std::prev(entries_.end()));
    bound_ = std::prev(entries_.end())->first;
    whole_ = false;
    if (load_) load_->discard = true;
  }

  void drop_above_kept() {
    while (!load_->added.empty() && *load_->kept_below < std::prev(load_->added.end())->first) {
      load_->added.erase(std::prev(load_->added.end()));
    }
  }

  size_t entries_max_;
  std::map<Key, Entry> entries_;
  bool whole_ = true;
  std::optional<Key> bound_;  // meaningless while whole_
  std::optional<Load> load_;
};

}  // namespace holdfast::core
