// What every fuzz target is: one function that is given any bytes, and must neither
// crash nor see a CHECK fail. libFuzzer calls it, and so does driver.cc.
//
//    extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
//      Recipe recipe{fuzz::view_of(data, size)};
//      const uint64_t batches = recipe.up_to(8);
//      ...
//      return 0;
//    }
//
// Rule    A target keeps nothing from one input to the next, and takes its chances from
//         the input alone.
// Reason  The file that is left after a crash must repeat it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace holdfast::fuzz {

// Two blocks of a log, and more than any rule about lengths needs: what is larger is
// built by a recipe.
inline constexpr size_t kInputBytesMax = 64u << 10;

inline std::string_view view_of(const uint8_t* data, size_t size) {
  if (size == 0) return {};
  return {reinterpret_cast<const char*>(data), size};
}

// The same number for the same bytes, to seed choices that are not in the input.
inline uint64_t number_of(std::string_view bytes) {
  uint64_t number = 0xCBF29CE484222325ull;
  for (const char byte : bytes) number = (number ^ static_cast<uint8_t>(byte)) * 0x100000001B3ull;
  return number;
}

// An input read as a list of choices. Behind its end every choice is zero.
class Recipe {
 public:
  explicit Recipe(std::string_view bytes) : rest_(bytes) {}

  bool empty() const { return rest_.empty(); }
  std::string_view rest() const { return rest_; }

  // Big-endian, so that what a key holds can be copied into a recipe.
  uint64_t number(size_t bytes) {
    uint64_t number = 0;
    for (; bytes > 0; --bytes) number = (number << 8) | byte();
    return number;
  }
  uint64_t up_to(uint64_t limit) {
    const uint64_t found = limit <= 0xFF ? byte() : number(limit <= 0xFFFF ? 2 : 8);
    return limit == UINT64_MAX ? found : found % (limit + 1);
  }
  // A length, then so many bytes, or as many as there are.
  std::string_view text(uint64_t bytes_max) { return take(up_to(bytes_max)); }
  std::string_view take(uint64_t bytes) {
    const std::string_view taken = rest_.substr(0, static_cast<size_t>(bytes));
    rest_.remove_prefix(taken.size());
    return taken;
  }

 private:
  uint8_t byte() {
    if (rest_.empty()) return 0;
    const auto first = static_cast<uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return first;
  }

  std::string_view rest_;
};

}  // namespace holdfast::fuzz
