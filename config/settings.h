// Everything an operator can choose, each setting declared once: what it does,
// its unit, default, range, and what raising it costs.
//
//    Result<Settings> settings = config::load("/etc/holdfast/holdfast.toml");
//
// Plain data. The bounds stand beside the field as `Range`; validate.h checks
// them all together. config/holdfast.toml shows every setting with its default,
// and a test holds the two against each other.
//
// [reload] marks what SIGHUP changes; the rest needs a restart, and a reload that
// changes it says so.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "storage/base/time.h"

namespace holdfast::config {

using namespace std::chrono_literals;

template <class T>
struct Range {
  T min;
  T max;
  constexpr bool holds(T value) const { return min <= value && value <= max; }
};

// --- retries ---------------------------------------------------------------

// Retries, not attempts: an event runs 1 + retries times at most (Lambda's
// MaximumRetryAttempts counts the same; Lambda allows 0..2).
inline constexpr Range<uint32_t> kRetries{0, 100};
inline constexpr Range<Duration> kRetryDelay{0s, 24h};

// Lambda's ladder: one minute after the first failure, two after the second, n
// minutes after the n-th.
struct LambdaRetry {
  uint32_t retries = 2;
  bool operator==(const LambdaRetry&) const = default;
};
// As many retries as delays; the n-th waits delays[n-1].
struct ListedRetry {
  std::vector<Duration> delays;
  bool operator==(const ListedRetry&) const = default;
};
// The n-th wait is uniform in [0, min(backoff_cap, backoff_base * 2^(n-1))].
struct ExponentialRetry {
  uint32_t retries = 2;
  Duration backoff_base = 1s;   // Range: 1 ms .. 24 h.
  Duration backoff_cap = 5min;  // Range: backoff_base .. 24 h.
  bool operator==(const ExponentialRetry&) const = default;
};
using RetrySettings = std::variant<LambdaRetry, ListedRetry, ExponentialRetry>;

// --- functions -------------------------------------------------------------

inline constexpr Range<size_t> kFunctionNameBytes{1, 64};  // [a-zA-Z0-9-_], AWS's rule
inline constexpr size_t kFunctionsMax = 4096;
inline constexpr size_t kCommandBytesMax = 64u << 10;  // arguments and environment together

// What happens when a function's dead letters reach `dead_letters_bytes_max`.
enum class DeadLettersFull : uint8_t {
  refuse,       // its new events are refused until dead letters are redriven or discarded
  drop_oldest,  // the oldest dead letters are dropped, and counted in `status`
};

// How `command` serves events.
enum class CommandMode : uint8_t {
  per_attempt,  // started anew for each
  persistent,   // stays up, and is given one after the other
};
// How a persistent command is given them: client/PROTOCOL.md, section 7.
enum class Framing : uint8_t { json_lines, length_prefixed };

// Processes of persistent commands in the whole configuration.
inline constexpr uint32_t kPersistentProcessesMax = 4096;

struct FunctionSettings {  // [reload], all of it
  static constexpr Range<Duration> kTimeout{100ms, 900s};
  static constexpr Range<Duration> kKillGrace{0s, 60s};
  static constexpr Range<uint32_t> kConcurrency{1, 1024};
  static constexpr Range<uint32_t> kConcurrencyMin{0, 1024};
  static constexpr Range<uint32_t> kRecycleAfter{0, 1u << 30};
  static constexpr Range<Duration> kEventAge{60s, 14 * 24h};
  static constexpr Range<uint64_t> kDeadLettersBytes{1u << 20, 1ull << 40};
  static constexpr Range<uint64_t> kResultBytes{1, 6291556};
  static constexpr Range<Duration> kIdempotencyRetention{1s, 90 * 24h};

  // The program and its arguments, started once per attempt, never by a shell.
  // The first element is an absolute path. Required, unless workers serve it.
  std::vector<std::string> command;

  // Programs may attach and serve it (client/PROTOCOL.md, section 8). An attempt goes to
  // one that has room, and to the command, if there is one, when none has.
  bool workers = false;

  // Who may attach, beside root and the daemon's own user: names of users. Whoever
  // attaches sees the payloads.
  std::vector<std::string> worker_users;

  // Variables added to the handler's environment, on top of PATH, HOME, LANG, TZ
  // and the HOLDFAST_* identity (client/PROTOCOL.md, section 7).
  std::map<std::string, std::string> environment;

  // Where the handler starts. Absolute.
  std::string working_directory = "/";

  // Longest time one attempt may run; then its process group gets SIGTERM and the
  // attempt counts as failed. A running attempt holds a slot for that long.
  Duration timeout = 3s;

  // From SIGTERM to SIGKILL.
  Duration kill_grace = 2s;

  // Attempts running at once. Where it is above 1, one slot is kept free for
  // synchronous calls.
  uint32_t concurrency_max = 8;

  // Of a persistent command: processes that are kept up without work, at most
  // concurrency_max; how events are written to them; after how many of those one is
  // replaced, 0: never.
  CommandMode mode = CommandMode::per_attempt;
  uint32_t concurrency_min = 1;
  Framing framing = Framing::json_lines;
  uint32_t recycle_after = 0;

  RetrySettings retry = LambdaRetry{};

  // An event that would have to wait longer than this since it was accepted ends
  // as EventAgeExceeded. Time the box is switched off does not count.
  Duration event_age_max = 6h;

  // Most bytes a handler may write to standard output; more is a failure.
  // Held in memory while the attempt runs.
  uint64_t result_bytes_max = 256u << 10;

