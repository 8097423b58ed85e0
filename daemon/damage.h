// Damage in words: for the log, for GetStatus, for whoever is refused, for the terminal.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "storage/rocks/rocks_store.h"
#include "storage/rocks/wal_salvage.h"

namespace holdfast::daemon {

// "/var/lib/holdfast/db/000012.log at byte 4711", or what else is known of the place.
std::string place_of_damage(const storage::OpenReport& report, const std::string& directory);

// What a request that would change something is told: the place, and what to do.
std::string refusal_of_damage(const storage::OpenReport& report, const std::string& directory);

// The same where not the log is damaged, but a table or the rows in it.
std::string refusal_of_damaged_tables(const std::string& finding);

// The events concerned, in one or two sentences, without their names.
std::string summary_of(const storage::Loss& loss);

// One line for each of them, up to `lines_max`: "lost REQUEST_ID" or "set back REQUEST_ID".
std::vector<std::string> lines_of(const storage::Loss& loss, size_t lines_max);

// What the operator can do, as the last sentences of a report.
std::string remedy_of_damage();

}  // namespace holdfast::daemon
