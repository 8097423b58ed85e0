// Where the next page of a list begins, as the text that clients hand back to us:
// the letter of the section, then sixteen hexadecimal digits of a seq.
//
//    p00000000000004d2   pending events below 1234 come next
#pragma once

#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "storage/ids.h"

namespace holdfast::storage {

enum class ListSection : char {
  running = 'r',
  pending = 'p',
  dead = 'd',
  history = 'h',       // its seqs are those of endings
  dead_letters = 'l',  // the list of its own
};

inline constexpr Seq kFromNewest{std::numeric_limits<uint64_t>::max()};

struct ListMarker {
  ListSection section = ListSection::running;
  Seq below;
};

std::string to_text(const ListMarker& marker);

// Empty if no list of ours ever gave this text.
std::optional<ListMarker> parse_marker(std::string_view text);

}  // namespace holdfast::storage
