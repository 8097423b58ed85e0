// EntryList: the entries of one memtable in the order of their keys, whatever they are.
//
// A skip list, as RocksDB's own. What it does better is comparing: RocksDB's goes through
// two virtual calls and a counter, and where it is built with its assertions, as Debian
// does, each insert makes a dozen comparisons more. What holds of all lists: entry_node.h.
//
// Rule    insert() begins its search where the last one ended, and goes up only as far as
//         it must.
// Reason  The rows of a commit come sorted, and most follow the ones before: two comparisons.
//
// Failure    None; two equal entries are a bug.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>

#include "storage/base/random.h"
#include "storage/rocks/entry_node.h"

namespace holdfast::storage {

class EntryList {
 public:
  static constexpr int kHeightMax = 12;  // good for 16 million

  EntryList();
  EntryList(const EntryList&) = delete;
  EntryList& operator=(const EntryList&) = delete;

  // How many levels the next node is on.
  int draw_height() { return EntryNode::draw_height(random_, kHeightMax); }

  // Its entry is written by now. CHECK: no equal one is there.
  void insert(EntryNode* node, int height);

  // Null: there is none.
  const EntryNode* first() const { return head_->next(0); }
  const EntryNode* last() const;
  const EntryNode* next(const EntryNode* node) const { return node->next(0); }
  const EntryNode* at_or_behind(const EntryKey& key) const { return place_of(key).behind; }
  const EntryNode* before(const EntryKey& key) const;

 private:
  static constexpr size_t kHeadBytes =
      kHeightMax * sizeof(EntryNode::Link) + alignof(EntryNode::Link);

  EntryPlace place_of(const EntryKey& key) const;
  bool brackets(const EntryNode* node, const EntryKey& key, int level) const;
  // Puts the finger there.
  void find_place(const EntryKey& key);

  std::array<char, kHeadBytes> head_memory_{};
  EntryNode* const head_;
  std::atomic<int> height_{1};  // of the highest node
  Random random_{0};            // any seed: keys do not depend on it
  // Where the last insert was: the node before, by level.
  std::array<EntryNode*, kHeightMax> finger_;
};

}  // namespace holdfast::storage