  // Local queues that receive the invocation record of an ending (JSON), and, for
  // `dead_letter`, the original bytes of an event that died. Names of [queues].
  std::optional<std::string> on_success;
  std::optional<std::string> on_failure;
  std::optional<std::string> dead_letter;

  // Disk that this function's dead letters may hold, payloads included.
  uint64_t dead_letters_bytes_max = 64u << 20;
  DeadLettersFull dead_letters_full = DeadLettersFull::refuse;

  // How long an idempotency key is remembered after its event ended.
  Duration idempotency_retention = 24h;

  bool is_persistent() const { return mode == CommandMode::persistent && !command.empty(); }

  bool operator==(const FunctionSettings&) const = default;
};

// --- queues ----------------------------------------------------------------

inline constexpr size_t kQueuesMax = 256;

struct QueueSettings {  // [reload]
  static constexpr Range<uint64_t> kBytes{1u << 20, 1ull << 40};
  static constexpr Range<Duration> kVisibilityTimeout{0s, 12h};  // SQS's range

  // Disk its messages may hold. While it is full, functions that send to it accept
  // no new events; endings of accepted events are always written.
  uint64_t bytes_max = 64u << 20;

  // How long a received message stays hidden unless the receiver says otherwise.
  Duration visibility_timeout = 30s;  // SQS's default

  bool operator==(const QueueSettings&) const = default;
};

// --- the box ---------------------------------------------------------------

struct SocketSettings {
  std::string path = "/run/holdfast/holdfast.sock";  // at most 107 bytes
  uint32_t mode = 0660;                              // octal string in the file
  std::string group = "holdfast";  // who may invoke; empty: the daemon's own group
  bool operator==(const SocketSettings&) const = default;
};

struct LimitSettings {  // [reload] except memory_max
  static constexpr Range<uint32_t> kConnections{1, 65536};
  static constexpr Range<uint32_t> kRequestsInFlight{1, 65536};
  static constexpr Range<uint32_t> kAttemptsRunning{0, 4096};
  static constexpr Range<uint64_t> kMemory{16u << 20, 1ull << 36};
  static constexpr Range<uint64_t> kDiskFree{1u << 20, 1ull << 44};
  static constexpr Range<uint64_t> kIdempotencyBytes{1u << 20, 1ull << 40};
  static constexpr Range<uint64_t> kHistoryBytes{1u << 20, 1ull << 40};
  static constexpr Range<Duration> kHistoryAge{60s, 365 * 24h};
  static constexpr Range<uint32_t> kInterruptions{0, 100};
  static constexpr Range<Duration> kReattachWindow{0s, 10min};

  // Client connections at once; a further one gets one error and is closed. Root and the
  // daemon's own user get eight more. Lowered where the process may not have so many
  // descriptors (machine.h).
  uint32_t connections_max = 1024;

  // Requests of one connection that wait for their answer; further ones stay
  // unread in the socket.
  uint32_t requests_in_flight_max = 1024;

  // Attempts running at once on the whole box, shared round-robin among functions.
  // 0: four for each processor. Takes three descriptors each.
  uint32_t attempts_running_max = 0;

  // Memory for what is in motion, beside RocksDB's own (about 32 MB). Half of it is for
  // requests and replies: beyond that the daemon stops reading from clients. The other
  // half is for payloads and results of running attempts: beyond that none is started.
  uint64_t memory_max = 64u << 20;

  // Disk that stays free: events are accepted above it, less what accepted ones may still
  // need; attempts start above half of it. The database needs some 64 MiB in passing.
  uint64_t disk_free_min = 256u << 20;

  // Disk for remembered idempotency keys and their stored answers. When it is full,
  // events with a key are refused; an unexpired key is never dropped.
  uint64_t idempotency_bytes_max = 256u << 20;

  // The history is cut off at whichever of the two comes first.
  Duration history_age_max = 7 * 24h;
  uint64_t history_bytes_max = 256u << 20;

  // How often one event may be cut short by a crash of the daemon or the box before
  // it ends as Interrupted: it may be what brings us down.
  uint32_t interruptions_max = 3;

  // After a start, how long attempts that workers held are left to them: who attaches
  // again in time keeps them. The others' events do not run before it is over.
  Duration worker_reattach_window = 10s;

  bool operator==(const LimitSettings&) const = default;
};

enum class LogLevel : uint8_t { debug, info, warning, error };

struct DaemonSettings {
  static constexpr Range<Duration> kDrainTimeout{0s, 900s};
  static constexpr Range<Duration> kCommitLinger{0s, 1s};

  // Where everything durable lives. Owned by the daemon's user, mode 0700.
  std::string state_directory = "/var/lib/holdfast";

  // From SIGTERM until running attempts are ended. Keep systemd's TimeoutStopSec
  // well beyond it.
  Duration drain_timeout = 20s;  // [reload]

  LogLevel log_level = LogLevel::info;  // [reload]

  // true: hours the box was switched off count towards event ages and retentions.
  bool dark_time_ages = false;

  // How long a write to the disk waits for more to share it with, counted from the first
  // thing in it; 0: not at all. At a low rate that saves syncs, so flash wears less. Each
  // answer and each start that needs the disk comes later by up to as much.
  Duration commit_linger = 0s;  // [reload]

  bool operator==(const DaemonSettings&) const = default;
};

struct Settings {
  DaemonSettings daemon;
  SocketSettings socket;
  LimitSettings limits;
  std::map<std::string, QueueSettings> queues;
  std::map<std::string, FunctionSettings> functions;

  bool operator==(const Settings&) const = default;
};

}  // namespace holdfast::config
