// A node of the TOML tree with its keys, and where complaints about it go. Every
// read_text() and read_table() complains itself, and then gives nothing.
#pragma once

#include <toml++/toml.h>

#include <string>
#include <vector>

#include "config/complaint.h"

namespace holdfast::config {

struct Place {
  const toml::node& node;
  KeyPath path;
  std::vector<Complaint>& complaints;

  Place below(const toml::node& inner, std::string_view key) const;

  void complain(std::string message) const;
  // "expected <what>, found <the type that stands there>"
  void complain_type(std::string_view expected) const;
};

// `expected` says what would have been right: "a path in quotes".
const toml::table* read_table(const Place& place, std::string_view expected);
const std::string* read_text(const Place& place, std::string_view expected);

// Complains of every key of `table` that is not known, and tells which one was meant.
void refuse_unknown(const Place& place, const toml::table& table,
                    const std::vector<std::string>& known);

}  // namespace holdfast::config
