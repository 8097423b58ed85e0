#include "storage/rocks/entry_node.h"

#include <bit>
#include <cstring>
#include <new>

namespace holdfast::storage {

namespace {

constexpr size_t kTagBytes = sizeof(uint64_t);
constexpr uint64_t kHeightOdds = 4;

uint64_t tag_at(const char* bytes) {
  static_assert(std::endian::native == std::endian::little);
  uint64_t tag;
  std::memcpy(&tag, bytes, sizeof tag);
  return tag;
}

}  // namespace

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

EntryNode* EntryNode::make(char* memory, int height) {
  const auto address = reinterpret_cast<uintptr_t>(memory);
  memory += -address % alignof(Link);
  for (int n = 0; n < height; ++n) {
    new (memory + static_cast<size_t>(n) * sizeof(Link)) Link{nullptr};
  }
  return reinterpret_cast<EntryNode*>(memory + static_cast<size_t>(height - 1) * sizeof(Link));
}

int EntryNode::draw_height(Random& random, int height_max) {
  int height = 1;
  for (uint64_t dice = random.next(); height < height_max && dice % kHeightOdds == 0;
       dice /= kHeightOdds) {
    ++height;
  }
  return height;
}

EntryPlace entry_place(int level, EntryNode* from, const EntryKey& key) {
  EntryPlace place{from, from->next(level)};
  while (place.behind != nullptr && compare(place.behind->key(), key) < 0) {
    place = {place.behind, place.behind->next(level)};
  }
  return place;
}

EntryNode* last_entry(int level, EntryNode* from) {
  for (; level >= 0; --level) {
    while (EntryNode* const next = from->next(level)) from = next;
  }
  return from;
}

}  // namespace holdfast::storage
