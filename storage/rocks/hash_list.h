// HashList: the entries of one memtable in the order of their keys, which are uniform hashes.
//
// A random key belongs anywhere: in one skip list each insert goes down through all its levels,
// and meets a node on each that the processor's cache has not. But the first bits of a uniform
// key say about where it belongs. So there is a list for each value of them, with a few entries
// in a full memtable; one behind the other they are in order. What holds of all lists:
// entry_node.h.
//
// Rule    Each of them is a skip list.
// Reason  Who chooses his keys can have all of them begin alike. Then it is one skip list again,
//         and slow only as that is. The same holds of keys that are no hashes.
//
// Rule    Heads are memory that is touched only where keys are, and `occupied_` tells which are.
// Reason  A box that uses no such keys pays nothing; and what looks for the next entry in a
//         sparse table goes by 64 heads at a step.
//
// Failure    None; two equal entries are a bug.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "storage/base/random.h"
#include "storage/rocks/entry_node.h"
#include "storage/rocks/zero_pages.h"

namespace holdfast::storage {

class HashList {
 public:
  static constexpr int kHeightMax = 8;  // a head is one line of the processor's cache

  HashList();
  HashList(const HashList&) = delete;
  HashList& operator=(const HashList&) = delete;

  // How many levels the next node is on.
  int draw_height() { return EntryNode::draw_height(random_, kHeightMax); }

  // Its entry is written by now. CHECK: no equal one is there.
  void insert(EntryNode* node, int height);

  // Null: there is none.
  const EntryNode* first() const { return first_from(0); }
  const EntryNode* last() const { return last_below(kListsCount); }
  const EntryNode* next(const EntryNode* node) const;
  const EntryNode* at_or_behind(const EntryKey& key) const;
  const EntryNode* before(const EntryKey& key) const;

 private:
  static constexpr int kListBits = 12;
  static constexpr size_t kListsCount = size_t{1} << kListBits;

  // Of the list in which the key belongs. A short one counts as if zeros followed.
  static size_t list_of(std::string_view key);
  EntryNode* head(size_t list) const;
  EntryPlace place_of(const EntryKey& key, size_t list) const;
  // The first entry of that list or of one behind it, the last of one before it.
  const EntryNode* first_from(size_t list) const;
  const EntryNode* last_below(size_t list) const;

  ZeroPages heads_;
  std::array<std::atomic<uint64_t>, kListsCount / 64> occupied_{};  // a bit each; never cleared
  Random random_{0};                                                // any seed will do
};

}  // namespace holdfast::storage
