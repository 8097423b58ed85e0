#include "daemon/core/history_book.h"

namespace holdfast::core {

uint64_t history_bytes(const storage::StateRecord& state) {
  if (state.history_marks.empty()) return 0;
  return state.history_bytes - state.history_marks.front().bytes_before;
}

void history_grew(Step& step, Ledger& ledger, Seq ending, uint64_t bytes, LitPoint now,
                  const config::LimitSettings& limits) {
  storage::StateRecord& state = ledger.change();
  auto& marks = state.history_marks;
  const bool mark_due =
      marks.empty() ||
      state.history_bytes - marks.back().bytes_before >=
          limits.history_bytes_max / kHistoryMarksPerBound ||
      now - marks.back().at >= limits.history_age_max / kHistoryMarksPerBound;
  if (mark_due) marks.push_back({ending, state.history_bytes, now});
  state.history_bytes += bytes;

  // The first mark begins what is kept. It may go when all before the second one is
  // beyond a bound.
  size_t cut = 0;
  while (cut + 1 < marks.size()) {
    const storage::HistoryMark& next = marks[cut + 1];
    const bool too_many = state.history_bytes - next.bytes_before >= limits.history_bytes_max;
    const bool too_old = now - next.at >= limits.history_age_max;
    const bool too_many_marks = marks.size() - cut > kHistoryMarksMax;
    if (!too_many && !too_old && !too_many_marks) break;
    ++cut;
  }
  if (cut == 0) return;
  marks.erase(marks.begin(), marks.begin() + static_cast<std::ptrdiff_t>(cut));
  state.history_cutoff = marks.front().ending;
  step.effects.push_back(DropHistory{state.history_cutoff});
}

std::optional<LitPoint> history_ages_at(const storage::StateRecord& state,
                                        const config::LimitSettings& limits) {
  const auto& marks = state.history_marks;
  if (marks.empty()) return std::nullopt;
  if (marks.size() > 1) return marks[1].at + limits.history_age_max;
  return marks[0].at + limits.history_age_max + limits.history_age_max / kHistoryMarksPerBound;
}

void history_aged(Step& step, Ledger& ledger, LitPoint now, const config::LimitSettings& limits) {
  storage::StateRecord& state = ledger.change();
  bool cut = false;
  for (auto at = history_ages_at(state, limits); at && *at <= now;
       at = history_ages_at(state, limits)) {
    state.history_marks.erase(state.history_marks.begin());
    cut = true;
  }
  if (!cut) return;
  state.history_cutoff =
      state.history_marks.empty() ? state.next_seq : state.history_marks.front().ending;
  ledger.want_commit();
  step.effects.push_back(DropHistory{state.history_cutoff});
}

}  // namespace holdfast::core
