#include "storage/rocks/key_filter.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

namespace holdfast::storage {

namespace {

constexpr size_t kWordsPerBlock = 8;  // 64 bytes
constexpr size_t kWords = KeyFilter::kBytes / sizeof(uint64_t);
constexpr uint64_t kBlocks = kWords / kWordsPerBlock;
constexpr int kBitsPerKey = 6;
constexpr int kPlaceBits = 9;  // of 512 in a block

// Where the bits of a key are: its first 8 bytes choose the block, the next 8 the bits. A
// shorter key counts as if zeros followed; what is behind 16 bytes does not count.
struct Places {
  uint64_t* block;
  std::array<uint64_t, kWordsPerBlock> bits{};

  Places(uint64_t* words, std::string_view key) {
    std::array<uint64_t, 2> hash{};
    std::memcpy(hash.data(), key.data(), std::min(key.size(), sizeof(hash)));
    block = words + hash[0] % kBlocks * kWordsPerBlock;
    for (int n = 0; n < kBitsPerKey; ++n) {
      const uint64_t place = hash[1] >> (n * kPlaceBits) & ((1u << kPlaceBits) - 1);
      bits[place / 64] |= uint64_t{1} << place % 64;
    }
  }
};

std::atomic_ref<uint64_t> shared(uint64_t& word) { return std::atomic_ref<uint64_t>{word}; }

}  // namespace

KeyFilter::KeyFilter(uint64_t keys_max) : keys_max_(keys_max), full_at_(keys_max) {}

void KeyFilter::add(std::string_view key) {
  const Places places{words(), key};
  bool is_new = false;
  for (size_t n = 0; n < kWordsPerBlock; ++n) {
    const uint64_t bits = places.bits[n];
    if (bits == 0) continue;
    is_new |= (shared(places.block[n]).fetch_or(bits, std::memory_order_release) & bits) != bits;
  }
  if (is_new) keys_count_.fetch_add(1, std::memory_order_relaxed);
}

// A bit may be missing because forget() is at it: then the state, which rose before, tells
// so. The acquiring loads keep the second look at it behind them.
bool KeyFilter::surely_absent(std::string_view key) const {
  const uint32_t state = state_.load(std::memory_order_acquire);
  if (!complete(state)) return false;
  const Places places{words(), key};
  bool missing = false;
  for (size_t n = 0; n < kWordsPerBlock; ++n) {
    const uint64_t bits = places.bits[n];
    if (bits == 0) continue;
    missing |= (shared(places.block[n]).load(std::memory_order_acquire) & bits) != bits;
  }
  return missing && state_.load(std::memory_order_acquire) == state;
}

bool KeyFilter::full() const {
  return keys_count_.load(std::memory_order_relaxed) >= full_at_.load(std::memory_order_relaxed);
}

bool KeyFilter::should_learn() {
  if (complete(state_.load(std::memory_order_relaxed)) && !full()) return false;
  return questions_.fetch_add(1, std::memory_order_relaxed) % kQuestionsPerSlice == 0;
}

// What is added meanwhile may be forgotten. But its row could be read before it was added, so
// it is among those that will be learned.
void KeyFilter::forget() {
  state_.fetch_add(1, std::memory_order_release);
  for (size_t n = 0; n < kWords; ++n) shared(words()[n]).store(0, std::memory_order_release);
  keys_count_.store(0, std::memory_order_relaxed);
  learned_to_.clear();
  rows_learned_ = 0;
}

void KeyFilter::learn(const Rows& rows) {
  const std::unique_lock lock{learning_, std::try_to_lock};
  if (!lock) return;
  if (complete(state_.load(std::memory_order_relaxed))) {
    if (!full()) return;
    forget();
  }
  uint64_t count = 0;
  std::optional<std::string> next;
  const bool read = rows(learned_to_, [&](std::string_view key) {
    if (count == kRowsPerSlice) {
      next = key;
      return false;
    }
    add(key);
    ++count;
    return true;
  });
  if (!read) return;
  rows_learned_ += count;
  if (next) {
    learned_to_ = std::move(*next);
    return;
  }
  // With more rows than it is made for it would learn for ever.
  full_at_.store(std::max(keys_max_, 2 * rows_learned_), std::memory_order_relaxed);
  state_.fetch_add(1, std::memory_order_release);
}

}  // namespace holdfast::storage
