#include "storage/list_marker.h"

#include <charconv>

namespace holdfast::storage {

namespace {

constexpr size_t kDigits = 16;
constexpr std::string_view kLetters = "rpdhl";  // of ListSection

}  // namespace

std::string to_text(const ListMarker& marker) {
  std::string text{static_cast<char>(marker.section)};
  for (int shift = 60; shift >= 0; shift -= 4) {
    text.push_back("0123456789abcdef"[(marker.below.value >> shift) & 0xF]);
  }
  return text;
}

std::optional<ListMarker> parse_marker(std::string_view text) {
  if (text.size() != 1 + kDigits) return std::nullopt;
  if (kLetters.find(text.front()) == std::string_view::npos) return std::nullopt;
  ListMarker marker{static_cast<ListSection>(text.front()), {}};
  const char* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data() + 1, end, marker.below.value, 16);
  if (error != std::errc{} || stopped != end) return std::nullopt;
  return marker;
}

}  // namespace holdfast::storage
