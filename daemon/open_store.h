// From a state directory to a running daemon: opens the store and serves it, or, if
// acknowledged data is damaged, shows what is left of it (promise 9).
//
//    return open_and_serve(settings, config_path, spawner_fd);   // until it has stopped
//
// Threads  the main one, which becomes the loop's. Failure  logged, and told as ExitCode.
#pragma once

#include <string>

#include "config/settings.h"
#include "daemon/exit_code.h"

namespace holdfast::daemon {

ExitCode open_and_serve(const config::Settings& settings, const std::string& config_path,
                        int spawner_fd);

}  // namespace holdfast::daemon
