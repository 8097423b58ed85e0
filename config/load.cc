#include "config/load.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
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

}  // namespace

Parsed parse(std::string_view text, std::string_view source_name) {
  Complaints complaints{std::string{source_name}, {}};
  Settings settings;
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
