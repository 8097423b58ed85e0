#include <algorithm>
#include <array>
#include <iterator>
#include <limits>
#include <unordered_set>
#include <utility>

#include "storage/base/bytes.h"
#include "storage/base/check.h"
#include "storage/event_rows.h"
#include "storage/event_views.h"
#include "storage/keys.h"
#include "storage/list_marker.h"
#include "storage/newest_first.h"
#include "storage/views.h"

namespace holdfast::storage {

namespace {

constexpr size_t kRowsPerQuestion = 8;  // between two looks at the budget
constexpr size_t kChunkRows = 16;
constexpr size_t kChunkRowsOfAll = 256;

// Many functions share the memory of the chunks, and most have few rows to show.
size_t chunk_rows(size_t ranges) {
  return std::clamp<size_t>(kChunkRowsOfAll / std::max<size_t>(ranges, 1), 1, kChunkRows);
}

// Counts what was looked at, and says when a page must end. At least one row is
// always looked at first, so that every page gets further.
class PageEnd {
 public:
  explicit PageEnd(const PageBudget& budget) : budget_(budget) { CHECK(budget.rows_max > 0); }

  // To be asked once for each row, before it is looked at.
  bool is_here(size_t rows_listed) {
    if (rows_listed >= budget_.rows_max) return true;
    const bool ask = rows_seen_ > 0 && rows_seen_ % kRowsPerQuestion == 0;
    ++rows_seen_;
    return ask && budget_.spent && budget_.spent();
  }

 private:
  const PageBudget& budget_;
  size_t rows_seen_ = 0;
};

struct PendingRow {
  Seq seq;
  EventEnvelope envelope;
};
struct DeadRow {
  Seq seq;
  LoadedDeadLetter dead_letter;
};
struct HistoryRow {
  Seq seq;  // of the ending
  HistoryRecord record;
};

Result<PendingRow> parse_pending(std::string_view key, std::string_view value) {
  const std::optional<EventId> id = parse_event_key(key);
  if (!id) return not_a_key();
  Result<EventEnvelope> envelope = decode_event_envelope(*id, value);
  if (!envelope) return envelope.error();
  return PendingRow{id->seq, std::move(*envelope)};
}

Result<DeadRow> parse_dead(std::string_view key, std::string_view value) {
  const std::optional<DeadLetterKey> found = parse_dead_letter_key(key);
  if (!found) return not_a_key();
  Result<DeadLetterRecord> record = decode_dead_letter(value);
  if (!record) return record.error();
  record->attempts.clear();
  return DeadRow{found->seq, {*found, std::move(*record)}};
}

Result<HistoryRow> parse_ended(std::string_view key, std::string_view value) {
  const std::optional<Seq> ending = parse_history_key(key);
  if (!ending) return not_a_key();
  Result<HistoryRecord> record = decode_history(value);
  if (!record) return record.error();
  record->attempts.clear();
  record->result.reset();
  return HistoryRow{*ending, std::move(*record)};
}

// The events of lane 0, the only one so far: seqs rise within a lane, not across.
NewestFirst<PendingRow> newest_events(const Store& store, const std::vector<FunctionId>& functions,
                                      Seq below) {
  std::vector<NewestFirst<PendingRow>::Range> ranges;
  for (const FunctionId function : functions) {
    ranges.push_back({lane_prefix(function, Lane{}), event_key({function, Lane{}, below})});
  }
  const size_t chunk = chunk_rows(ranges.size());
  return {store, Family::events, std::move(ranges), chunk, parse_pending};
}

NewestFirst<DeadRow> newest_dead(const Store& store, const std::vector<FunctionId>& functions,
                                 Seq below) {
  std::vector<NewestFirst<DeadRow>::Range> ranges;
  for (const FunctionId function : functions) {
    ranges.push_back({dead_letter_key({function, Seq{}, Generation{}}),
                      dead_letter_key({function, below, Generation{}})});
  }
  const size_t chunk = chunk_rows(ranges.size());
  return {store, Family::dead_letters, std::move(ranges), chunk, parse_dead};
}

// One call of list_events(). Each list_...() lists a section from `below` down; it
// answers false when the page ended within it.
class EventLister {
 public:
  EventLister(const Store& store, const std::vector<FunctionId>& functions,
              const EventFilter& filter, Seq history_cutoff, const PageBudget& budget)
      : store_(store),
        functions_(filter.function ? std::vector<FunctionId>{*filter.function} : functions),
        filter_(filter),
        history_cutoff_(history_cutoff),
        end_(budget) {}

