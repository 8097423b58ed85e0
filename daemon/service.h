// Service: the running daemon. Wires engine, front desk, server and runner together,
// and answers systemd and signals:
//
//    SIGTERM, SIGINT  drain: new events are refused, running attempts finish up to
//                     drain_timeout, the rest are ended and recorded; when the clients
//                     have read their replies, or some seconds later, run() returns
//    SIGHUP           reload: what settings.h marks so; a bad file changes nothing
//
// Ownership  main()'s; borrows loop and store. Threads  the loop's.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "daemon/engine.h"
#include "daemon/exit_code.h"
#include "daemon/front_desk.h"
#include "daemon/memory_relief.h"
#include "daemon/persistent_handlers.h"
#include "daemon/runner.h"
#include "daemon/server.h"
#include "daemon/uv/prepare.h"
#include "daemon/uv/signal.h"
#include "storage/rocks/rocks_store.h"

namespace holdfast::daemon {

struct ServiceParts {
  uv::Loop& loop;
  storage::RocksStore& store;
  core::Lifecycle& core;
  Clock clock;
  config::Settings settings;
  std::string config_path;
  int spawner_fd;
  Duration recovery_duration;
};

class Service {
 public:
  explicit Service(ServiceParts parts);
  ~Service();
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  // Settles what the last life left, opens the socket, serves until drained. The
  // error is a socket that cannot be had.
  Result<ExitCode> run();

 private:
  void start_attempt(core::StartAttempt&& start);
  void report_outcome(const core::EventId& event, core::AttemptNumber attempt,
                      core::AttemptReport&& report);
  void command_broken(const std::string& function, const std::string& why);
  void command_mended(const std::string& function);
  void attempt_finished(uint64_t handle, core::AttemptReport&& report);
  void turn_over();
  void each_second();
  void drain();
  void reload();
  void storage_failed(const Error& error);
  void stop_if_drained();
  api::StatusReport report();
  uint64_t memory_bytes() const;
  std::string status_line() const;

  uv::Loop& loop_;
  storage::RocksStore& store_;
  core::Lifecycle& core_;
  config::Settings settings_;
  const std::string config_path_;
  const Duration recovery_duration_;
  const WallTime started_wall_;

  Engine engine_;
  FrontDesk desk_;
  SpawnerLink link_;
  Runner runner_;
  PersistentHandlers persistent_;
  std::unique_ptr<Server> server_;
  std::optional<MemoryRelief> relief_;
  uv::Prepare before_blocking_;
  uv::Timer second_;
  uv::Timer drain_timeout_;
  uv::Timer last_replies_;  // armed once a drain waits for nothing else
  uv::Signal terminate_;
  uv::Signal interrupt_;
  uv::Signal hangup_;

  struct Attempt {
    core::EventId event;
    core::AttemptNumber attempt;
  };
  std::map<uint64_t, Attempt> attempts_;         // by the runner's handle
  std::map<storage::Seq, uint64_t> handles_;     // of those
  uint64_t next_handle_ = 1;
  uint64_t disk_free_bytes_ = 0;
  bool accepting_ = true;
  bool starts_wait_ = false;  // for disk space
  bool last_replies_awaited_ = false;
  bool last_replies_given_up_ = false;
  ExitCode exit_code_ = ExitCode::success;
};

}  // namespace holdfast::daemon
