// DamagedService: the daemon of a box whose disk has lost acknowledged data. It shows
// what is left, runs no handler and writes nothing, until an operator accepts the loss
// with `holdfastd --accept-wal-loss`. Promise 9 in daemon/ARCHITECTURE.md.
//
//    SIGTERM, SIGINT  it ends at once; there is nothing to drain
//    SIGHUP           the log says that nothing is read anew
//
// Rule    The core is only looked at: not even started() is called.
// Reason  Its first step would settle what was running, and the disk must stay as it is
//         until its evidence has been copied.
//
// Ownership  main()'s; borrows loop, store and core. Threads  the loop's.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "daemon/clock.h"
#include "daemon/damaged_desk.h"
#include "daemon/exit_code.h"
#include "daemon/memory_relief.h"
#include "daemon/server.h"
#include "daemon/uv/prepare.h"
#include "daemon/uv/signal.h"
#include "daemon/uv/timer.h"

namespace holdfast::daemon {

struct DamagedParts {
  uv::Loop& loop;
  const storage::Store& store;
  const core::Lifecycle& core;
  Clock clock;
  const config::Settings& settings;
  api::StatusReport report;  // what of it does not change, and `damage`
  std::string refusal;       // what every request that would change something hears
};

class DamagedService {
 public:
  explicit DamagedService(DamagedParts parts);

  // Opens the socket and serves until it is told to stop. The error is a socket that
  // cannot be had.
  Result<ExitCode> run();

 private:
  void turn_over();
  void each_second();
  void stop();
  api::StatusReport report() const;

  uv::Loop& loop_;
  const config::Settings& settings_;
  const api::StatusReport fixed_;
  const std::string refusal_;
  Clock clock_;
  std::unique_ptr<Server> server_;
  std::optional<MemoryRelief> relief_;
  DamagedDesk desk_;
  uv::Prepare before_blocking_;
  uv::Timer second_;
  uv::Signal terminate_;
  uv::Signal interrupt_;
  uv::Signal hangup_;
};

}  // namespace holdfast::daemon