  // Which sections rows of this state stand in.
  static bool stands_in(const std::optional<ViewState>& state, ListSection section) {
    if (!state) return section != ListSection::dead_letters;
    switch (*state) {
      case ViewState::pending:
        return section == ListSection::pending;
      case ViewState::running:
        return section == ListSection::running;
      case ViewState::dead:
        return section == ListSection::dead;
      case ViewState::succeeded:
      case ViewState::failed:
      case ViewState::cancelled:
        return section == ListSection::history;
    }
    return false;
  }

  Result<EventList> list(ListMarker from) {
    auto running = load_running(store_);
    if (!running) return running.error();
    running_ = std::move(*running);
    static constexpr std::array kOrder{ListSection::running, ListSection::pending,
                                       ListSection::dead, ListSection::history};
    const auto first = std::find(kOrder.begin(), kOrder.end(), from.section);
    for (auto section = first; section != kOrder.end(); ++section) {
      if (!stands_in(filter_.state, *section)) continue;
      const Result<bool> whole = list_section({*section, from.below});
      if (!whole) return whole.error();
      if (!*whole) break;
      from.below = kFromNewest;
    }
    return std::move(list_);
  }

 private:
  Result<bool> list_section(const ListMarker& from) {
    switch (from.section) {
      case ListSection::running:
        return list_running(from.below);
      case ListSection::pending:
        return list_pending(from.below);
      case ListSection::dead:
        return list_dead(from.below);
      case ListSection::history:
        return list_history(from.below);
      case ListSection::dead_letters:
        break;
    }
    check_failed("every case has returned", __FILE__, __LINE__);
  }

  // Whether the page ends before this row; then the next one begins with it.
  bool ends_before(ListSection section, Seq seq) {
    if (!end_.is_here(list_.rows.size())) return false;
    list_.next_marker = to_text({section, seq.next()});
    return true;
  }

  Result<bool> list_running(Seq below) {
    for (auto row = running_.rbegin(); row != running_.rend(); ++row) {
      const auto& [key, record] = *row;
      if (key.seq >= below) continue;
      if (filter_.function && record.event.function != *filter_.function) continue;
      if (ends_before(ListSection::running, key.seq)) return false;
      Result<EventView> view = running_view(store_, record);
      if (!view) return view.error();
      list_.rows.push_back(std::move(*view));
    }
    return true;
  }

  Result<bool> list_pending(Seq below) {
    std::unordered_set<Seq> running;
    for (const auto& [key, record] : running_) running.insert(key.seq);
    NewestFirst<PendingRow> rows = newest_events(store_, functions_, below);
    while (true) {
      Result<std::optional<PendingRow>> row = rows.next();
      if (!row) return row.error();
      if (!*row) return true;
      const EventEnvelope& envelope = (**row).envelope;
      const EventId& id = envelope.event.id;
      if (ends_before(ListSection::pending, id.seq)) return false;
      if (running.contains(id.seq)) continue;
      const Result<bool> dead = is_dead(store_, id.function, id.seq);
      if (!dead) return dead.error();
      if (*dead) continue;
      const auto waiting = load_waiting(store_, id);
      if (!waiting) return waiting.error();
      list_.rows.push_back(pending_view(envelope, *waiting));
    }
  }

