// What is remembered: one plain struct per kind of row. FORMAT.md has the bytes.
//
// To change a record: append a field to its lines in codec_layout.h, as later() (older rows
// are shorter and get the default), or raise kFormat, keep the old reader, and test the
// conversion. Never reuse a position.
#pragma once

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/time.h"
#include "storage/ids.h"

namespace holdfast::storage {

using Hash128 = std::array<uint8_t, 16>;
using KeyHash = Hash128;  // of function id and idempotency key
using PayloadHash = Hash128;

// Points into the hash.
inline std::string_view view_of(const Hash128& hash) {
  return {reinterpret_cast<const char*>(hash.data()), hash.size()};
}
inline std::optional<Hash128> hash_from(std::string_view bytes) {
  Hash128 hash;
  if (bytes.size() != hash.size()) return std::nullopt;
  std::ranges::copy(bytes, hash.begin());
  return hash;
}

enum class InvocationType : uint8_t { event = 0, synchronous = 1 };

// How a life of an event ended.
enum class EndState : uint8_t { succeeded = 0, failed = 1, cancelled = 2 };

// Why; the first three are Lambda's words.
enum class Condition : uint8_t {
  success = 0,
  retries_exhausted = 1,
  event_age_exceeded = 2,
  interrupted = 3,
  cancelled = 4,
  function_error = 5,  // a synchronous call: never retried
};

// How an attempt failed: client/PROTOCOL.md, section 7.
enum class Failure : uint8_t {
  exited = 0,
  signaled = 1,
  timed_out = 2,
  result_too_large = 3,
  cannot_start = 4,
  interrupted = 5,
  failed = 6,       // the handler said so: a worker, or a persistent command
  worker_lost = 7,  // its connection ended before its answer
};

struct EventRecord {
  EventId id;  // in the key
  TimePoint accepted_at;
  WallTime accepted_wall;
  LitPoint age_from;  // its age counts from here: acceptance, plus the asked delay
  // Was put with a `waiting` row, so it is never part of the fresh backlog.
  bool delayed = false;
  // Disk set aside for its ending, see core/admit.h.
  uint64_t reserved_bytes = 0;
  std::string idempotency_key;  // empty: none
  std::string payload;

