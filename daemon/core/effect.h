// Step: what one fact makes the core produce. A batch, then effects: disk first,
// world second.
//
// The batch joins the current commit. The effects wait behind the durable watermark
// until it reaches the step, also when the step's own batch is empty: they may rest
// on an earlier one. Only `lookups` go out at once: what memory knows overrules what
// a lookup finds, so they cannot be too early.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "config/settings.h"
#include "storage/batch.h"
#include "storage/pages.h"

namespace holdfast::core {

using storage::AttemptNumber;
using storage::EventId;
using storage::EventPtr;
using storage::FunctionId;
using storage::QueueId;
using storage::Seq;

using StepSeq = Strong<struct StepSeqTag, uint64_t>;

// Names one waiting caller. Given by the shell; the core only hands it back.
using Ticket = Strong<struct TicketTag, uint64_t>;

// Names one attached worker. Given by the shell, never twice in a life of the daemon.
using WorkerId = Strong<struct WorkerIdTag, uint64_t>;

// --- answers ---------------------------------------------------------------

// Why a request was refused: nothing of it was kept. client/PROTOCOL.md, section 5,
// has the words for the wire.
enum class Refusal : uint8_t {
  not_found,
  invalid,
  conflict,      // exists, but not in a state that allows this
  too_large,
  busy,          // no slot, or a store of the function is full
  key_conflict,  // same key, other payload
  no_space,
  receipt_invalid,
  unavailable,   // draining, or nobody can serve a synchronous call
};
struct Refused {
  Refusal refusal;
  std::string message;
};
struct Accepted {
  EventId event;
  bool duplicate = false;
  std::optional<storage::StoredAnswer> ending;  // of a duplicate that has ended
};
struct DryRunPassed {};
// A synchronous call has run.
struct Returned {
  EventId event;
  bool duplicate = false;
  storage::StoredAnswer answer;  // `result` is whole here, however large
};
struct CancelAnswer {
  EventId event;
  storage::EndState state;
};
enum class DeadLetterVerb : uint8_t { redrive, discard };
struct DeadLettersMoved {
  DeadLetterVerb verb = DeadLetterVerb::redrive;
  uint64_t count = 0;
  std::optional<std::pair<Seq, Seq>> next;  // (from, ending_below) of the next page
};
struct Sent {
  Seq message;
};
struct ReceivedMessage {
  storage::MessageKey key;  // the receipt
  std::shared_ptr<const storage::MessageRecord> record;
};
struct Received {
  std::vector<ReceivedMessage> messages;
};
struct Deleted {};
// A worker is attached. Of what it said it still ran, `continued` is its own again.
struct Attached {
  WorkerId worker;
  Duration timeout;
  Duration reattach_window;
  std::vector<EventId> continued;
  std::vector<EventId> lost;
};
// What a worker said has been taken note of.
struct Noted {};
struct DeadlineMoved {
  WallTime deadline;
};

using Answer = std::variant<Refused, Accepted, DryRunPassed, Returned, CancelAnswer,
                            DeadLettersMoved, Sent, Received, Deleted, Attached, Noted,
                            DeadlineMoved>;

// --- effects ---------------------------------------------------------------

struct Reply {
  Ticket ticket;
  Answer answer;
};

struct StartAttempt {
  EventId event;
  AttemptNumber attempt;
  storage::InvocationType type;
  std::string function;
  std::shared_ptr<const config::FunctionSettings> settings;
  std::shared_ptr<const std::string> payload;
  std::string idempotency_key;
  WallTime deadline_wall;
  std::optional<Ticket> caller = std::nullopt;    // of a synchronous call
  std::optional<WorkerId> worker = std::nullopt;  // who gets it; empty: the command
};
enum class StopReason : uint8_t { timed_out, cancelled, draining };
struct StopAttempt {
  EventId event;
  AttemptNumber attempt;
  StopReason reason;
  std::optional<WorkerId> worker;
};
// It did not stop in time what it was to stop: its connection ends.
struct CloseWorker {
  WorkerId worker;
};

// Reads; each is answered by the fact of the same name.
struct LoadFreshPage {
  FunctionId function;
  Seq from;
  size_t rows_max;
  uint64_t bytes_max;
};
struct LoadDuePage {
  FunctionId function;
  std::optional<storage::WaitingKey> after;
  size_t rows_max;
};
// For which question an event is loaded; comes back with the answer.
enum class LoadPurpose : uint8_t { start, cancel, adrift };
struct LoadEvent {
  EventId event;
  LoadPurpose purpose;
};
struct LoadExpiredKeys {
  storage::KeyHash from;
  LitPoint now;
  size_t rows_max;
};
struct LoadDeadLetters {
  FunctionId function;
  std::optional<EventId> one;  // just this one; `from` and `ending_below` do not matter
  Seq from;
  Seq ending_below;
  size_t rows_max;
};
struct LoadMessagePage {
  QueueId queue;
  std::optional<storage::MessageKey> after;
  size_t rows_max;
};
struct LoadMessages {
  uint64_t request;  // the core's own number for it
  std::vector<storage::MessageKey> keys;
};
// The shell reads the event and replies. `only_ended`: while it lives, nothing
// happens, and the core speaks up again.
struct ViewEvent {
  Ticket ticket;
  EventId event;
  bool only_ended;
};
struct DropHistory {
  Seq cutoff;
};

using Effect = std::variant<Reply, StartAttempt, StopAttempt, CloseWorker, LoadFreshPage,
                            LoadDuePage, LoadEvent, LoadExpiredKeys, LoadDeadLetters,
                            LoadMessagePage, LoadMessages, ViewEvent, DropHistory>;

struct Step {
  StepSeq seq;
  storage::Batch batch;
  std::vector<Effect> effects;
  std::vector<storage::KeyHash> lookups;
};

}  // namespace holdfast::core
