#include "storage/rocks/entry_list.h"

#include <bit>
#include <cstring>
#include <new>

#include "storage/base/check.h"

namespace holdfast::storage {

namespace {

constexpr size_t kTagBytes = sizeof(uint64_t);
constexpr uint64_t kHeightOdds = 4;  // one node in so many is on the next level, too

uint64_t tag_at(const char* bytes) {
  static_assert(std::endian::native == std::endian::little);
  uint64_t tag;
  std::memcpy(&tag, bytes, sizeof tag);
  return tag;
}

}  // namespace

// The links, the highest level first; the node is where the lowest one lies, and the entry
// follows it.
class EntryList::Node {
 public:
  using Link = std::atomic<Node*>;

  Node* next(int level) const { return link(level)->load(std::memory_order_acquire); }
  // For the one writer, who stored every link himself: no acquire needed.
  Node* own_next(int level) const { return link(level)->load(std::memory_order_relaxed); }
  void prepare(int level, Node* next) { link(level)->store(next, std::memory_order_relaxed); }
  void publish(int level, Node* next) { link(level)->store(next, std::memory_order_release); }

  char* entry() { return reinterpret_cast<char*>(this) + sizeof(Link); }
  const char* entry() const { return reinterpret_cast<const char*>(this) + sizeof(Link); }

 private:
  Link* link(int level) const {
    const auto lowest = reinterpret_cast<uintptr_t>(this);
    return reinterpret_cast<Link*>(lowest - static_cast<size_t>(level) * sizeof(Link));
  }
};

EntryKey EntryKey::of_entry(const char* entry) {
  const auto* byte = reinterpret_cast<const unsigned char*>(entry);
  size_t bytes = *byte++;
  if (bytes >= 0x80) [[unlikely]] {
    bytes &= 0x7F;
    for (int shift = 7; shift <= 28; shift += 7) {
      bytes |= size_t{*byte & 0x7Fu} << shift;
      if (*byte++ < 0x80) break;
    }
  }
  return of_internal({reinterpret_cast<const char*>(byte), bytes});
}

EntryKey EntryKey::of_internal(std::string_view internal_key) {
  const size_t bytes = internal_key.size() - kTagBytes;
  return {internal_key.substr(0, bytes), tag_at(internal_key.data() + bytes)};
}

int compare(const EntryKey& one, const EntryKey& other) {
  const int keys = one.key.compare(other.key);
  if (keys != 0) return keys;
  if (one.tag == other.tag) return 0;
  return one.tag > other.tag ? -1 : 1;
}

EntryList::EntryList() : head_(make_node(head_memory_.data(), kHeightMax)) {
  finger_.fill(head_);
}

int EntryList::draw_height() {
  int height = 1;
  for (uint64_t dice = random_.next(); height < kHeightMax && dice % kHeightOdds == 0;
       dice /= kHeightOdds) {
    ++height;
  }
  return height;
}

size_t EntryList::node_bytes(int height, size_t entry_bytes) {
  return static_cast<size_t>(height) * sizeof(Node::Link) + entry_bytes + alignof(Node::Link) - 1;
}

EntryList::Node* EntryList::make_node(char* memory, int height) {
  const auto address = reinterpret_cast<uintptr_t>(memory);
  memory += -address % alignof(Node::Link);
  for (int n = 0; n < height; ++n) {
    new (memory + static_cast<size_t>(n) * sizeof(Node::Link)) Node::Link{nullptr};
  }
  return reinterpret_cast<Node*>(memory + static_cast<size_t>(height - 1) * sizeof(Node::Link));
}

const char* EntryList::entry(const Node* node) { return node->entry(); }
char* EntryList::entry(Node* node) { return node->entry(); }
const EntryList::Node* EntryList::next(const Node* node) { return node->next(0); }

EntryList::Place EntryList::place_on(int level, Node* from, const EntryKey& key) {
  Place place{from, from->next(level)};
  while (place.behind != nullptr &&
         compare(EntryKey::of_entry(place.behind->entry()), key) < 0) {
    place = {place.behind, place.behind->next(level)};
  }
  return place;
}

EntryList::Place EntryList::place_of(const EntryKey& key) const {
  Place place{head_, nullptr};
  for (int level = height_.load(std::memory_order_relaxed) - 1; level >= 0; --level) {
    place = place_on(level, place.before, key);
  }
  return place;
}

// Whether the key's place on this level is right behind the node.
bool EntryList::brackets(const Node* node, const EntryKey& key, int level) const {
  if (node != head_ && compare(EntryKey::of_entry(node->entry()), key) >= 0) return false;
  const Node* next = node->own_next(level);
  return next == nullptr || compare(EntryKey::of_entry(next->entry()), key) > 0;
}

// What brackets the key on one level does so on all higher ones: up until one does, and down
// again to the place. Above the highest node the head does.
void EntryList::find_place(const EntryKey& key) {
  int level = 0;
  while (level < kHeightMax - 1 && !brackets(finger_[level], key, level)) ++level;
  if (level == 0) return;
  if (level == kHeightMax - 1) finger_[level] = place_on(level, head_, key).before;
  for (--level; level >= 0; --level) {
    finger_[level] = place_on(level, finger_[level + 1], key).before;
  }
  const Node* following = finger_[0]->own_next(0);
  CHECK(following == nullptr || compare(EntryKey::of_entry(following->entry()), key) != 0);
}

void EntryList::insert(Node* node, int height) {
  const EntryKey key = EntryKey::of_entry(node->entry());
  find_place(key);
  if (height > height_.load(std::memory_order_relaxed)) {
    height_.store(height, std::memory_order_relaxed);
  }
  for (int n = 0; n < height; ++n) node->prepare(n, finger_[n]->own_next(n));
  for (int n = 0; n < height; ++n) {
    finger_[n]->publish(n, node);
    finger_[n] = node;
  }
}

const EntryList::Node* EntryList::before(const EntryKey& key) const {
  const Node* node = place_of(key).before;
  return node == head_ ? nullptr : node;
}

const EntryList::Node* EntryList::at_or_behind(const EntryKey& key) const {
  return place_of(key).behind;
}

const EntryList::Node* EntryList::last() const {
  const Node* node = head_;
  for (int level = height_.load(std::memory_order_relaxed) - 1; level >= 0; --level) {
    for (const Node* next = node->next(level); next != nullptr; next = next->next(level)) {
      node = next;
    }
  }
  return node == head_ ? nullptr : node;
}

}  // namespace holdfast::storage
