// The daemon's log: spdlog on standard error. Under systemd each line begins with its
// priority (sd-daemon(3)) and has no time, which the journal adds; elsewhere it has one.
//
// Only the daemon's shell logs, an event once, where it is decided. A client's fault
// is `debug`.
#pragma once

#include <spdlog/spdlog.h>

#include "config/settings.h"

namespace holdfast::daemon {

void start_log(config::LogLevel level);
void set_log_level(config::LogLevel level);

}  // namespace holdfast::daemon
