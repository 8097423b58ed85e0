#include "storage/rocks/entry_list.h"

#include "storage/base/check.h"

namespace holdfast::storage {

EntryList::EntryList() : head_(EntryNode::make(head_memory_.data(), kHeightMax)) {
  finger_.fill(head_);
}

EntryPlace EntryList::place_of(const EntryKey& key) const {
  EntryPlace place{head_, nullptr};
  for (int level = height_.load(std::memory_order_relaxed) - 1; level >= 0; --level) {
    place = entry_place(level, place.before, key);
  }
  return place;
}

// Whether the key's place on this level is right behind the node.
bool EntryList::brackets(const EntryNode* node, const EntryKey& key, int level) const {
  if (node != head_ && compare(node->key(), key) >= 0) return false;
  const EntryNode* next = node->own_next(level);
  return next == nullptr || compare(next->key(), key) > 0;
}

// What brackets the key on one level does so on all higher ones: up until one does, and down
// again to the place. Above the highest node the head does.
void EntryList::find_place(const EntryKey& key) {
  int level = 0;
  while (level < kHeightMax - 1 && !brackets(finger_[level], key, level)) ++level;
  if (level == 0) return;
  if (level == kHeightMax - 1) finger_[level] = entry_place(level, head_, key).before;
  for (--level; level >= 0; --level) {
    finger_[level] = entry_place(level, finger_[level + 1], key).before;
  }
  const EntryNode* following = finger_[0]->own_next(0);
  CHECK(following == nullptr || compare(following->key(), key) != 0);
}

void EntryList::insert(EntryNode* node, int height) {
  find_place(node->key());
  if (height > height_.load(std::memory_order_relaxed)) {
    height_.store(height, std::memory_order_relaxed);
  }
  for (int n = 0; n < height; ++n) node->prepare(n, finger_[n]->own_next(n));
  for (int n = 0; n < height; ++n) {
    finger_[n]->publish(n, node);
    finger_[n] = node;
  }
}

const EntryNode* EntryList::before(const EntryKey& key) const {
  const EntryNode* node = place_of(key).before;
  return node == head_ ? nullptr : node;
}

const EntryNode* EntryList::last() const {
  const EntryNode* node = last_entry(height_.load(std::memory_order_relaxed) - 1, head_);
  return node == head_ ? nullptr : node;
}

}  // namespace holdfast::storage
