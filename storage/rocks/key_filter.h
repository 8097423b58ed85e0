// KeyFilter: says of a key of one family, from memory, that it has no row.
//
// Nearly every submit with an idempotency key brings a new one. To see that in the tables costs
// a probe of each of them; here it costs one line of the processor's cache. It is a Bloom
// filter in blocks of such a line (Putze, Sanders, Singler: Cache-, hash- and space-efficient
// Bloom filters, 2007), for keys that are uniform hashes themselves, as those of `idempotency`.
//
//   Safe      surely_absent() is true only of a key that has no row, for whoever may know of
//             it: a row is added after it can be read, and before its commit returns.
//   Complete  at first it knows no row that lay there at the start. It learns them in slices,
//             while it is asked: nothing is read for a box that uses no keys, none at its
//             start. Until it knows all it says of no key that it is absent.
//   Full      erased rows stay in it, and the more are in it, the more often it cannot say.
//             Beyond keys_max keys it forgets everything and learns again.
//
// Threads: one adds, one learns, any number ask, all at once.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

#include "storage/rocks/zero_pages.h"

namespace holdfast::storage {

class KeyFilter {
 public:
  // Memory that is touched only where keys are: none before the first.
  static constexpr size_t kBytes = 4u << 20;
  // 11 bits a key: one absent key in two hundred is not told from a present one.
  static constexpr uint64_t kKeysMax = 3'000'000;
  static constexpr uint64_t kRowsPerSlice = 2048;
  static constexpr uint32_t kQuestionsPerSlice = 16;

  explicit KeyFilter(uint64_t keys_max = kKeysMax);
  KeyFilter(const KeyFilter&) = delete;
  KeyFilter& operator=(const KeyFilter&) = delete;

  void add(std::string_view key);
  bool surely_absent(std::string_view key) const;

  // Whether this question should go to the disk, so that whoever answers it calls learn():
  // one of kQuestionsPerSlice, the first among them, while not all is known or too much is.
  bool should_learn();

  // Shows the keys of all rows from `from` on, in order, until it is told false. Returns
  // false when they cannot be read.
  using Visit = std::function<bool(std::string_view key)>;
  using Rows = std::function<bool(const std::string& from, const Visit& visit)>;

  // Learns a slice. Does nothing when all is known, or when another thread is at it.
  void learn(const Rows& rows);

 private:
  uint64_t* words() const { return reinterpret_cast<uint64_t*>(words_.data()); }
  static bool complete(uint32_t state) { return state % 2 == 0; }
  bool full() const;
  void forget();

  const uint64_t keys_max_;
  ZeroPages words_{kBytes};
  std::atomic<uint32_t> state_{1};  // rises when all is known, and when all is forgotten
  std::atomic<uint64_t> keys_count_{0};
  std::atomic<uint64_t> full_at_;
  std::atomic<uint32_t> questions_{0};

  std::mutex learning_;
  std::string learned_to_;  // guarded by learning_, as the next
  uint64_t rows_learned_ = 0;
};

}  // namespace holdfast::storage
