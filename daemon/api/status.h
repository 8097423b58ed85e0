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
#include <vector>

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

// The processes of a persistent command, as the shell has them.
struct PoolView {
  std::string function;
  uint32_t processes_min = 0;
  uint32_t processes_max = 0;
  uint32_t starting = 0;
  uint32_t idle = 0;
  uint32_t busy = 0;
  uint32_t ending = 0;
  uint64_t started = 0;  // since the daemon's start, as `served`
  uint64_t served = 0;   // attempts
  std::optional<WallTime> probe_at;  // broken: when it is tried again
  std::vector<int> pids;
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
  std::vector<PoolView> pools{};
  std::string damage{};   // of a box that only shows what it holds: why; else empty
};

void append_status(std::string& out, uint32_t msgid, const StatusReport& report,
                   const core::Lifecycle& core, const Moment& moment);
// Those of the configuration, and those of which something is still kept.
void append_functions(std::string& out, uint32_t msgid, const core::Lifecycle& core,
                      std::span<const WorkerView> workers, std::span<const PoolView> pools);
void append_queues(std::string& out, uint32_t msgid, const core::Lifecycle& core);

}  // namespace holdfast::api
