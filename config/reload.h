// What SIGHUP cannot change.
#pragma once

#include <string>
#include <vector>

#include "config/settings.h"

namespace holdfast::config {

// The settings that differ and that only a restart applies, such as
// "limits.memory_max"; the caller keeps their old values and says so.
std::vector<std::string> needs_restart(const Settings& before, const Settings& after);

}  // namespace holdfast::config
