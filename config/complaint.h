// What is wrong with a configuration, and where.
//
//    holdfast.toml:12: functions.resize.timeout: 20m is over the longest, 900 s
//
// All complaints of a file are gathered and told together, in the order of its lines:
// an operator mends the file once. Line 0 means that there is no file: the settings
// were made by a program.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::config {

// The keys from the top of the file to the setting: {"functions", "resize", "timeout"}.
using KeyPath = std::vector<std::string>;

KeyPath operator/(KeyPath path, std::string_view key);
std::string to_text(const KeyPath& path);

struct Complaint {
  uint32_t line = 0;
  uint32_t column = 0;
  KeyPath path;  // empty: the file as a whole, such as a syntax error
  std::string message;
};

struct Complaints {
  std::string source_name;
  std::vector<Complaint> list;
};

// One line, without the newline.
std::string to_text(const Complaint& complaint, std::string_view source_name);
// A line for each; beyond the hundredth they are only counted.
std::string to_text(const Complaints& complaints);

}  // namespace holdfast::config