  bool operator==(const EventRecord&) const = default;
};
using EventPtr = std::shared_ptr<const EventRecord>;

// What the attempts so far have spent. Travels with the event from row to row.
struct Spent {
  AttemptNumber attempt;  // last one started, over all lives
  uint32_t failures = 0;  // of this life
  uint32_t interruptions = 0;
  LitPoint age_from;  // of this life: a redrive starts anew
  // False for a redriven event whose key has come to name another one meanwhile.
  bool owns_key = true;
  bool operator==(const Spent&) const = default;
};

struct WaitingKey {
  EventId event;
  TimePoint due_at;  // orders the `due` row, the twin of the `waiting` row
  Generation generation;
  bool operator==(const WaitingKey&) const = default;
};
struct WaitingRecord {
  TimePoint due_at;
  Spent spent;
  bool operator==(const WaitingRecord&) const = default;
};

struct RunningKey {
  Seq seq;
  Generation generation;
  auto operator<=>(const RunningKey&) const = default;
};
struct RunningRecord {
  EventId event;
  InvocationType type = InvocationType::event;
  Spent spent;  // attempt: the one that runs
  WallTime started_wall;
  WallTime deadline_wall;
  // A synchronous call has no events row: what its ending needs is here.
  std::string idempotency_key;
  std::optional<PayloadHash> payload_hash;
  uint64_t payload_bytes = 0;
  WallTime accepted_wall;
  bool with_worker = false;  // an attached worker has it, which outlives the daemon
  bool operator==(const RunningRecord&) const = default;
};

struct AttemptRecord {
  AttemptNumber attempt;
  Failure failure = Failure::exited;
  std::string error_type;
  std::string error_message;  // at most kErrorMessageBytesMax
  WallTime started_wall;
  WallTime ended_wall;
  std::optional<int> exit_status;
  std::optional<int> signal;
  std::string log_tail;  // at most kLogTailBytesMax
  bool operator==(const AttemptRecord&) const = default;
};

// What a caller who repeats a key is told once the first one has ended.
struct StoredAnswer {
  EndState state = EndState::succeeded;
  Condition condition = Condition::success;
  WallTime ended_wall;
  std::optional<std::string> result;  // absent: over kResultKeptBytesMax, or none
  uint64_t result_bytes = 0;
  std::string error_type;
  std::string error_message;
  bool operator==(const StoredAnswer&) const = default;
};


struct IdempotencyRecord {
  FunctionId function;
  std::string key;
  EventId event;
  InvocationType type = InvocationType::event;
  PayloadHash payload_hash{};
  // Both together, once it has ended; before that the key does not expire.
  std::optional<StoredAnswer> answer;
  LitPoint expires_at;
  bool operator==(const IdempotencyRecord&) const = default;
};
using IdempotencyPtr = std::shared_ptr<const IdempotencyRecord>;

struct HistoryRecord {
  EventId event;
  InvocationType type = InvocationType::event;
  EndState state = EndState::succeeded;
  Condition condition = Condition::success;
  WallTime accepted_wall;
  WallTime ended_wall;
  Spent spent;
  uint64_t payload_bytes = 0;
  std::optional<std::string> result;
  uint64_t result_bytes = 0;
  std::string error_type;
  std::string error_message;
  std::vector<AttemptRecord> attempts;  // failed ones, oldest first
  bool operator==(const HistoryRecord&) const = default;
};

struct DeadLetterKey {
  FunctionId function;
  Seq seq;
  Generation generation;
  auto operator<=>(const DeadLetterKey&) const = default;
};
struct DeadLetterRecord {
  Lane lane;
  Condition condition = Condition::retries_exhausted;
  Seq ending;  // its history row
  WallTime accepted_wall;
  WallTime died_wall;
  Spent spent;
  uint64_t payload_bytes = 0;
  uint64_t charged_bytes = 0;   // against dead_letters_bytes_max
  uint64_t reserved_bytes = 0;  // set aside again by a redrive
  // Of an event with a key, so that a redrive can claim it again.
  std::string idempotency_key;
  std::optional<PayloadHash> payload_hash;
  std::string error_type;
  std::string error_message;
  std::vector<AttemptRecord> attempts;
  bool operator==(const DeadLetterRecord&) const = default;
};

struct MessageKey {
  QueueId queue;
  TimePoint visible_at;
  Seq seq;
  Generation generation;
  auto operator<=>(const MessageKey&) const = default;
};
struct MessageRecord {
  std::string body;
  std::map<std::string, std::string> attributes;
  WallTime sent_wall;
  uint32_t receive_count = 0;
  bool operator==(const MessageRecord&) const = default;
};

// --- meta ------------------------------------------------------------------

// `function/ID`: put whenever it changed in a commit.
struct FunctionRecord {
  std::string name;
  // No fresh event has a seq below: all of those have started or ended.
  Seq head;
  uint64_t fresh = 0;    // events never started and never delayed
  uint64_t waiting = 0;  // rows in `waiting`
  uint64_t dead_letters = 0;
  uint64_t dead_letters_bytes = 0;
  uint64_t dead_letters_dropped = 0;
  uint64_t succeeded = 0;
  uint64_t failed = 0;
  uint64_t cancelled = 0;
  // As last configured: by it events of a function that has left the configuration age.
  Duration event_age_max{};
  bool operator==(const FunctionRecord&) const = default;
};

// `queue/ID`
struct QueueRecord {
  std::string name;
  uint64_t messages = 0;
  uint64_t bytes = 0;
  bool operator==(const QueueRecord&) const = default;
};

// Where the history stood: it is cut off from mark to mark, see core/history.h.
struct HistoryMark {
  Seq ending;
  uint64_t bytes_before = 0;  // history written before it, since the box began
  LitPoint at;
  bool operator==(const HistoryMark&) const = default;
};

// What lets the next start go on counting time: see daemon/clock.h.
struct ClockStamp {
  TimePoint now;
  LitPoint lit;
  std::string boot_id;
  int64_t boottime_ms = 0;
  bool operator==(const ClockStamp&) const = default;
};

// `state`: put once in every commit.
struct StateRecord {
  BoxTag box;
  Seq next_seq;
  FunctionId next_function;
  QueueId next_queue;
  uint64_t batch_number = 0;  // commits so far
  ClockStamp clock;
  uint64_t reserved_bytes = 0;     // disk that living events may still need
  uint64_t idempotency_bytes = 0;  // rows of `idempotency`
  uint64_t history_bytes = 0;      // written since the box began
  Seq history_cutoff;              // rows below are hidden
  std::vector<HistoryMark> history_marks;
  uint64_t accepted = 0;
  uint64_t ended = 0;
  bool operator==(const StateRecord&) const = default;
};

}  // namespace holdfast::storage
