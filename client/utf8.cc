#include "client/utf8.h"

#include <cstdint>

namespace holdfast::client {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

uint8_t byte_at(std::string_view bytes, size_t index) { return static_cast<uint8_t>(bytes[index]); }

}  // namespace

size_t utf8_character_bytes(std::string_view text) {
  const uint8_t first = byte_at(text, 0);
  if (first < 0x80) return 1;
  size_t length = 0;
  uint32_t lowest = 0;
  uint32_t code = 0;
  if (first >= 0xC0 && first < 0xE0) {
    length = 2, lowest = 0x80, code = first & 0x1Fu;
  } else if (first >= 0xE0 && first < 0xF0) {
    length = 3, lowest = 0x800, code = first & 0x0Fu;
  } else if (first >= 0xF0 && first < 0xF8) {
    length = 4, lowest = 0x10000, code = first & 0x07u;
  }
  if (length == 0 || text.size() < length) return 0;
  for (size_t n = 1; n < length; ++n) {
    if ((byte_at(text, n) & 0xC0) != 0x80) return 0;
    code = (code << 6) | (byte_at(text, n) & 0x3Fu);
  }
  if (code < lowest || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return 0;
  return length;
}

std::string utf8_front(std::string_view bytes, size_t bytes_max) {
  std::string text;
  while (!bytes.empty()) {
    const size_t length = bytes.front() == '\0' ? 0 : utf8_character_bytes(bytes);
    const std::string_view character = length == 0 ? kReplacement : bytes.substr(0, length);
    if (text.size() + character.size() > bytes_max) break;
    text += character;
    bytes.remove_prefix(length == 0 ? 1 : length);
  }
  return text;
}

}  // namespace holdfast::client
