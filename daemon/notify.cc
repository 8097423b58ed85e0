#include "daemon/notify.h"

#include <systemd/sd-daemon.h>
#include <time.h>

#include <cstdint>

namespace holdfast::daemon {
namespace {

// Nobody can act on a notification that failed.
void tell(const std::string& state) { static_cast<void>(sd_notify(0, state.c_str())); }

}  // namespace

void notify_ready() { tell("READY=1"); }

void notify_reloading() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  const int64_t usec = static_cast<int64_t>(now.tv_sec) * 1000000 + now.tv_nsec / 1000;
  tell("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(usec));
}

void notify_stopping() { tell("STOPPING=1"); }

void notify_status(const std::string& text) { tell("STATUS=" + text); }

void notify_extend_timeout(std::chrono::seconds seconds) {
  tell("EXTEND_TIMEOUT_USEC=" + std::to_string(std::chrono::microseconds{seconds}.count()));
}

void notify_alive() { tell("WATCHDOG=1"); }

}  // namespace holdfast::daemon
