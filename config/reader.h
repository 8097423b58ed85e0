// From a TOML tree to Settings, gathering complaints with their lines.
//
//    Settings settings;
//    std::vector<Complaint> complaints;
//    read_settings(root, settings, complaints);
//
// Only about types and keys: whether a value is allowed is validate()'s question. What is
// wrong here leaves its setting at the default. Inside config/ only: this header and
// load.cc are all that sees toml++.
#pragma once

#include <toml++/toml.h>

#include <vector>

#include "config/complaint.h"
#include "config/settings.h"

namespace holdfast::config {

void read_settings(const toml::table& root, Settings& settings, std::vector<Complaint>& complaints);

// Where a setting stands in the file; where it is absent, the nearest table around it.
toml::source_position locate(const toml::table& root, const KeyPath& path);

}  // namespace holdfast::config
