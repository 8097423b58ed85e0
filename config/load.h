// From a TOML file to Settings.
//
//    Result<Settings> settings = config::load("/etc/holdfast/holdfast.toml");
//    if (!settings) return settings.error();  // every complaint, a line for each
//
// Either all of the file is right, or nothing of it is taken: a key that we don't know
// is an error too, since the operator meant something by it. Any thread; blocks on
// reading the file.
//
// Failure    not_found (no such file), io (it can't be read), invalid (complaints).
#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "config/complaint.h"
#include "config/settings.h"
#include "storage/base/result.h"

namespace holdfast::config {

// Far beyond what kFunctionsMax functions take in practice.
inline constexpr size_t kConfigFileBytesMax = 16u << 20;

Result<Settings> load(const std::string& path);

using Parsed = std::variant<Settings, Complaints>;

// `source_name` stands in front of the complaints.
Parsed parse(std::string_view text, std::string_view source_name);

}  // namespace holdfast::config
