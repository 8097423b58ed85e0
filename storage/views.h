// What people ask of the disk: one event, lists of events and of dead letters.
// Durable state only, bounded in rows and in time per page.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "storage/base/result.h"
#include "storage/records.h"
#include "storage/store.h"

namespace holdfast::storage {

// `dead` is a failed event that is kept as a dead letter.
enum class ViewState : uint8_t { pending, running, dead, succeeded, failed, cancelled };

struct EventView {
  EventId id;
  ViewState state = ViewState::pending;
  InvocationType type = InvocationType::event;
  Spent spent;
  WallTime accepted_wall;
  uint64_t payload_bytes = 0;
  std::optional<TimePoint> due_at;                      // pending, and waiting for a time
  std::optional<std::pair<WallTime, WallTime>> running;  // started, deadline
  std::optional<HistoryRecord> ending;                  // its last one; for dead ones too
  std::vector<AttemptRecord> attempts;                  // failed ones, of this life
};

// Empty: never accepted here, or no longer in the history.
Result<std::optional<EventView>> view_event(const Store& store, const EventId& id,
                                            Seq history_cutoff);

// A page ends after rows_max rows, or when the budget is spent, whichever is first;
// so it may be empty and still have a next one.
struct PageBudget {
  size_t rows_max = 100;
  std::function<bool()> spent;  // asked every few rows; true: stop here
};

struct EventFilter {
  std::optional<FunctionId> function;
  std::optional<ViewState> state;
};
struct EventList {
  std::vector<EventView> rows;
  std::optional<std::string> next_marker;
};
// Newest first within a state; without a state: running, pending, dead, then the
// history (its dead ones are left out there: they came before). `functions` are the
// known ids, rising. Rows come without attempts and results, which GetEvent shows.
// Errc::invalid for a marker that is not ours.
Result<EventList> list_events(const Store& store, const std::vector<FunctionId>& functions,
                              const EventFilter& filter, Seq history_cutoff,
                              const std::optional<std::string>& marker, const PageBudget& budget);

struct DeadLetterRow {
  DeadLetterKey key;
  DeadLetterRecord record;
};
struct DeadLetterList {
  std::vector<DeadLetterRow> rows;
  std::optional<std::string> next_marker;
};
// Newest first, without attempts.
Result<DeadLetterList> list_dead_letters(const Store& store,
                                         const std::vector<FunctionId>& functions,
                                         const std::optional<FunctionId>& function,
                                         const std::optional<std::string>& marker,
                                         const PageBudget& budget);

}  // namespace holdfast::storage
