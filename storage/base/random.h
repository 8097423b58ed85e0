// Random: a small seeded generator (xoshiro256**), the same numbers on every
// machine for the same seed, so that a simulation can be repeated. Not for
// secrets.
#pragma once

#include <cstdint>

#include "storage/base/check.h"

namespace holdfast {

class Random {
 public:
  explicit Random(uint64_t seed) {
    // splitmix64 spreads a small seed over the whole state.
    for (uint64_t& word : state_) {
      seed += 0x9E3779B97F4A7C15ull;
      uint64_t mixed = seed;
      mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9ull;
      mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBull;
      word = mixed ^ (mixed >> 31);
    }
  }

  uint64_t next() {
    const uint64_t result = rotate(state_[1] * 5, 7) * 9;
    const uint64_t carried = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= carried;
    state_[3] = rotate(state_[3], 45);
    return result;
  }

  // Uniform in [0, limit], but for a bias below limit / 2^64.
  uint64_t up_to(uint64_t limit) {
    return limit == UINT64_MAX ? next() : next() % (limit + 1);
  }

  bool chance(uint32_t percent) { return up_to(99) < percent; }

 private:
  static uint64_t rotate(uint64_t word, int bits) { return (word << bits) | (word >> (64 - bits)); }

  uint64_t state_[4];
};

}  // namespace holdfast
