// Lengths of time, sizes and file modes, as an operator writes and reads them.
//
//    parse_duration("20m")       20 minutes
//    duration_text(20min)        "20m": parses back to the same length
//    duration_in_words(900s)     "900 s": for sentences
//
// A number and one unit: ms, s, m, h, d for time; KiB, MiB, GiB, TiB for bytes. One
// space between them is allowed, so that a bound copied out of a complaint works.
// Nothing comes back when the text is something else or too large to hold.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "storage/base/time.h"

namespace holdfast::config {

std::optional<Duration> parse_duration(std::string_view text);
std::string duration_text(Duration duration);
std::string duration_in_words(Duration duration);

// bytes_text() gives a bare number where no unit divides the size exactly.
std::optional<uint64_t> parse_bytes(std::string_view text);
std::string bytes_text(uint64_t bytes);
std::string bytes_in_words(uint64_t bytes);

// Three or four octal digits, such as "0660".
std::optional<uint32_t> parse_mode(std::string_view text);
std::string mode_text(uint32_t mode);

}  // namespace holdfast::config
