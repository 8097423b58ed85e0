// The daemon's log: spdlog on standard error. Under systemd each line begins with its
// priority (sd-daemon(3)) and has no time, which the journal adds; elsewhere it has one.
//
// Only the daemon's shell logs, an event once, where it is decided. A client's fault
// is `debug`.
#pragma once

#include <spdlog/spdlog.h>

#include <string>

#include "config/settings.h"

namespace holdfast::daemon {

void start_log(config::LogLevel level);

// Why the daemon does not even get as far as its log: the bare text for whoever sits at
// the terminal, or records for the journal.
void refuse_start(const std::string& reason);

void set_log_level(config::LogLevel level);

}  // namespace holdfast::daemon
