// What a handler finds in its environment: client/PROTOCOL.md, section 7.
#pragma once

#include <string>
#include <vector>

#include "daemon/core/effect.h"

namespace holdfast::daemon {

// NAME=VALUE each. Of an attempt that has a process of its own.
std::vector<std::string> handler_environment(const core::StartAttempt& start,
                                             storage::BoxTag box);
// Of a process of a persistent command.
std::vector<std::string> persistent_environment(const std::string& function,
                                                const config::FunctionSettings& settings);

}  // namespace holdfast::daemon
