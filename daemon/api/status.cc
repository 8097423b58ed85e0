#include "daemon/api/status.h"

#include <algorithm>

#include "client/wire/message.h"
#include "daemon/api/text.h"
#include "daemon/core/history_book.h"
#include "daemon/core/retry.h"

namespace holdfast::api {
namespace {

using std::chrono::floor;
using std::chrono::seconds;

// Commands can be long, and there can be 4,096: those beyond this are left out, so
// that the answer stays one that clients read.
constexpr size_t kCommandsBytesMax = 4u << 20;

uint64_t backlog_count(const storage::FunctionRecord& record) {
  return record.fresh + record.waiting;
}

uint32_t running_count(const core::Function& function) {
  return function.events_running + function.calls_running;
}

bool is_listed(const core::Function& function, const storage::FunctionRecord& record) {
  return function.settings != nullptr || backlog_count(record) > 0 || record.dead_letters > 0 ||
         running_count(function) > 0;
}

// The oldest of those in memory. Fresh ones are there in the order of their age; of
// the others the oldest may be on disk only, when more wait than memory holds.
std::optional<LitPoint> oldest(const core::Function& function) {
  std::optional<LitPoint> oldest;
  const auto consider = [&](LitPoint age_from) {
    oldest = std::min(oldest.value_or(age_from), age_from);
  };
  if (!function.fresh.empty()) consider(function.fresh.entries().begin()->second.age_from);
  for (const auto& [key, entry] : function.due.entries()) consider(entry.age_from);
  return oldest;
}

void add_function(wire::MapWriter& map, const core::Function& function,
                  const storage::FunctionRecord& record) {
  map.text("FunctionName", record.name)
      .boolean("Configured", function.settings != nullptr)
      .count("Backlog", backlog_count(record))
      .count("Running", running_count(function))
      .count("DeadLetters", record.dead_letters)
      .count("DeadLettersBytes", record.dead_letters_bytes);
}

void add_kinds(wire::MapWriter& map, const config::FunctionSettings& settings) {
  wire::ArrayWriter kinds = map.array("Kinds");
  if (!settings.command.empty()) kinds.text(settings.is_persistent() ? "persistent" : "command");
  if (settings.workers) kinds.text("worker");
}

void add_workers(wire::MapWriter& map, const core::Function& function,
                 const core::WorkerBook& book, std::span<const WorkerView> views) {
  wire::ArrayWriter rows = map.array("Workers");
  for (const WorkerView& view : views) {
    const core::Worker* worker = book.find(view.id);
    if (worker == nullptr || worker->function != function.id) continue;
    rows.map()
        .count("WorkerId", view.id.value)
        .number("Pid", view.pid)
        .count("Uid", view.uid)
        .number("Since", to_ms(view.since))
        .number("LastSeen", to_ms(view.last_seen))
        .count("Concurrency", worker->concurrency)
        .count("Running", worker->attempts.size())
        .boolean("Detaching", worker->detaching);
  }
}

void add_pool(wire::MapWriter& map, const core::Function& function, const std::string& name,
              std::span<const PoolView> views) {
  const auto view = std::find_if(views.begin(), views.end(),
                                 [&](const PoolView& one) { return one.function == name; });
  if (view == views.end()) return;
  wire::MapWriter pool = map.map("Pool");
  pool.count("Min", view->processes_min)
      .count("Max", view->processes_max)
      .count("Starting", view->starting)
      .count("Idle", view->idle)
      .count("Busy", view->busy)
      .count("Ending", view->ending)
      .count("Started", view->started)
      .count("Served", view->served);
  if (!function.broken.empty()) pool.text("Broken", mended(function.broken));
  if (view->probe_at) pool.number("ProbeAt", to_ms(*view->probe_at));
  wire::ArrayWriter pids = pool.array("Pids");
  for (const int pid : view->pids) pids.number(pid);
}

void add_functions(wire::MapWriter& map, const core::Lifecycle& core, const Moment& moment,
                   std::span<const PoolView> pools) {
  wire::ArrayWriter functions = map.array("Functions");
  for (const auto& [id, function] : core.backlog().functions()) {
    const storage::FunctionRecord& record = core.ledger().function(id);
    if (!is_listed(function, record)) continue;
    wire::MapWriter row = functions.map();
    add_function(row, function, record);
    if (const auto age_from = oldest(function)) {
      // A delayed event begins to age when it is due.
      const Duration age = std::max(moment.lit - *age_from, Duration::zero());
      row.number("OldestAgeSeconds", floor<seconds>(age).count());
    }
    if (function.settings != nullptr) {
      row.count("DeadLettersBytesMax", function.settings->dead_letters_bytes_max);
      add_kinds(row, *function.settings);
      if (function.settings->workers) row.count("Workers", core.workers().attached(id));
      add_pool(row, function, record.name, pools);
    }
    row.count("DeadLettersDropped", record.dead_letters_dropped)
        .count("Succeeded", record.succeeded)
        .count("Failed", record.failed)
        .count("Cancelled", record.cancelled);
  }
}

void add_queues(wire::MapWriter& map, const core::Lifecycle& core) {
  wire::ArrayWriter queues = map.array("Queues");
  for (const auto& [id, record] : core.ledger().queues()) {
    const bool configured = core.queues().configured(id);
    if (!configured && record.messages == 0) continue;
    queues.map()
        .text("QueueName", record.name)
        .boolean("Configured", configured)
        .count("Messages", record.messages)
        .count("Bytes", record.bytes)
        .count("BytesMax", core.queues().bytes_max(id));
  }
}

std::string_view state_word(const StatusReport& report, const core::Lifecycle& core) {
  if (!report.damage.empty()) return "damaged";
  return core.draining() ? "draining" : "running";
}

// Why nothing new is accepted; empty while it is.
std::string refusal(const StatusReport& report, const core::Lifecycle& core) {
  if (!report.damage.empty()) return report.damage;
  const std::optional<core::Refused> refused = core.refusal();
  return refused ? refused->message : std::string{};
}

}  // namespace

void append_status(std::string& out, uint32_t msgid, const StatusReport& report,
                   const core::Lifecycle& core, const Moment& moment) {
  const storage::StateRecord& state = core.ledger().state();
  const config::LimitSettings& limits = core.settings().limits;
  wire::ReplyWriter reply{out, msgid};
  wire::MapWriter map = reply.map();
  map.text("Version", report.version)
      .number("Pid", report.pid)
      .text("State", state_word(report, core))
      .number("StartedAt", to_ms(report.started_wall))
      .number("Now", to_ms(moment.wall));
  add_functions(map, core, moment, report.pools);
  add_queues(map, core);
  map.count("AttemptsRunning", core.attempts_running())
      .count("AttemptsRunningMax", core.attempts_running_max())
      .count("Connections", report.connections)
      .count("MemoryBytes", report.memory_bytes)
      .count("DiskFreeBytes", report.disk_free_bytes)
      .count("DiskFreeMinBytes", limits.disk_free_min)
      .count("DiskReservedBytes", core.disk_set_aside());
  const std::string refused = refusal(report, core);
  map.boolean("Accepting", refused.empty());
  if (!refused.empty()) map.text("Refusal", mended(refused));
  map.boolean("AcceptingKeys",
              refused.empty() && state.idempotency_bytes < limits.idempotency_bytes_max);
  map.boolean("StartsWaitForDisk", core.starts_wait_for_disk());
  map.count("IdempotencyBytes", state.idempotency_bytes)
      .count("IdempotencyBytesMax", limits.idempotency_bytes_max)
      .count("HistoryBytes", core::history_bytes(state))
      .count("HistoryBytesMax", limits.history_bytes_max);
  if (report.last_sync) map.number("LastSyncAt", to_ms(*report.last_sync));
  map.count("Commits", state.batch_number)
      .count("Accepted", state.accepted)
      .count("Ended", state.ended);
  map.map("Recovery")
      .number("DurationMs", report.recovery_duration.count())
      .count("InterruptedEvents", core.recovery().interrupted_events)
      .count("InterruptedCalls", core.recovery().interrupted_calls)
      .count("Waiting", core.recovery().waiting)
      .text("WalAudit", mended(report.wal_audit));
  if (!report.damage.empty()) map.text("Damage", mended(report.damage));
}

void append_functions(std::string& out, uint32_t msgid, const core::Lifecycle& core,
                      std::span<const WorkerView> workers, std::span<const PoolView> pools) {
  size_t commands_bytes = 0;
  wire::ReplyWriter reply{out, msgid};
  wire::MapWriter map = reply.map();
  wire::ArrayWriter functions = map.array("Functions");
  for (const auto& [id, function] : core.backlog().functions()) {
    const storage::FunctionRecord& record = core.ledger().function(id);
    if (!is_listed(function, record)) continue;
    wire::MapWriter row = functions.map();
    add_function(row, function, record);
    if (function.settings == nullptr) continue;
    const config::FunctionSettings& settings = *function.settings;
    row.number("Timeout", settings.timeout.count())
        .count("ConcurrencyMax", settings.concurrency_max)
        .count("Retries", core::retries(settings.retry));
    add_kinds(row, settings);
    if (settings.workers) add_workers(row, function, core.workers(), workers);
    add_pool(row, function, record.name, pools);
    for (const std::string& argument : settings.command) commands_bytes += argument.size();
    if (commands_bytes > kCommandsBytesMax) continue;
    wire::ArrayWriter command = row.array("Command");
    for (const std::string& argument : settings.command) command.text(mended(argument));
  }
}

void append_queues(std::string& out, uint32_t msgid, const core::Lifecycle& core) {
  wire::ReplyWriter reply{out, msgid};
  wire::MapWriter map = reply.map();
  add_queues(map, core);
}

}  // namespace holdfast::api
