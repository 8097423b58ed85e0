// A MessagePack value as a flat list of tokens, in the order in which they are
// written: an array is its header, then its elements.
//
//    [1, "a"]  ->  array 2, unsigned_number 1, text "a"
//
// Ownership  text and bytes point into the parsed bytes: nothing is copied here.
// Failure    tokenize() takes any bytes; memory stays below kTokensMax tokens.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace holdfast::storage {

struct Token {
  enum class Kind : uint8_t {
    nil,
    boolean,          // number: 0 or 1
    unsigned_number,  // number
    negative_number,  // number, as two's complement
    text,
    bytes,
    array,    // number: elements
    map,      // number: pairs
    foreign,  // a float or an extension, which no record of ours has
  };

  Kind kind = Kind::nil;
  uint64_t number = 0;
  std::string_view view{};
};

// More than the largest record needs: a message whose attributes are all empty.
inline constexpr size_t kTokensMax = 32768;
inline constexpr uint32_t kNestingMax = 8;

// Empty unless the bytes are exactly one whole value within the bounds.
std::optional<std::vector<Token>> tokenize(std::string_view bytes);

}  // namespace holdfast::storage
