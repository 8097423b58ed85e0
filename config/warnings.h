// What looks wrong on this box though the settings are right.
#pragma once

#include <string>
#include <vector>

#include "config/settings.h"

namespace holdfast::config {

// Handlers whose program is not there, or cannot be executed by this process's user.
// No error: it may be installed later, and its events wait and retry until then. Looks
// at the file system; any thread.
std::vector<std::string> warnings(const Settings& settings);

}  // namespace holdfast::config
