// What verify() has counted so far, and the walks that fill it. Private to verify.cc and
// to the files that hold the walks, verify_*.cc.
//
// The walks run in the order in which they stand here: each looks up what an earlier
// one has collected. What a walk returns is a failure of the store; what is wrong with
// its rows is a complaint.
#pragma once

#include <algorithm>
#include <array>
#include <functional>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "storage/records.h"
#include "storage/rows.h"
#include "storage/verify.h"

namespace holdfast::storage::verifying {

// A sum over things that knows no order: two of them are equal if the same things were
// added, and otherwise differ but for one case in 2^64.
class SetSum {
 public:
  void add(std::initializer_list<uint64_t> fields) {
    uint64_t mixed = 0x9E3779B97F4A7C15;
    for (const uint64_t field : fields) mixed = mix(mixed ^ field) + field;
    sum_ += mix(mixed);
    ++count_;
  }
  bool operator==(const SetSum&) const = default;

 private:
  // The finalizer of splitmix64.
  static uint64_t mix(uint64_t bits) {
    bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9;
    bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EB;
    return bits ^ (bits >> 31);
  }

  uint64_t sum_ = 0;
  uint64_t count_ = 0;
};

struct FunctionBook {
  FunctionRecord record;
  uint64_t fresh = 0;
  uint64_t waiting = 0;
  uint64_t dead_letters = 0;
  uint64_t dead_letters_bytes = 0;
  std::array<uint64_t, 3> ended{};  // history rows, by EndState
  SetSum waiting_rows;
  SetSum due_rows;
};
struct QueueBook {
  QueueRecord record;
  uint64_t messages = 0;
  uint64_t bytes = 0;
};
struct RunningEntry {
  EventId event;
  bool is_event = false;
  bool owns_key = false;
};
struct DeadEntry {
  EventId event;
  bool has_event = false;
};
struct EndingEntry {
  uint64_t seq = 0;
  uint64_t ending = 0;
  bool has_history = false;
  EndState state = EndState::succeeded;  // what the history row says
};

struct Books {
  explicit Books(const Store& from) : store(from) {}

  const Store& store;
  Verification result;

  std::optional<StateRecord> state;
  std::map<FunctionId, FunctionBook> functions;
  std::map<QueueId, QueueBook> queues;

  std::vector<RunningEntry> running;  // rising by seq, as the following are
  std::vector<Seq> failed;            // events that have rows of `attempts`
  std::vector<bool> failed_lives;     // whether the one at the same place lives
  std::vector<EndingEntry> endings;
  std::vector<DeadEntry> dead;        // rising by event
  uint64_t history_bytes = 0;
  uint64_t living = 0;
  uint64_t reserved_bytes = 0;
  uint64_t idempotency_bytes = 0;
  SetSum keys_of_the_living;
  SetSum keys_without_answer;
  Seq highest_seq;

  void complain(std::string what);
  void expect(bool holds, const std::string& what) {
    if (!holds) complain(what);
  }
  void equal(uint64_t counted, uint64_t scanned, const std::string& what);
  void seen(Seq seq) { highest_seq = std::max(highest_seq, seq); }

  // As an operator knows it: its RequestId, and the name of its function.
  std::string named(const EventId& id) const;
  static std::string numbered(uint64_t seq) { return "event number " + std::to_string(seq); }

  // Null, with a complaint, if meta does not know it.
  FunctionBook* function(FunctionId id, Family row_of);
  QueueBook* queue(QueueId id);

  const RunningEntry* find_running(Seq seq) const;
  EndingEntry* find_ending(Seq seq);
  DeadEntry* find_dead(const EventId& id);
  uint64_t cutoff() const { return state ? state->history_cutoff.value : 0; }

  // All rows of a family. What the visitor answers of a row becomes a complaint.
  using Visit = std::function<Result<>(std::string_view key, std::string_view value)>;
  Result<> walk(const ScanRange& range, const Visit& visit);
  // The same, and counts them.
  Result<> count(Family family, const Visit& visit);

 private:
  std::string last_stranger_;  // said of it already
};

void add_key(SetSum& sum, const KeyHash& hash, const EventId& event);

Result<> walk_meta(Books& books);          // verify.cc
Result<> walk_running(Books& books);       // verify_events.cc
Result<> walk_attempts(Books& books);      // verify_events.cc
Result<> walk_endings(Books& books);       // verify_endings.cc
Result<> walk_history(Books& books);       // verify_endings.cc
Result<> walk_dead_letters(Books& books);  // verify_endings.cc
Result<> walk_events(Books& books);        // verify_events.cc
Result<> walk_due(Books& books);           // verify_twins.cc
Result<> walk_keys(Books& books);          // verify_twins.cc
Result<> walk_messages(Books& books);      // verify.cc

}  // namespace holdfast::storage::verifying
