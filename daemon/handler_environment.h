// What a `command` handler finds in its environment: client/PROTOCOL.md, section 7.
#pragma once

#include <string>
#include <vector>

#include "daemon/core/effect.h"

namespace holdfast::daemon {

// NAME=VALUE each.
std::vector<std::string> handler_environment(const core::StartAttempt& start,
                                             storage::BoxTag box);

}  // namespace holdfast::daemon
