#include "storage/rocks/hash_list.h"

#include <bit>

#include "storage/base/check.h"

namespace holdfast::storage {

namespace {

constexpr size_t kHeadBytes = HashList::kHeightMax * sizeof(EntryNode::Link);
constexpr size_t kBitsPerWord = 64;

}  // namespace

// A link that is all zeros is null.
HashList::HashList() : heads_(kListsCount * kHeadBytes) {}

size_t HashList::list_of(std::string_view key) {
  const auto byte = [&](size_t n) {
    return n < key.size() ? static_cast<unsigned char>(key[n]) : 0u;
  };
  return (byte(0) << 8 | byte(1)) >> (16 - kListBits);
}

EntryNode* HashList::head(size_t list) const {
  char* const highest = heads_.data() + list * kHeadBytes;
  return reinterpret_cast<EntryNode*>(highest + kHeadBytes - sizeof(EntryNode::Link));
}

EntryPlace HashList::place_of(const EntryKey& key, size_t list) const {
  EntryPlace place{head(list), nullptr};
  for (int level = kHeightMax - 1; level >= 0; --level) {
    place = entry_place(level, place.before, key);
  }
  return place;
}

void HashList::insert(EntryNode* node, int height) {
  const EntryKey key = node->key();
  const size_t list = list_of(key.key);
  std::array<EntryNode*, kHeightMax> before;
  EntryPlace place{head(list), nullptr};
  for (int level = kHeightMax - 1; level >= 0; --level) {
    place = entry_place(level, place.before, key);
    before[level] = place.before;
  }
  CHECK(place.behind == nullptr || compare(place.behind->key(), key) != 0);
  for (int n = 0; n < height; ++n) node->prepare(n, before[n]->own_next(n));
  for (int n = 0; n < height; ++n) before[n]->publish(n, node);
  std::atomic<uint64_t>& word = occupied_[list / kBitsPerWord];
  const uint64_t bits = word.load(std::memory_order_relaxed);
  word.store(bits | uint64_t{1} << list % kBitsPerWord, std::memory_order_release);
}

const EntryNode* HashList::next(const EntryNode* node) const {
  const EntryNode* following = node->next(0);
  return following != nullptr ? following : first_from(list_of(node->key().key) + 1);
}

const EntryNode* HashList::at_or_behind(const EntryKey& key) const {
  const size_t list = list_of(key.key);
  const EntryNode* found = place_of(key, list).behind;
  return found != nullptr ? found : first_from(list + 1);
}

const EntryNode* HashList::before(const EntryKey& key) const {
  const size_t list = list_of(key.key);
  const EntryNode* found = place_of(key, list).before;
  return found != head(list) ? found : last_below(list);
}

const EntryNode* HashList::first_from(size_t list) const {
  for (size_t n = list / kBitsPerWord, skipped = list % kBitsPerWord; n < occupied_.size();
       ++n, skipped = 0) {
    const uint64_t bits = occupied_[n].load(std::memory_order_acquire) >> skipped << skipped;
    if (bits == 0) continue;
    return head(n * kBitsPerWord + static_cast<size_t>(std::countr_zero(bits)))->next(0);
  }
  return nullptr;
}

const EntryNode* HashList::last_below(size_t list) const {
  for (size_t n = (list + kBitsPerWord - 1) / kBitsPerWord; n > 0; --n) {
    uint64_t bits = occupied_[n - 1].load(std::memory_order_acquire);
    const size_t end = n * kBitsPerWord;
    if (end > list) bits &= ~uint64_t{0} >> (end - list);
    if (bits == 0) continue;
    const size_t last = end - 1 - static_cast<size_t>(std::countl_zero(bits));
    return last_entry(kHeightMax - 1, head(last));
  }
  return nullptr;
}

}  // namespace holdfast::storage
