// What the daemon tells systemd (sd_notify(3)). Without systemd each call is nothing.
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace holdfast::daemon {

void notify_ready();
void notify_reloading();
void notify_stopping();
void notify_status(const std::string& text);
// More time for a start that has reason to take long.
void notify_extend_timeout(std::chrono::seconds seconds);
void notify_alive();

// How often systemd wants to hear notify_alive(); nothing if it does not watch.
std::optional<std::chrono::milliseconds> watchdog_interval();

}  // namespace holdfast::daemon
