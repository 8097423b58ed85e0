// How each kind of row looks to people: what views.cc and views_list.cc share.
#pragma once

#include <optional>

#include "storage/codec.h"
#include "storage/pages.h"
#include "storage/views.h"

namespace holdfast::storage {

EventView pending_view(const EventEnvelope& event, const std::optional<LoadedWaiting>& waiting);

// Reads the event's own row for what a running one does not repeat.
Result<EventView> running_view(const Store& store, const RunningRecord& running);

EventView dead_view(const LoadedDeadLetter& dead_letter);

EventView ended_view(const HistoryRecord& ending);

// The event's last ending that the history still shows.
Result<std::optional<Seq>> load_last_ending(const Store& store, Seq event, Seq history_cutoff);

}  // namespace holdfast::storage
