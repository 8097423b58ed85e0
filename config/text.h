// Words for files and complaints: quoting, key paths, and what was probably meant.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::config {

// A TOML basic string: control characters are escaped, so it is safe to print too.
std::string quoted(std::string_view text);

// quoted(), cut to a length that a sentence can carry.
std::string quoted_short(std::string_view text);

// Without quotes, and with control characters escaped: what others say about a file may
// hold bytes of it, and a sentence of ours is one line.
std::string printable(std::string_view text);

// Made of a-z, A-Z, 0-9, "-" and "_" only: TOML's bare keys, and AWS's function names.
bool is_bare(std::string_view text);

// A TOML key: bare where TOML allows it, else quoted.
std::string key_text(std::string_view key);

// The known word that a mistyped one was probably meant to be: at most a third of
// it is different, or one holds the other.
std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& known);

}  // namespace holdfast::config
