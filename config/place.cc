#include "config/place.h"

#include <algorithm>

#include "config/text.h"

namespace holdfast::config {
namespace {

std::string_view type_in_words(toml::node_type type) {
  switch (type) {
    case toml::node_type::none:
      return "nothing";
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "a list";
    case toml::node_type::string:
      return "a string";
    case toml::node_type::integer:
      return "a whole number";
    case toml::node_type::floating_point:
      return "a number with a point";
    case toml::node_type::boolean:
      return "true or false";
    case toml::node_type::date:
      return "a date";
    case toml::node_type::time:
      return "a time of day";
    case toml::node_type::date_time:
      return "a date and time";
  }
  return "something else";
}

}  // namespace

Place Place::below(const toml::node& inner, std::string_view key) const {
  return Place{inner, path / key, complaints};
}

void Place::complain(std::string message) const {
  const toml::source_position& begin = node.source().begin;
  complaints.push_back({begin.line, begin.column, path, std::move(message)});
}

void Place::complain_type(std::string_view expected) const {
  std::string message = "expected ";
  complain(message.append(expected).append(", found ").append(type_in_words(node.type())));
}

const toml::table* read_table(const Place& place, std::string_view expected) {
  const toml::table* table = place.node.as_table();
  if (table == nullptr) place.complain_type(expected);
  return table;
}

const std::string* read_text(const Place& place, std::string_view expected) {
  const toml::value<std::string>* text = place.node.as_string();
  if (text != nullptr) return &text->get();
  place.complain_type(expected);
  return nullptr;
}

void refuse_unknown(const Place& place, const toml::table& table,
                    const std::vector<std::string>& known) {
  for (const auto& [key, node] : table) {
    const std::string_view name = key.str();
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    std::string message = node.is_table() ? "unknown table" : "unknown key";
    if (const std::optional<std::string> meant = nearest(name, known)) {
      message += "; did you mean " + quoted(*meant) + "?";
    }
    const toml::source_position& begin = key.source().begin;
    place.complaints.push_back({begin.line, begin.column, place.path / name, std::move(message)});
  }
}

}  // namespace holdfast::config
