// What the configuration tests share: parsing that expects to go well, or not.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/load.h"

namespace holdfast::config {

inline Settings parse_well(std::string_view text) {
  Parsed parsed = parse(text, "test.toml");
  if (const Complaints* complaints = std::get_if<Complaints>(&parsed)) {
    ADD_FAILURE() << "unexpected complaints:\n" << to_text(*complaints) << "\nabout\n" << text;
    return {};
  }
  return std::get<Settings>(parsed);
}

// The complaints as lines; empty: the text was taken.
inline std::vector<std::string> complaints_about(std::string_view text) {
  std::vector<std::string> lines;
  const Parsed parsed = parse(text, "test.toml");
  if (const Complaints* complaints = std::get_if<Complaints>(&parsed)) {
    EXPECT_FALSE(complaints->list.empty());
    for (const Complaint& complaint : complaints->list) {
      lines.push_back(to_text(complaint, complaints->source_name));
    }
  }
  return lines;
}

}  // namespace holdfast::config
