// How often a service looks at what changes without an event: the clock, free space, memory.
#pragma once

#include "storage/base/time.h"

namespace holdfast::daemon {

inline constexpr Duration kHousekeepingInterval = std::chrono::seconds{1};

}  // namespace holdfast::daemon
