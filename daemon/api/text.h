// Text on the wire is UTF-8. What clients send is refused if it is not; what handlers
// wrote, or a limit cut in the middle of a character, is mended before it is told.
#pragma once

#include <string>
#include <string_view>

namespace holdfast::api {

bool is_utf8(std::string_view bytes);

// Every byte that belongs to no character becomes U+FFFD.
std::string mended(std::string_view bytes);

// Short, printable and in quotes, whatever a client sent: for error messages.
std::string shown(std::string_view bytes);

}  // namespace holdfast::api
