#include "daemon/api/text.h"

#include <cstddef>
#include <cstdint>

namespace holdfast::api {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
constexpr size_t kQuotedBytesMax = 64;

// The bytes of the character that stands first, or 0 if none does. By RFC 3629: no
// longer form than needed, no surrogates, nothing above U+10FFFF.
//
//   00..7F
//   C2..DF tail
//   E0 A0..BF tail | E1..EC tail tail | ED 80..9F tail | EE..EF tail tail
//   F0 90..BF tail tail | F1..F3 tail tail tail | F4 80..8F tail tail
size_t character_bytes(std::string_view bytes) {
  const auto at = [&](size_t n) { return static_cast<uint8_t>(bytes[n]); };
  const uint8_t first = at(0);
  if (first <= 0x7F) return 1;
  if (first < 0xC2 || first > 0xF4) return 0;
  const size_t length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  if (bytes.size() < length) return 0;
  for (size_t n = 1; n < length; ++n) {
    if ((at(n) & 0xC0) != 0x80) return 0;
  }
  const uint8_t second = at(1);
  if (first == 0xE0 && second < 0xA0) return 0;
  if (first == 0xED && second > 0x9F) return 0;
  if (first == 0xF0 && second < 0x90) return 0;
  if (first == 0xF4 && second > 0x8F) return 0;
  return length;
}

}  // namespace

bool is_utf8(std::string_view bytes) {
  while (!bytes.empty()) {
    const size_t length = character_bytes(bytes);
    if (length == 0) return false;
    bytes.remove_prefix(length);
  }
  return true;
}

std::string mended(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    const size_t length = character_bytes(bytes);
    text += length == 0 ? kReplacement : bytes.substr(0, length);
    bytes.remove_prefix(length == 0 ? 1 : length);
  }
  return text;
}

std::string shown(std::string_view bytes) {
  const bool cut = bytes.size() > kQuotedBytesMax;
  std::string text = mended(bytes.substr(0, kQuotedBytesMax));
  for (char& character : text) {
    if (static_cast<uint8_t>(character) < 0x20 || character == 0x7F) character = '?';
  }
  return "\"" + text + (cut ? "...\"" : "\"");
}

}  // namespace holdfast::api
