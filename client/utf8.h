// Characters of UTF-8 in bytes that may be anything.
//
// Threads  any. Failure  none.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace holdfast::client {

// The length of the character at the front of a text that is not empty; 0 if there is
// none. Overlong forms, surrogates and what lies beyond U+10FFFF are none.
size_t utf8_character_bytes(std::string_view text);

// A text that the daemon takes: every byte that belongs to no character, and every zero,
// becomes U+FFFD. Of a longer one the beginning is kept, in whole characters.
std::string utf8_front(std::string_view bytes, size_t bytes_max);

}  // namespace holdfast::client
