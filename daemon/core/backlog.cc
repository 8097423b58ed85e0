#include "daemon/core/backlog.h"

#include <algorithm>
#include <utility>

#include "storage/base/check.h"
#include "storage/base/mutant.h"

namespace holdfast::core {
namespace {

size_t window_entries(size_t functions) {
  const size_t share = kWindowEntriesTotalMax / 2 / std::max<size_t>(functions, 1);
  return std::clamp(share, kWindowEntriesMin, kWindowEntriesMax);
}

}  // namespace

Backlog::Backlog(Ledger& ledger)
    : ledger_(ledger), window_entries_(window_entries(config::kFunctionsMax)) {
  for (const auto& [id, record] : ledger_.functions()) {
    auto [at, made] = functions_.try_emplace(id, id, window_entries(ledger_.functions().size()));
    Function& function = at->second;
    function.name = record.name;
    if (record.fresh > 0) function.fresh.start_unknown();
    if (record.waiting > 0) function.due.start_unknown();
  }
}

void Backlog::configure(const std::map<std::string, config::FunctionSettings>& settings) {
  for (auto& [id, function] : functions_) function.settings.reset();
  window_entries_ = window_entries(settings.size() + functions_.size());
  for (const auto& [name, function_settings] : settings) {
    const FunctionId id = ledger_.function_named(name);
    Function& function = functions_.try_emplace(id, id, window_entries_).first->second;
    function.name = name;
    function.settings = std::make_shared<const config::FunctionSettings>(function_settings);
    if (ledger_.function(id).event_age_max != function_settings.event_age_max) {
      ledger_.change(id).event_age_max = function_settings.event_age_max;
    }
  }
}

Function& Backlog::at(FunctionId id) { return functions_.at(id); }
const Function& Backlog::at(FunctionId id) const { return functions_.at(id); }

Function* Backlog::find(std::string_view name) {
  const auto id = ledger_.find_function(name);
  return id ? &functions_.at(*id) : nullptr;
}

const Function* Backlog::find(std::string_view name) const {
  const auto id = ledger_.find_function(name);
  return id ? &functions_.at(*id) : nullptr;
}

HeldEvent Backlog::hold(const EventPtr& event) {
  if (!event || held_bytes_ + event->payload.size() > kWindowPayloadBytesMax) return {};
  return HeldEvent{event, held_bytes_};
}

void Backlog::add_fresh(Function& function, const EventPtr& event) {
  if (!function.fresh.covers(event->id.seq) && !function.fresh.loading()) return;
  function.fresh.add(event->id.seq, FreshEntry{event->age_from, hold(event)});
}

Claim& Backlog::claim_fresh(Function& function) {
  auto [seq, entry] = function.fresh.take_first();
  CHECK(function.fresh_claims.empty() || function.fresh_claims.back().event.seq < seq);
  Claim claim;
  claim.event = EventId{function.id, storage::Lane{0}, seq};
  claim.spent.age_from = entry.age_from;
  claim.record = entry.held.event();
  return function.fresh_claims.emplace_back(std::move(claim));
}

Claim& Backlog::claim_due(Function& function) {
  const auto [key, entry] = function.due.take_first();
  Claim claim;
  claim.spent.age_from = entry.age_from;
  claim.event = EventId{function.id, storage::Lane{0}, key.seq};
  claim.due = key;
  return function.due_claims.emplace(key.seq, std::move(claim)).first->second;
}

void Backlog::unclaim_fresh(Function& function) {
  // From the back, so that those before it stay claimed in order.
  Claim claim = std::move(function.fresh_claims.back());
  function.fresh_claims.pop_back();
  function.fresh.add(claim.event.seq, FreshEntry{claim.spent.age_from, hold(claim.record)});
}

void Backlog::unclaim_due(Function& function, Seq seq) {
  auto node = function.due_claims.extract(seq);
  CHECK(!node.empty() && node.mapped().due);
  function.due.add(*node.mapped().due, DueEntry{node.mapped().spent.age_from});
}

void Backlog::fresh_page_loaded(Function& function, storage::FreshPage page) {
  std::optional<Seq> bound;
  if (!page.last) bound = page.reached;
  const auto claimed = [&](Seq seq) {
    return std::any_of(function.fresh_claims.begin(), function.fresh_claims.end(),
                       [&](const Claim& claim) { return claim.event.seq == seq; });
  };
  std::vector<std::pair<Seq, FreshEntry>> rows;
  rows.reserve(page.rows.size());
  for (storage::FreshRow& row : page.rows) {
    if (!claimed(row.seq)) rows.emplace_back(row.seq, FreshEntry{row.age_from, hold(row.event)});
  }
  function.fresh.page_loaded(std::move(rows), bound);
}

void Backlog::due_page_loaded(Function& function, storage::DuePage page) {
  std::optional<DueKey> bound;
  const auto key_of = [](const storage::DueRow& row) {
    return DueKey{row.key.due_at, row.key.event.seq, row.key.generation};
  };
  if (!page.last) bound = key_of(page.rows.back());
  std::vector<std::pair<DueKey, DueEntry>> rows;
  rows.reserve(page.rows.size());
  for (const storage::DueRow& row : page.rows) {
    auto claim = function.due_claims.find(row.key.event.seq);
    const bool claimed = claim != function.due_claims.end() && claim->second.due == key_of(row);
    if (!claimed) rows.emplace_back(key_of(row), DueEntry{row.age_from});
  }
  function.due.page_loaded(std::move(rows), bound);
}

void Backlog::want_pages(Step& step, Function& function) {
  if (function.fresh.wants_page()) {
    const auto after = function.fresh.begin_load();
    Seq from = after ? after->next() : ledger_.function(function.id).head;
    if (after && broken(Mutant::page_boundary_skipped)) from = from.next();
    if (after && broken(Mutant::page_row_doubled)) from = *after;
    step.effects.push_back(LoadFreshPage{function.id, from, function.fresh.page_rows_max(),
                                         kPageBytesMax});
  }
  if (function.due.wants_page()) {
    LoadDuePage load{function.id, std::nullopt, function.due.page_rows_max()};
    if (const auto after = function.due.begin_load()) {
      load.after = storage::WaitingKey{EventId{function.id, storage::Lane{0}, after->seq},
                                       after->due_at, after->generation};
    }
    step.effects.push_back(std::move(load));
  }
}

Seq Backlog::head(const Function& function) const {
  if (!function.fresh_claims.empty()) return function.fresh_claims.front().event.seq;
  if (!function.fresh.empty()) return function.fresh.first_key();
  if (function.fresh.whole()) return ledger_.state().next_seq;
  // Nothing of it has been read yet, or all that was has left.
  const auto& bound = function.fresh.bound();
  return bound ? bound->next() : ledger_.function(function.id).head;
}

void Backlog::make_ready(Function& function) {
  if (!std::exchange(function.ready, true)) ready_.push_back(function.id);
}

Function* Backlog::next_ready() {
  if (ready_.empty()) return nullptr;
  const FunctionId id = ready_.front();
  ready_.pop_front();
  Function& function = functions_.at(id);
  function.ready = false;
  return &function;
}

void Backlog::wake(Function& function, std::optional<TimePoint> at) {
  if (function.wake_at == at) return;
  if (function.wake_at) wakeups_.erase({*function.wake_at, function.id});
  function.wake_at = at;
  if (at) wakeups_.emplace(*at, function.id);
}

std::optional<TimePoint> Backlog::next_wakeup() const {
  if (wakeups_.empty()) return std::nullopt;
  return wakeups_.begin()->first;
}

std::vector<Function*> Backlog::take_woken(TimePoint now) {
  std::vector<Function*> woken;
  while (!wakeups_.empty() && wakeups_.begin()->first <= now) {
    Function& function = functions_.at(wakeups_.begin()->second);
    wake(function, std::nullopt);
    woken.push_back(&function);
  }
  return woken;
}

void Backlog::verify() const {
  for (const auto& [id, function] : functions_) {
    const storage::FunctionRecord& record = ledger_.function(id);
    CHECK(function.fresh.size() + function.fresh_claims.size() <= record.fresh);
    CHECK(function.due.size() + function.due_claims.size() <= record.waiting);
    if (function.fresh.whole()) {
      CHECK(function.fresh.size() + function.fresh_claims.size() == record.fresh);
    }
    if (function.due.whole()) {
      CHECK(function.due.size() + function.due_claims.size() == record.waiting);
    }
    for (const Claim& claim : function.fresh_claims) CHECK(claim.event.seq >= head(function));
  }
}

}  // namespace holdfast::core
