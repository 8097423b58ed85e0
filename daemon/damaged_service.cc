#include "daemon/damaged_service.h"

#include <csignal>
#include <utility>

#include "daemon/free_space.h"
#include "daemon/housekeeping.h"
#include "daemon/log.h"
#include "daemon/notify.h"

namespace holdfast::daemon {

DamagedService::DamagedService(DamagedParts parts)
    : loop_(parts.loop),
      settings_(parts.settings),
      fixed_(std::move(parts.report)),
      refusal_(std::move(parts.refusal)),
      clock_(std::move(parts.clock)),
      desk_({loop_, parts.store, parts.core, refusal_, [this] { return report(); },
             [this] { return clock_.advance(read_kernel_clocks()); }}),
      before_blocking_(loop_, [this] { turn_over(); }),
      second_(loop_, [this] { each_second(); }),
      terminate_(loop_, SIGTERM, [this] { stop(); }),
      interrupt_(loop_, SIGINT, [this] { stop(); }),
      hangup_(loop_, SIGHUP, [this] {
        notify_reloading();
        spdlog::error("reload refused, nothing was read: {}", refusal_);
        notify_ready();
      }) {}

Result<ExitCode> DamagedService::run() {
  Result<std::unique_ptr<Server>> server = Server::listen(
      loop_, settings_.socket, settings_.limits,
      [this](SessionId session, const wire::Request& request) { desk_.take(session, request); },
      [](SessionId) {});
  if (!server) return server.error();
  server_ = std::move(*server);
  relief_.emplace(*server_);
  desk_.serve(*server_);
  spdlog::warn("read-only on {}: status, lists and payloads are answered, nothing runs",
               settings_.socket.path);
  notify_ready();
  each_second();
  loop_.run();
  spdlog::info("stopped; nothing was written");
  return ExitCode::success;
}

void DamagedService::turn_over() {
  if (!server_) return;
  server_->flush_touched();
  server_->pause_reading(relief_->is_short(connections_bytes_max(settings_.limits)));
}

void DamagedService::each_second() {
  notify_status("DAMAGED: " + refusal_);
  notify_alive();
  relief_->each_second(connections_bytes_max(settings_.limits));
  second_.arm(kHousekeepingInterval);
}

void DamagedService::stop() {
  notify_stopping();
  server_->flush_touched();
  server_->close_all();
  loop_.stop();
}

api::StatusReport DamagedService::report() const {
  api::StatusReport report = fixed_;
  report.connections = server_->connections_count();
  report.disk_free_bytes = free_bytes(settings_.daemon.state_directory);
  report.memory_bytes = server_->memory_bytes();
  return report;
}

}  // namespace holdfast::daemon
