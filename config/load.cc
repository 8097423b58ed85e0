#include "config/load.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <optional>
#include <system_error>

#include "config/reader.h"
#include "config/text.h"
#include "config/units.h"
#include "config/validate.h"
#include "storage/base/match.h"

namespace holdfast::config {
namespace {

Result<std::string> read_file(const std::string& path) {
  errno = 0;
  std::ifstream file{path, std::ios::binary};
  if (!file) {
    const int reason = errno;
    return Error{reason == ENOENT ? Errc::not_found : Errc::io,
                 path + ": " + std::generic_category().message(reason)};
  }
  std::string text;
  std::array<char, 64u << 10> piece;
  while (text.size() <= kConfigFileBytesMax && file.good()) {
    file.read(piece.data(), piece.size());
    text.append(piece.data(), static_cast<size_t>(file.gcount()));
  }
  if (file.bad()) return Error{Errc::io, path + ": cannot be read; is it a file?"};
  if (text.size() > kConfigFileBytesMax) {
    return Error{Errc::invalid,
                 path + ": is over the most, " + bytes_in_words(kConfigFileBytesMax)};
  }
  return text;
}

bool is_at_or_above(const KeyPath& above, const KeyPath& path) {
  return above.size() <= path.size() && std::equal(above.begin(), above.end(), path.begin());
}

// A setting that could not be read stands at its default, of which the operator need
// not hear: the first complaint about it is the one to mend.
void add_rule_complaints(const toml::table& root, const Settings& settings,
                         std::vector<Complaint>& complaints) {
  const std::vector<Complaint> unread = complaints;
  for (Complaint& complaint : std::vector<Complaint>{validate(settings)}) {
    const bool told = std::any_of(unread.begin(), unread.end(), [&](const Complaint& other) {
      return is_at_or_above(other.path, complaint.path);
    });
    if (told) continue;
    const toml::source_position position = locate(root, complaint.path);
    complaint.line = position.line;
    complaint.column = position.column;
    complaints.push_back(std::move(complaint));
  }
}

// Behind the string that begins at `at`; the end of the text if nothing ends it.
size_t behind_string(std::string_view text, size_t at) {
  const char quote = text[at];
  const bool long_form = text.substr(at, 3) == std::string(3, quote);
  const std::string close(long_form ? 3 : 1, quote);
  for (at += close.size(); at < text.size(); ++at) {
    if (!long_form && text[at] == '\n') return at;
    if (text[at] == '\\' && quote == '"') {
      ++at;
    } else if (text.substr(at, close.size()) == close) {
      at += close.size();
      // A long string may end with quotes of its own.
      while (long_form && at < text.size() && text[at] == quote) ++at;
      return at;
    }
  }
  return text.size();
}

// Where a line has more dots outside of its strings than any key of ours needs. The
// parser bounds how deep values nest, but not how many tables one key names, and frees
// them by recursion: a long enough key would be the end of the stack.
std::optional<uint32_t> line_of_deep_key(std::string_view text) {
  constexpr size_t kDotsMax = 32;
  size_t dots = 0;
  for (size_t at = 0; at < text.size();) {
    const char character = text[at];
    if (character == '"' || character == '\'') {
      at = behind_string(text, at);
      continue;
    }
    if (character == '#') {
      at = std::min(text.find('\n', at), text.size());
      continue;
    }
    if (character == '\n') dots = 0;
    if (character == '.' && ++dots > kDotsMax) {
      const auto lines_before = std::count(text.data(), text.data() + at, '\n');
      return static_cast<uint32_t>(lines_before) + 1;
    }
    ++at;
  }
  return std::nullopt;
}

}  // namespace

Parsed parse(std::string_view text, std::string_view source_name) {
  Complaints complaints{std::string{source_name}, {}};
  Settings settings;
  if (const std::optional<uint32_t> line = line_of_deep_key(text)) {
    complaints.list = {{*line, 0, {}, "a key names more tables than any setting has"}};
    return complaints;
  }
  try {
    const toml::table root = toml::parse(text, source_name);
    read_settings(root, settings, complaints.list);
    add_rule_complaints(root, settings, complaints.list);
  } catch (const toml::parse_error& error) {
    const toml::source_position& begin = error.source().begin;
    complaints.list = {{begin.line, begin.column, {}, printable(error.description())}};
  }
  if (complaints.list.empty()) return settings;

  std::stable_sort(complaints.list.begin(), complaints.list.end(),
                   [](const Complaint& left, const Complaint& right) {
                     return std::pair{left.line, left.column} < std::pair{right.line, right.column};
                   });
  return complaints;
}

Result<Settings> load(const std::string& path) {
  const Result<std::string> text = read_file(path);
  if (!text) return text.error();
  return std::visit(match{
                        [](const Settings& settings) { return Result<Settings>{settings}; },
                        [](const Complaints& complaints) {
                          return Result<Settings>{Error{Errc::invalid, to_text(complaints)}};
                        },
                    },
                    parse(*text, path));
}

}  // namespace holdfast::config
