#include "config/text.h"

#include <algorithm>

namespace holdfast::config {
namespace {

constexpr size_t kShortBytesMax = 64;
// Longer words are no mistyped keys; comparing costs the product of the lengths.
constexpr size_t kComparedBytesMax = 64;
// Shorter words are part of too many others to tell what was meant.
constexpr size_t kContainedBytesMin = 4;

// Letters to insert, delete, replace or swap with their neighbour.
size_t distance(std::string_view left, std::string_view right) {
  const size_t width = right.size() + 1;
  std::vector<size_t> cost((left.size() + 1) * width);
  const auto at = [&](size_t row, size_t column) -> size_t& { return cost[row * width + column]; };
  for (size_t row = 0; row <= left.size(); ++row) at(row, 0) = row;
  for (size_t column = 0; column <= right.size(); ++column) at(0, column) = column;

  for (size_t row = 1; row <= left.size(); ++row) {
    for (size_t column = 1; column <= right.size(); ++column) {
      const size_t replaced = left[row - 1] == right[column - 1] ? 0 : 1;
      size_t best = std::min(
          {at(row - 1, column) + 1, at(row, column - 1) + 1, at(row - 1, column - 1) + replaced});
      if (row > 1 && column > 1 && left[row - 1] == right[column - 2] &&
          left[row - 2] == right[column - 1]) {
        best = std::min(best, at(row - 2, column - 2) + 1);
      }
      at(row, column) = best;
    }
  }
  return at(left.size(), right.size());
}

bool contains_other(std::string_view left, std::string_view right) {
  if (std::min(left.size(), right.size()) < kContainedBytesMin) return false;
  return left.find(right) != std::string_view::npos || right.find(left) != std::string_view::npos;
}

// A control character as TOML's escape, everything else as it is.
void append_printable(std::string& out, char character) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  const unsigned char byte = static_cast<unsigned char>(character);
  if (byte < 0x20 || byte == 0x7F) {
    out.append("\\u00").append({kHex[byte >> 4], kHex[byte & 15]});
  } else {
    out.push_back(character);
  }
}

}  // namespace

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char character : text) {
    if (character == '"' || character == '\\') out.push_back('\\');
    append_printable(out, character);
  }
  return out + "\"";
}

std::string quoted_short(std::string_view text) {
  if (text.size() <= kShortBytesMax) return quoted(text);
  size_t length = kShortBytesMax;
  // Bytes 10xxxxxx continue a UTF-8 character: the cut must not split one.
  while (length > 0 && (static_cast<unsigned char>(text[length]) & 0xC0) == 0x80) --length;
  return quoted(text.substr(0, length)) + "...";
}

std::string printable(std::string_view text) {
  std::string out;
  for (const char character : text) append_printable(out, character);
  return out;
}

bool is_bare(std::string_view text) {
  const auto allowed = [](char character) {
    return ('a' <= character && character <= 'z') || ('A' <= character && character <= 'Z') ||
           ('0' <= character && character <= '9') || character == '-' || character == '_';
  };
  return std::all_of(text.begin(), text.end(), allowed);
}

std::string key_text(std::string_view key) {
  return !key.empty() && is_bare(key) ? std::string{key} : quoted(key);
}

std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& known) {
  if (word.size() > kComparedBytesMax) return std::nullopt;
  std::optional<std::string> best;
  size_t best_distance = kComparedBytesMax + 1;
  for (const std::string& candidate : known) {
    if (candidate.size() > kComparedBytesMax) continue;
    const size_t letters = distance(word, candidate);
    const size_t letters_max = std::max<size_t>(1, candidate.size() / 3);
    if (letters > letters_max && !contains_other(word, candidate)) continue;
    if (letters >= best_distance) continue;
    best = candidate;
    best_distance = letters;
  }
  return best;
}

}  // namespace holdfast::config
