// The answers that tell how the daemon stands: GetStatus, ListFunctions, ListQueues.
//
// Nearly all of it the core knows; StatusReport is the rest, gathered by the shell.
//
// Ownership  nothing is kept. Threads  the loop's. Failure  none.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "daemon/core/lifecycle.h"
#include "storage/base/time.h"

namespace holdfast::api {

// What the shell knows of a worker; the core knows the rest.
struct WorkerView {
  core::WorkerId id;
  int pid = 0;  // of who connected
  uint32_t uid = 0;
  WallTime since;
  WallTime last_seen;  // its last request
};

struct StatusReport {
  std::string version;
  int pid = 0;
  WallTime started_wall;
  size_t connections = 0;
  uint64_t disk_free_bytes = 0;
  std::optional<WallTime> last_sync;
  uint64_t memory_bytes = 0;
  Duration recovery_duration{0};
  std::string wal_audit;  // a sentence: what the look at the log at start has found
  std::string damage{};   // of a box that only shows what it holds: why; else empty
};

void append_status(std::string& out, uint32_t msgid, const StatusReport& report,
                   const core::Lifecycle& core, const Moment& moment);
// Those of the configuration, and those of which something is still kept.
void append_functions(std::string& out, uint32_t msgid, const core::Lifecycle& core,
                      std::span<const WorkerView> workers);
void append_queues(std::string& out, uint32_t msgid, const core::Lifecycle& core);

}  // namespace holdfast::api
