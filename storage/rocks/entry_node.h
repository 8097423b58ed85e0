// EntryNode: an entry of a memtable, and its links to the ones behind it in a skip list.
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
// Rule    A reader gets the node that it compared, and never follows a link a second time.
// Reason  In between another entry may have come there, and that one was not compared: it may
//         be less than what was sought.
//
// Rule    No two entries of a list are equal, and none ever leaves.
// Reason  Each write has a sequence of its own; a deletion is an entry, too.
//
// Ownership  The nodes are the caller's memory, which lives longer than their list.
// Threads    One inserts; others read meanwhile, without a lock. A reader sees an entry
//            whole or not at all.
#pragma once

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

// The links, the highest level first; the node is where the lowest one lies, and the entry
// follows it. The head of a list is a node without an entry, and less than all.
class EntryNode {
 public:
  using Link = std::atomic<EntryNode*>;

  // Bytes to allocate for a node of this height and its entry; they need not be aligned.
  static size_t bytes(int height, size_t entry_bytes) {
    return static_cast<size_t>(height) * sizeof(Link) + entry_bytes + alignof(Link) - 1;
  }
  static EntryNode* make(char* memory, int height);
  // One node in four is on the next level, too.
  static int draw_height(Random& random, int height_max);

  EntryNode* next(int level) const { return link(level)->load(std::memory_order_acquire); }
  // For the one writer, who stored every link himself: no acquire needed.
  EntryNode* own_next(int level) const { return link(level)->load(std::memory_order_relaxed); }
  void prepare(int level, EntryNode* next) {
    link(level)->store(next, std::memory_order_relaxed);
  }
  void publish(int level, EntryNode* next) {
    link(level)->store(next, std::memory_order_release);
  }

  char* entry() { return reinterpret_cast<char*>(this) + sizeof(Link); }
  const char* entry() const { return reinterpret_cast<const char*>(this) + sizeof(Link); }
  EntryKey key() const { return EntryKey::of_entry(entry()); }

 private:
  Link* link(int level) const {
    const auto lowest = reinterpret_cast<uintptr_t>(this);
    return reinterpret_cast<Link*>(lowest - static_cast<size_t>(level) * sizeof(Link));
  }
};

// Between which two nodes of one level a key belongs.
struct EntryPlace {
  EntryNode* before;  // less than the key
  EntryNode* behind;  // not less; null: there is none
};

// From a node on that is less than the key.
EntryPlace entry_place(int level, EntryNode* from, const EntryKey& key);

// The last node from this one on, going down from that level.
EntryNode* last_entry(int level, EntryNode* from);

}  // namespace holdfast::storage
