// The rows that an event may have beside its own one in `events`.
#pragma once

#include <optional>
#include <vector>

#include "storage/pages.h"

namespace holdfast::storage {

Result<std::optional<LoadedWaiting>> load_waiting(const Store& store, const EventId& id);

Result<std::optional<LoadedDeadLetter>> load_dead_letter(const Store& store, FunctionId function,
                                                         Seq seq);

Result<bool> is_dead(const Store& store, FunctionId function, Seq seq);

// Rising. At most kAttemptsKeptMax, because the core folds them.
Result<std::vector<AttemptRecord>> load_attempts(const Store& store, Seq seq);

// All rows of `running`, rising: at most one per slot.
Result<std::vector<std::pair<RunningKey, RunningRecord>>> load_running(const Store& store);

}  // namespace holdfast::storage
