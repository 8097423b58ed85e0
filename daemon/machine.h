// The machine that the daemon runs on, as far as settings depend on it.
#pragma once

#include <sys/resource.h>

#include "config/machine.h"

namespace holdfast::daemon {

// With as many descriptors as this process may give itself.
config::Machine this_machine();

// Gives the daemon all of them, and tells what the limits were: handlers get those back.
rlimit raise_descriptors();

}  // namespace holdfast::daemon
