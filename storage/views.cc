#include "storage/views.h"

#include <algorithm>
#include <utility>

#include "storage/base/bytes.h"
#include "storage/base/check.h"
#include "storage/event_rows.h"
#include "storage/event_views.h"
#include "storage/keys.h"
#include "storage/rows.h"

namespace holdfast::storage {

namespace {

ViewState state_of(EndState state) {
  switch (state) {
    case EndState::succeeded:
      return ViewState::succeeded;
    case EndState::failed:
      return ViewState::failed;
    case EndState::cancelled:
      return ViewState::cancelled;
  }
  check_failed("every case has returned", __FILE__, __LINE__);
}

Result<std::optional<EventEnvelope>> load_envelope(const Store& store, const EventId& id) {
  return load_row<EventEnvelope>(store, Family::events, event_key(id), [&](std::string_view bytes) {
    return decode_event_envelope(id, bytes);
  });
}

Result<std::optional<EventView>> view_running(const Store& store, const EventId& id) {
  const auto running = load_running(store);
  if (!running) return running.error();
  const auto row = std::find_if(running->begin(), running->end(),
                                [&](const auto& each) { return each.second.event == id; });
  if (row == running->end()) return std::optional<EventView>{};
  Result<EventView> view = running_view(store, row->second);
  if (!view) return view.error();
  return std::optional<EventView>{std::move(*view)};
}

Result<std::optional<EventView>> view_dead(const Store& store, const EventId& id) {
  const auto dead_letter = load_dead_letter(store, id.function, id.seq);
  if (!dead_letter) return dead_letter.error();
  if (!*dead_letter || (**dead_letter).record.lane != id.lane) return std::optional<EventView>{};
  return std::optional<EventView>{dead_view(**dead_letter)};
}

Result<std::optional<EventView>> view_pending(const Store& store, const EventId& id) {
  const auto envelope = load_envelope(store, id);
  if (!envelope) return envelope.error();
  if (!*envelope) return std::optional<EventView>{};
  const auto waiting = load_waiting(store, id);
  if (!waiting) return waiting.error();
  return std::optional<EventView>{pending_view(**envelope, *waiting)};
}

Result<std::optional<EventView>> view_ended(const Store& store, const EventId& id,
                                            Seq history_cutoff) {
  const auto ending = load_last_ending(store, id.seq, history_cutoff);
  if (!ending) return ending.error();
  if (!*ending) return std::optional<EventView>{};
  const auto record =
      load_row<HistoryRecord>(store, Family::history, history_key(**ending), decode_history);
  if (!record) return record.error();
  // A seq is unique on the box; the rest of the id must fit it all the same.
  if (!*record || (**record).event != id) return std::optional<EventView>{};
  return std::optional<EventView>{ended_view(**record)};
}

}  // namespace

EventView pending_view(const EventEnvelope& event, const std::optional<LoadedWaiting>& waiting) {
  EventView view;
  view.id = event.event.id;
  view.state = ViewState::pending;
  view.accepted_wall = event.event.accepted_wall;
  view.payload_bytes = event.payload_bytes;
  if (waiting) {
    view.spent = waiting->record.spent;
    view.due_at = waiting->key.due_at;
  } else {
    view.spent.age_from = event.event.age_from;
  }
  return view;
}

Result<EventView> running_view(const Store& store, const RunningRecord& running) {
  EventView view;
  view.id = running.event;
  view.state = ViewState::running;
  view.type = running.type;
  view.spent = running.spent;
  view.accepted_wall = running.accepted_wall;
  view.payload_bytes = running.payload_bytes;
  view.running = {running.started_wall, running.deadline_wall};
  if (running.type == InvocationType::event) {
    const auto envelope = load_envelope(store, running.event);
    if (!envelope) return envelope.error();
    if (*envelope) {  // otherwise it ended between the two reads
      view.accepted_wall = (**envelope).event.accepted_wall;
      view.payload_bytes = (**envelope).payload_bytes;
    }
  }
  return view;
}

EventView dead_view(const LoadedDeadLetter& dead_letter) {
  // The dead letter repeats all of its ending, so it is shown in full even when the
  // history has forgotten it.
  const DeadLetterRecord& record = dead_letter.record;
  EventView view = ended_view({
      .event = {dead_letter.key.function, record.lane, dead_letter.key.seq},
      .type = InvocationType::event,
      .state = EndState::failed,
      .condition = record.condition,
      .accepted_wall = record.accepted_wall,
      .ended_wall = record.died_wall,
      .spent = record.spent,
      .payload_bytes = record.payload_bytes,
      .result = std::nullopt,
      .result_bytes = 0,
      .error_type = record.error_type,
      .error_message = record.error_message,
      .attempts = record.attempts,
  });
  view.state = ViewState::dead;
  return view;
}

EventView ended_view(const HistoryRecord& ending) {
  EventView view;
  view.id = ending.event;
  view.state = state_of(ending.state);
  view.type = ending.type;
  view.spent = ending.spent;
  view.accepted_wall = ending.accepted_wall;
  view.payload_bytes = ending.payload_bytes;
  view.ending = ending;
  view.attempts = ending.attempts;
  return view;
}

Result<std::optional<Seq>> load_last_ending(const Store& store, Seq event, Seq history_cutoff) {
  const auto ending =
      load_row<Seq>(store, Family::endings, ending_key(event), [](std::string_view bytes) {
        const std::optional<Seq> found = parse_history_key(bytes);
        return found ? Result<Seq>{*found} : Result<Seq>{Error{Errc::corrupt, "not a seq"}};
      });
  if (!ending) return ending.error();
  if (*ending && **ending < history_cutoff) return std::optional<Seq>{};
  return *ending;
}

// Commits go on between the reads. In this order each answer was true at some moment
// of the call: an event leaves a state only after it was there, and its own row goes
// last, in the commit that writes its ending.
Result<std::optional<EventView>> view_event(const Store& store, const EventId& id,
                                            Seq history_cutoff) {
  Result<std::optional<EventView>> view = view_running(store, id);
  if (view && !*view) {
    view = view_dead(store, id);
    if (view && *view) return view;
  }
  if (view && !*view) view = view_pending(store, id);
  if (view && !*view) return view_ended(store, id, history_cutoff);
  if (!view) return view;

  Result<std::vector<AttemptRecord>> attempts = load_attempts(store, id.seq);
  if (!attempts) return attempts.error();
  (**view).attempts = std::move(*attempts);
  return view;
}

}  // namespace holdfast::storage
