// EntryList: the entries of one memtable in the order of their keys.
//
// A skip list, as RocksDB's own. What it does better is comparing: RocksDB's goes through
// two virtual calls and a counter, and where it is built with its assertions, as Debian
// does, each insert makes a dozen comparisons more.
//
//    entry := key_bytes:varint32 key tag:le64 ...   key_bytes counts the tag
//    tag   := sequence << 8 | type
//
// (rocksdb/memtablerep.h: "The format of key is frozen".)
//
// Rule    Keys rise bytewise; of one key the highest tag comes first.
// Reason  It is the order of RocksDB's BytewiseComparator: who asks for a key as it was at
//         some sequence finds what he wants at the first entry from there on.
//
// Rule    insert() begins its search where the last one ended, and goes up only as far as
//         it must.
// Reason  The rows of a commit come sorted, and most follow the ones before: two comparisons.
//
// Rule    A reader gets the node that it compared, and never follows a link a second time.
// Reason  In between another entry may have come there, and that one was not compared: it may
//         be less than what was sought.
//
// Rule    No two entries are equal, and none ever leaves.
// Reason  Each write has a sequence of its own; a deletion is an entry, too.
//
// Ownership  The nodes are the caller's memory, which lives longer than the list.
// Threads    One inserts; others read meanwhile, without a lock. A reader sees an entry
//            whole or not at all.
// Failure    None; two equal entries are a bug.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "storage/base/random.h"

namespace holdfast::storage {

struct EntryKey {
  std::string_view key;
  uint64_t tag;

  static EntryKey of_entry(const char* entry);
  // RocksDB's "internal key": the key and its tag behind it.
  static EntryKey of_internal(std::string_view internal_key);
};

// Negative, zero or positive, as memcmp().
int compare(const EntryKey& one, const EntryKey& other);

class EntryList {
 public:
  class Node;

  static constexpr int kHeightMax = 12;  // a node in four is on the next level: good for 16 million

  EntryList();
  EntryList(const EntryList&) = delete;
  EntryList& operator=(const EntryList&) = delete;

  // How many levels the next node is on.
  int draw_height();
  // Bytes to allocate for a node of this height and its entry; they need not be aligned.
  static size_t node_bytes(int height, size_t entry_bytes);
  static Node* make_node(char* memory, int height);

  // Its entry is written by now. CHECK: no equal one is there.
  void insert(Node* node, int height);

  static const char* entry(const Node* node);
  static char* entry(Node* node);

  // Null: there is none.
  const Node* first() const { return next(head_); }
  const Node* last() const;
  static const Node* next(const Node* node);
  const Node* at_or_behind(const EntryKey& key) const;
  const Node* before(const EntryKey& key) const;

 private:
  static constexpr size_t kHeadBytes = kHeightMax * sizeof(void*) + alignof(void*);

  // Between which two nodes a key belongs.
  struct Place {
    Node* before;  // less than the key; the head is less than all
    Node* behind;  // not less; null: there is none
  };
  static Place place_on(int level, Node* from, const EntryKey& key);
  Place place_of(const EntryKey& key) const;
  bool brackets(const Node* node, const EntryKey& key, int level) const;
  // Puts the finger there.
  void find_place(const EntryKey& key);

  std::array<char, kHeadBytes> head_memory_{};
  Node* const head_;             // it has no entry, and is less than all
  std::atomic<int> height_{1};   // of the highest node
  Random random_{0};             // any seed: keys do not depend on it
  std::array<Node*, kHeightMax> finger_;  // where the last insert was: the node before, by level
};

}  // namespace holdfast::storage
