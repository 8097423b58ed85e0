// What looks wrong on this box though the settings are right.
#pragma once

#include <string>
#include <vector>

#include "config/settings.h"

namespace holdfast::config {

// Handlers whose program is not there, or cannot be executed by this process's user: no
// error, because it may be installed later, and its events wait and retry until then. A
// group for the socket, or a parent of the state directory, that is not there: without
// them the daemon does not start. Looks at the file system and the user database.
// Threads  one at a time.
std::vector<std::string> warnings(const Settings& settings);

}  // namespace holdfast::config
