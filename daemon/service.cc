#include "daemon/service.h"

#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <utility>

#include "config/load.h"
#include "config/reload.h"
#include "config/warnings.h"
#include "daemon/damage_mark.h"
#include "daemon/free_space.h"
#include "daemon/handler_environment.h"
#include "daemon/housekeeping.h"
#include "daemon/log.h"
#include "daemon/machine.h"
#include "daemon/notify.h"
#include "storage/base/check.h"
#include "storage/base/crash_point.h"

namespace holdfast::daemon {
namespace {

// How long a drain that is over waits for clients to read their replies.
constexpr Duration kLastRepliesTimeMax = std::chrono::seconds{2};

World world_of(FrontDesk& desk, std::function<void(core::StartAttempt&&)> start,
               std::function<void(const core::StopAttempt&)> stop,
               std::function<void(const Error&)> failed) {
  return World{[&desk](core::Reply&& reply) { desk.reply(std::move(reply)); },
               std::move(start), std::move(stop),
               [&desk](const core::CloseWorker& close) { desk.workers().close(close); },
               [&desk](const core::ViewEvent& view) { desk.view(view); }, std::move(failed)};
}

}  // namespace

Service::Service(ServiceParts parts)
    : loop_(parts.loop),
      store_(parts.store),
      core_(parts.core),
      settings_(std::move(parts.settings)),
      config_path_(std::move(parts.config_path)),
      recovery_duration_(parts.recovery_duration),
      started_wall_(from_ms<WallTime>(read_kernel_clocks().wall_ms)),
      engine_(loop_, store_, core_, std::move(parts.clock),
              world_of(
                  desk_, [this](core::StartAttempt&& start) { start_attempt(std::move(start)); },
                  [this](const core::StopAttempt& stop) {
                    if (stop.worker) return desk_.workers().push(stop);
                    persistent_.stop(stop.event);
                    const auto at = handles_.find(stop.event.seq);
                    if (at != handles_.end()) runner_.stop(at->second);
                  },
                  [this](const Error& error) { storage_failed(error); })),
      desk_(engine_, [this] { return report(); }),
      link_(loop_, parts.spawner_fd,
            [this] {
              spdlog::critical("the process that owns the handlers is gone; stopping, so that the "
                               "next start settles what ran");
              exit_code_ = ExitCode::spawner_lost;
              loop_.stop();
            }),
      runner_(loop_, link_,
              [this](uint64_t handle, core::AttemptReport attempt_report) {
                attempt_finished(handle, std::move(attempt_report));
              }),
      persistent_(loop_, link_, core_.ledger().box(),
                  {[this](const core::StartAttempt& start, core::AttemptReport&& attempt_report) {
                     report_outcome(start.event, start.attempt, std::move(attempt_report));
                   },
                   [this](const std::string& function, const std::string& why) {
                     command_broken(function, why);
                   },
                   [this](const std::string& function) { command_mended(function); }}),
      before_blocking_(loop_, [this] { turn_over(); }),
      second_(loop_, [this] { each_second(); }),
      drain_timeout_(loop_,
                     [this] {
                       spdlog::warn("drain_timeout is over: ending {} running attempts",
                                    core_.attempts_running());
                       engine_.absorb(core_.drain_expired(engine_.moment()));
                       crash_point("drain_expired");
                     }),
      last_replies_(loop_, [this] { last_replies_given_up_ = true; }),
      terminate_(loop_, SIGTERM, [this] { drain(); }),
      interrupt_(loop_, SIGINT, [this] { drain(); }),
      hangup_(loop_, SIGHUP, [this] { reload(); }) {}

Service::~Service() = default;

Result<ExitCode> Service::run() {
  disk_free_bytes_ = free_bytes(settings_.daemon.state_directory);
  core_.space_measured(disk_free_bytes_);
  engine_.absorb(core_.started(engine_.moment()));
  crash_point("after_recovery_step");
  Result<std::unique_ptr<Server>> server = Server::listen(
      loop_, settings_.socket, settings_.limits,
      [this](SessionId session, const wire::Request& request) { desk_.take(session, request); },
      [this](SessionId session) { desk_.session_closed(session); });
  if (!server) return server.error();
  server_ = std::move(*server);
  relief_.emplace(*server_);
  desk_.serve(*server_);
  desk_.workers().serve(*server_);
  for (const std::string& warning : config::warnings(settings_)) spdlog::warn("{}", warning);
  const core::RecoveryCounts& recovered = core_.recovery();
  spdlog::info("ready on {}: {} functions, {} interrupted attempts to run again, started in {} ms",
               settings_.socket.path, settings_.functions.size(), recovered.interrupted_events,
               recovery_duration_.count());
  persistent_.configure(settings_);
  engine_.set_commit_linger(settings_.daemon.commit_linger);
  crash_point("before_serving");
  notify_ready();
  each_second();
  loop_.run();
  if (exit_code_ == ExitCode::success) spdlog::info("stopped: all is on disk");
  return exit_code_;
}

void Service::turn_over() {
  WorkerDesk& workers = desk_.workers();
  workers.tell_news();
  engine_.turn_over();
  if (!server_) return;
  bool pushed = workers.send_pushes();
  crash_point("before_replies");
  server_->flush_touched();
  crash_point("after_replies");
  // What was pushed is a fact, what has left makes room for more, and behind it the few
  // that have gathered are committed.
  while (pushed || workers.has_news() || engine_.commit_few()) {
    workers.tell_news();
    engine_.turn_over();
    pushed = workers.send_pushes();
    server_->flush_touched();
  }
  server_->pause_reading(relief_->is_short(connections_bytes_max(settings_.limits)));
  stop_if_drained();
}

uint64_t Service::memory_bytes() const {
  return server_->memory_bytes() + runner_.memory_bytes() + persistent_.memory_bytes();
}

void Service::start_attempt(core::StartAttempt&& start) {
  if (start.worker) {
    if (start.caller) desk_.call_started(*start.caller, start.payload->size());
    return desk_.workers().push(std::move(start));
  }
  if (start.settings->mode == config::CommandMode::persistent) {
    if (start.caller) desk_.call_started(*start.caller, start.payload->size());
    return persistent_.start(std::move(start));
  }
  const uint64_t handle = next_handle_++;
  attempts_.emplace(handle, Attempt{start.event, start.attempt});
  handles_[start.event.seq] = handle;
  if (start.caller) desk_.call_started(*start.caller, start.payload->size());
  AttemptStart attempt;
  attempt.handle = handle;
  attempt.argv = start.settings->command;
  attempt.environment = handler_environment(start, core_.ledger().box());
  attempt.working_directory = start.settings->working_directory;
  attempt.payload = std::move(start.payload);
  attempt.result_bytes_max = start.settings->result_bytes_max;
  attempt.timeout = start.settings->timeout;
  attempt.kill_grace = start.settings->kill_grace;
  runner_.start(std::move(attempt));
}

void Service::attempt_finished(uint64_t handle, core::AttemptReport&& attempt_report) {
  auto node = attempts_.extract(handle);
  CHECK(!node.empty());
  const Attempt& attempt = node.mapped();
  handles_.erase(attempt.event.seq);
  report_outcome(attempt.event, attempt.attempt, std::move(attempt_report));
}

void Service::report_outcome(const core::EventId& event, core::AttemptNumber attempt,
                             core::AttemptReport&& report) {
  crash_point("before_outcome");
  engine_.absorb(core_.attempt_finished(event, attempt, std::move(report), engine_.moment()));
}

void Service::command_broken(const std::string& function, const std::string& why) {
  spdlog::error("the persistent command of {} does not start, its events wait: {}", function, why);
  engine_.absorb(core_.command_broken(function, why, engine_.moment()));
}

void Service::command_mended(const std::string& function) {
  const auto settings = settings_.functions.find(function);
  if (settings != settings_.functions.end() && !core_.draining()) {
    spdlog::info("the persistent command of {} starts again, or is another one", function);
  }
  engine_.absorb(core_.command_mended(function, engine_.moment()));
}

void Service::each_second() {
  disk_free_bytes_ = free_bytes(settings_.daemon.state_directory);
  core_.space_measured(disk_free_bytes_);
  const auto refusal = core_.refusal();
  const bool accepting = !refusal.has_value();
  if (accepting != std::exchange(accepting_, accepting) && !core_.draining()) {
    if (refusal) {
      spdlog::error("not accepting: {}", refusal->message);
    } else {
      spdlog::info("accepting again");
    }
  }
  const bool starts_wait = core_.starts_wait_for_disk();
  if (starts_wait != std::exchange(starts_wait_, starts_wait)) {
    if (starts_wait) {
      spdlog::error("attempts wait for disk space: {} MiB free, half of disk_free_min is {} MiB. "
                    "Free disk space; they go on alone",
                    disk_free_bytes_ >> 20, core::start_floor(core_.settings().limits) >> 20);
    } else {
      spdlog::info("attempts start again");
    }
  }
  if (const auto failure = store_.failure()) {
    storage_failed(*failure);
    return;
  }
  relief_->each_second(connections_bytes_max(settings_.limits));
  notify_status(status_line());
  notify_alive();
  second_.arm(kHousekeepingInterval);
}

std::string Service::status_line() const {
  uint64_t backlog = 0;
  uint64_t dead_letters = 0;
  for (const auto& [id, record] : core_.ledger().functions()) {
    backlog += record.fresh + record.waiting;
    dead_letters += record.dead_letters;
  }
  const auto refusal = core_.refusal();
  const char* state = "serving";
  if (refusal) state = "NOT ACCEPTING, disk full";
  if (core_.starts_wait_for_disk()) state = "NOT ACCEPTING, attempts wait for disk space";
  if (core_.draining()) state = "draining";
  return fmt::format("{}: {} waiting, {} running, {} dead letters", state,
                     backlog, core_.attempts_running(), dead_letters);
}

void Service::drain() {
  if (core_.draining()) return;
  spdlog::info("stopping: {} attempts may finish within {} s", core_.attempts_running(),
               std::chrono::duration_cast<std::chrono::seconds>(settings_.daemon.drain_timeout)
                   .count());
  notify_stopping();
  engine_.set_commit_linger(Duration::zero());
  engine_.absorb(core_.drain_started(engine_.moment()));
  crash_point("in_drain");
  drain_timeout_.arm(settings_.daemon.drain_timeout);
}

void Service::stop_if_drained() {
  if (!core_.draining() || !core_.idle() || !engine_.settled()) return;
  if (!persistent_.empty()) return persistent_.close();
  crash_point("drained");
  server_->flush_touched();
  if (!server_->all_sent() && !last_replies_given_up_) {
    if (!std::exchange(last_replies_awaited_, true)) {
      drain_timeout_.disarm();
      last_replies_.arm(kLastRepliesTimeMax);
    }
    return;
  }
  if (!server_->all_sent()) spdlog::warn("stopping: clients that do not read lose replies");
  server_->close_all();
  loop_.stop();
}

void Service::reload() {
  notify_reloading();
  Result<config::Settings> loaded = config::load(config_path_);
  if (!loaded) {
    spdlog::error("reload refused, the old settings stay:\n{}", loaded.error().what);
    notify_ready();
    return;
  }
  for (const std::string& name : config::needs_restart(settings_, *loaded)) {
    spdlog::warn("{} changed; that takes effect at the next restart", name);
  }
  config::Settings settings = std::move(*loaded);
  settings.socket = settings_.socket;
  settings.daemon.state_directory = settings_.daemon.state_directory;
  settings.daemon.dark_time_ages = settings_.daemon.dark_time_ages;
  settings.limits.memory_max = settings_.limits.memory_max;
  for (const std::string& warning : config::fit(settings, this_machine())) {
    spdlog::warn("{}", warning);
  }
  settings_ = std::move(settings);
  set_log_level(settings_.daemon.log_level);
  server_->set_limits(settings_.limits);
  engine_.absorb(core_.settings_changed(settings_, engine_.moment()));
  if (!core_.draining()) {
    persistent_.configure(settings_);
    engine_.set_commit_linger(settings_.daemon.commit_linger);
  }
  crash_point("in_reload");
  for (const std::string& warning : config::warnings(settings_)) spdlog::warn("{}", warning);
  spdlog::info("reloaded: {} functions", settings_.functions.size());
  notify_ready();
}

// Promise 8. The next start reads what the disk really holds; nothing may leave now
// but the word that nobody knows.
void Service::storage_failed(const Error& error) {
  spdlog::critical("storage failed, stopping at once: {}", error.what);
  exit_code_ = ExitCode::storage_failed;
  desk_.answer_all_unknown();
  if (server_) server_->flush_touched();
  loop_.stop();
  // A commit that was refused because of an earlier failure has that one's reason.
  const Error cause = store_.failure().value_or(error);
  if (cause.code == Errc::corrupt) {
    leave_damage_mark(settings_.daemon.state_directory, cause.what);
  }
}

api::StatusReport Service::report() {
  api::StatusReport report;
  report.version = HOLDFAST_VERSION;
  report.pid = getpid();
  report.started_wall = started_wall_;
  report.connections = server_->connections_count();
  report.disk_free_bytes = disk_free_bytes_;
  report.last_sync = engine_.last_sync();
  report.memory_bytes = memory_bytes();
  report.recovery_duration = recovery_duration_;
  const WallTime wall = from_ms<WallTime>(read_kernel_clocks().wall_ms);
  report.pools = persistent_.views(wall);
  report.wal_audit = store_.open_report().audit.sentence;
  return report;
}

}  // namespace holdfast::daemon
