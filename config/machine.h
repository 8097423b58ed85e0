// What the settings come to on this machine: counts that depend on its processors, or
// that have to fit under a limit of the kernel.
//
//    for (const std::string& warning : fit(settings, machine)) spdlog::warn("{}", warning);
//
// Rule    attempts_running_max = 0 becomes four for each processor.
// Reason  Handlers mostly wait; and a number that nobody chose should follow the box.
//
// Rule    Of the file descriptors that the process may have, kDescriptorsKept are left to
//         the database and to the daemon itself. Running attempts get at most half of the
//         rest, three each; processes of persistent commands a quarter, three each; and
//         connections what is left. What does not fit is lowered, with a warning.
// Reason  A database that cannot open a file has failed, and the daemon with it. A client
//         that connects once too often must not be able to bring that about.
//
// Threads    any. Failure  none: even the smallest machine gets one of each.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/settings.h"

namespace holdfast::config {

inline constexpr uint64_t kDescriptorsKept = 256;
inline constexpr uint64_t kDescriptorsOfAttempt = 3;

struct Machine {
  uint32_t processors;
  uint64_t descriptors_max;
};

// Gives the warnings; nothing if all fits.
std::vector<std::string> fit(Settings& settings, const Machine& machine);

}  // namespace holdfast::config
