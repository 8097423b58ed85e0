// What the daemon tells systemd (sd_notify(3)). Without systemd each call is nothing.
#pragma once

#include <chrono>
#include <string>

namespace holdfast::daemon {

void notify_ready();
void notify_reloading();
void notify_stopping();
void notify_status(const std::string& text);
// More time for a start that has reason to take long.
void notify_extend_timeout(std::chrono::seconds seconds);
// For the watchdog. Comes each second; systemd is not asked how often it wants it.
void notify_alive();

}  // namespace holdfast::daemon
