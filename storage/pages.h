// What the core asks of the disk: pages of an index, one event, one key. Each
// function is a bounded read on a Store; the answer is handed to the core as a fact.
// Threads: any; in the daemon, the reader.
#pragma once

#include <optional>
#include <vector>

#include "storage/base/result.h"
#include "storage/records.h"
#include "storage/store.h"

namespace holdfast::storage {

// --- start -----------------------------------------------------------------

// Everything a start needs at once: bounded by functions, queues and slots.
struct Recovered {
  bool fresh_directory = false;  // nothing was there: `state` is the default
  StateRecord state;
  std::vector<std::pair<FunctionId, FunctionRecord>> functions;
  std::vector<std::pair<QueueId, QueueRecord>> queues;
  std::vector<std::pair<RunningKey, RunningRecord>> running;
};
// Refuses a newer format than kFormat, naming both numbers.
Result<Recovered> load_recovered(const Store& store);

// --- pages of the backlog --------------------------------------------------

struct FreshRow {
  Seq seq;
  LitPoint age_from;
  WallTime accepted_wall;
  EventPtr event;  // empty if it is a large one
};
struct FreshPage {
  std::vector<FreshRow> rows;  // rising
  bool last = false;           // nothing follows
  Seq reached;                 // otherwise: rows up to here were looked at
};
// Delayed ones that a page passes over cost a look each: after so many rows it ends, and
// may be short, or empty, without being the last.
inline constexpr size_t kFreshRowsLookedAtMax = 4096;
// An event whose row is above this part of a page's bytes is large: it is left out, and read
// when it starts. Small ones end the page when its bytes are full. (To read each of them
// again costs more than the page, and a start that waits for it.)
inline constexpr uint64_t kSmallEventsPerPageMin = 8;
// Fresh events of the function with seq >= from: its `events` rows that were not
// put delayed. (The caller knows that no started one is at or above `from`.)
Result<FreshPage> load_fresh_page(const Store& store, FunctionId function, Lane lane, Seq from,
                                  size_t rows_max, uint64_t bytes_max);

struct DueRow {
  WaitingKey key;
  LitPoint age_from;
};
struct DuePage {
  std::vector<DueRow> rows;  // rising by (due_at, seq, generation)
  bool last = false;
};
// Rows of `due` after `after`, or from the first one.
Result<DuePage> load_due_page(const Store& store, FunctionId function, Lane lane,
                              const std::optional<WaitingKey>& after, size_t rows_max);

// --- one event -------------------------------------------------------------

struct LoadedWaiting {
  WaitingKey key;
  WaitingRecord record;
};
struct LoadedDeadLetter {
  DeadLetterKey key;
  DeadLetterRecord record;
};
// Where an event stands on disk. Without `event` it is unknown, ended, or a
// synchronous call; at most one of the others is there.
struct LoadedEvent {
  EventId id;
  EventPtr event;
  std::optional<LoadedWaiting> waiting;
  std::optional<LoadedDeadLetter> dead_letter;
  std::vector<AttemptRecord> attempts;  // rows of `attempts`, rising
};
Result<LoadedEvent> load_event(const Store& store, const EventId& id);

// --- idempotency -----------------------------------------------------------

Result<std::optional<IdempotencyRecord>> load_key(const Store& store, const KeyHash& hash);
// The same, if the store can tell without the disk.
using CachedKey = std::variant<NeedsDisk, std::optional<IdempotencyRecord>>;
Result<CachedKey> load_cached_key(const Store& store, const KeyHash& hash);

struct KeyRow {
  KeyHash hash;
  IdempotencyRecord record;
};
struct KeyPage {
  std::vector<KeyRow> expired;         // those with expires_at <= now
  std::optional<KeyHash> next;         // where the next page begins; empty: the end
  std::optional<LitPoint> next_expiry;  // earliest one seen that is still to come
};
Result<KeyPage> load_expired_keys(const Store& store, const KeyHash& from, LitPoint now,
                                  size_t rows_max);

// --- dead letters ----------------------------------------------------------

struct DeadLetterPage {
  std::vector<LoadedDeadLetter> rows;  // rising by seq
  std::optional<Seq> next;             // where the next page begins; empty: the end
};
// Dead letters of the function with seq >= from that ended before `ending_below`.
// Reads at most rows_max rows and leaves out the younger ones, so a page may be
// empty and still have a next one.
Result<DeadLetterPage> load_dead_letter_page(const Store& store, FunctionId function, Seq from,
                                             Seq ending_below, size_t rows_max);

// --- messages --------------------------------------------------------------

struct MessageRow {
  MessageKey key;
  uint64_t bytes;
};
struct MessagePage {
  std::vector<MessageRow> rows;  // rising by (visible_at, seq, generation)
  bool last = false;
};
Result<MessagePage> load_message_page(const Store& store, QueueId queue,
                                      const std::optional<MessageKey>& after, size_t rows_max);

Result<std::optional<MessageRecord>> load_message(const Store& store, const MessageKey& key);

}  // namespace holdfast::storage