  Result<bool> list_dead(Seq below) {
    NewestFirst<DeadRow> rows = newest_dead(store_, functions_, below);
    while (true) {
      const Result<std::optional<DeadRow>> row = rows.next();
      if (!row) return row.error();
      if (!*row) return true;
      if (ends_before(ListSection::dead, (**row).seq)) return false;
      list_.rows.push_back(dead_view((**row).dead_letter));
    }
  }

  Result<bool> list_history(Seq below) {
    NewestFirst<HistoryRow> rows{store_,
                                 Family::history,
                                 {{history_key(history_cutoff_), history_key(below)}},
                                 kChunkRows,
                                 parse_ended};
    while (true) {
      const Result<std::optional<HistoryRow>> row = rows.next();
      if (!row) return row.error();
      if (!*row) return true;
      if (ends_before(ListSection::history, (**row).seq)) return false;
      const Result<bool> shown = is_shown(**row);
      if (!shown) return shown.error();
      if (*shown) list_.rows.push_back(ended_view((**row).record));
    }
  }

  // A row of the history is shown if it fits the filter and is its event's last word.
  // Only a failed event can live again, or lie as a dead letter: it then has its own
  // row, and has been listed as what it is now.
  Result<bool> is_shown(const HistoryRow& row) const {
    const HistoryRecord& record = row.record;
    if (filter_.function && record.event.function != *filter_.function) return false;
    if (filter_.state && ended_view(record).state != *filter_.state) return false;
    if (record.state != EndState::failed || record.type != InvocationType::event) return true;
    const auto last = load_last_ending(store_, record.event.seq, history_cutoff_);
    if (!last) return last.error();
    if (*last != row.seq) return false;
    const std::string key = event_key(record.event);
    const Result<bool> lives = any_row(store_, {Family::events, key, key_after(key)});
    if (!lives) return lives.error();
    return !*lives;
  }

  const Store& store_;
  const std::vector<FunctionId> functions_;
  const EventFilter& filter_;
  const Seq history_cutoff_;
  PageEnd end_;
  std::vector<std::pair<RunningKey, RunningRecord>> running_;
  EventList list_;
};

Error foreign_marker() { return {Errc::invalid, "the marker is not one of this list"}; }

}  // namespace

Result<EventList> list_events(const Store& store, const std::vector<FunctionId>& functions,
                              const EventFilter& filter, Seq history_cutoff,
                              const std::optional<std::string>& marker, const PageBudget& budget) {
  ListMarker from{ListSection::running, kFromNewest};
  if (marker) {
    const std::optional<ListMarker> parsed = parse_marker(*marker);
    if (!parsed || !EventLister::stands_in(filter.state, parsed->section)) return foreign_marker();
    from = *parsed;
  }
  return EventLister{store, functions, filter, history_cutoff, budget}.list(from);
}

Result<DeadLetterList> list_dead_letters(const Store& store,
                                         const std::vector<FunctionId>& functions,
                                         const std::optional<FunctionId>& function,
                                         const std::optional<std::string>& marker,
                                         const PageBudget& budget) {
  Seq below = kFromNewest;
  if (marker) {
    const std::optional<ListMarker> parsed = parse_marker(*marker);
    if (!parsed || parsed->section != ListSection::dead_letters) return foreign_marker();
    below = parsed->below;
  }
  DeadLetterList list;
  PageEnd end{budget};
  NewestFirst<DeadRow> rows =
      newest_dead(store, function ? std::vector<FunctionId>{*function} : functions, below);
  while (true) {
    Result<std::optional<DeadRow>> row = rows.next();
    if (!row) return row.error();
    if (!*row) return list;
    LoadedDeadLetter& dead_letter = (**row).dead_letter;
    if (end.is_here(list.rows.size())) {
      list.next_marker = to_text({ListSection::dead_letters, dead_letter.key.seq.next()});
      return list;
    }
    list.rows.push_back({dead_letter.key, std::move(dead_letter.record)});
  }
}

}  // namespace holdfast::storage
