// HistoryBook: how much history there is, and where it is cut off.
//
// The history is one growing list; rows are never deleted one by one. A single
// cut-off (the first ending that is shown) bounds it in age and in bytes: reads hide
// what is below, and the store drops whole files of it. To know where to cut without
// reading, a mark is kept every sixteenth of either bound; the cut-off jumps from
// mark to mark. So up to a sixteenth more than the bound is kept, never less.
#pragma once

#include "config/settings.h"
#include "daemon/core/effect.h"
#include "daemon/core/ledger.h"

namespace holdfast::core {

inline constexpr uint64_t kHistoryMarksPerBound = 16;
inline constexpr size_t kHistoryMarksMax = 64;

// What lies in the history, cut-off rows not counted.
uint64_t history_bytes(const storage::StateRecord& state);

// Most that it may hold: a cut takes whole sixteenths.
inline uint64_t history_bytes_most(const config::LimitSettings& limits) {
  return limits.history_bytes_max + limits.history_bytes_max / kHistoryMarksPerBound;
}

// Counts one row into the history and moves the cut-off if that is due; the step then
// carries DropHistory.
void history_grew(Step& step, Ledger& ledger, Seq ending, uint64_t bytes, LitPoint now,
                  const config::LimitSettings& limits);

// Where nothing ends any more: when something will be too old, and cutting that off. The
// last mark has no successor; what it begins is a sixteenth younger at most.
std::optional<LitPoint> history_ages_at(const storage::StateRecord& state,
                                        const config::LimitSettings& limits);
void history_aged(Step& step, Ledger& ledger, LitPoint now, const config::LimitSettings& limits);

}  // namespace holdfast::core
