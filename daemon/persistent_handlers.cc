#include "daemon/persistent_handlers.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "daemon/clock.h"
#include "daemon/handler_environment.h"
#include "storage/base/check.h"
#include "storage/base/match.h"

namespace holdfast::daemon {

using pool::ChildId;

namespace {

pool::PoolSize size_of(const config::FunctionSettings& settings) {
  return {settings.concurrency_min, settings.concurrency_max, settings.recycle_after};
}

bool same_command(const config::FunctionSettings& one, const config::FunctionSettings& other) {
  return one.command == other.command && one.environment == other.environment &&
         one.working_directory == other.working_directory && one.framing == other.framing &&
         one.kill_grace == other.kill_grace;
}

}  // namespace

class PersistentHandlers::Pool {
 public:
  Pool(std::string function, config::FunctionSettings function_settings)
      : name(std::move(function)),
        settings(std::move(function_settings)),
        plan(size_of(settings)) {}

  const std::string name;
  config::FunctionSettings settings;
  pool::ChildPool plan;
  std::map<ChildId, std::unique_ptr<PersistentChild>> children;
  std::map<storage::Seq, core::StartAttempt> waiting;
  std::map<ChildId, core::StartAttempt> given;
  bool leaving = false;  // goes when its last process has ended
  std::optional<TimePoint> wakeup;
};

// Hears one process, and passes on to which pool it belongs.
class PersistentHandlers::Owner : public ChildOwner {
 public:
  Owner(PersistentHandlers& handlers, Pool& pool, ChildId id)
      : handlers_(handlers), pool_(pool), id_(id) {}

  void child_ready() override {
    pool_.plan.child_ready(id_, handlers_.now());
    handlers_.carry_out(pool_);
  }
  void child_answered(core::AttemptReport report) override {
    const auto given = pool_.given.extract(id_);
    CHECK(!given.empty());
    pool_.plan.child_answered(id_, handlers_.now());
    handlers_.functions_.erase(given.mapped().event.seq);
    handlers_.facts_.finished(given.mapped(), std::move(report));
    handlers_.carry_out(pool_);
  }
  void child_ending(bool own_fault) override {
    pool_.plan.child_ending(id_, own_fault, handlers_.now());
    handlers_.carry_out(pool_);
  }
  void child_ended(std::optional<core::AttemptReport> report, std::string why) override {
    handlers_.child_ended(pool_, id_, std::move(report), std::move(why));  // destroys us
  }

 private:
  PersistentHandlers& handlers_;
  Pool& pool_;
  const ChildId id_;
};

PersistentHandlers::PersistentHandlers(uv::Loop& loop, SpawnerLink& link, storage::BoxTag box,
                                       PersistentFacts facts)
    : loop_(loop),
      link_(link),
      box_(box),
      facts_(std::move(facts)),
      news_timer_(loop, [this] { tell_news(); }),
      wakeup_(loop, [this] { tick(); }) {}

PersistentHandlers::~PersistentHandlers() = default;

TimePoint PersistentHandlers::now() const {
  return TimePoint{std::chrono::duration_cast<Duration>(
      std::chrono::steady_clock::now().time_since_epoch())};
}

// --- what the operator wants ---------------------------------------------------

void PersistentHandlers::configure(const config::Settings& settings) {
  for (const auto& [name, pool] : pools_) {
    const auto at = settings.functions.find(name);
    if (at == settings.functions.end() || !at->second.is_persistent()) leave(*pool);
  }
  for (const auto& [name, function] : settings.functions) {
    if (!function.is_persistent()) continue;
    std::unique_ptr<Pool>& pool = pools_[name];
    if (pool == nullptr) {
      pool = std::make_unique<Pool>(name, function);
    } else {
      const bool other = pool->leaving || !same_command(pool->settings, function);
      pool->settings = function;
      pool->leaving = false;
      pool->plan.changed(size_of(function), other);
    }
  }
  carry_out_all();
}

void PersistentHandlers::leave(Pool& pool) {
  pool.leaving = true;
  pool.plan.close();
}

void PersistentHandlers::close() {
  for (const auto& [name, pool] : pools_) leave(*pool);
  carry_out_all();
}

void PersistentHandlers::carry_out_all() {
  std::vector<Pool*> pools;
  for (const auto& [name, pool] : pools_) pools.push_back(pool.get());
  for (Pool* pool : pools) carry_out(*pool);
}

// --- attempts ------------------------------------------------------------------

void PersistentHandlers::start(core::StartAttempt start) {
  if (link_.lost()) return;
  const auto at = pools_.find(start.function);
  if (at == pools_.end()) {  // a reload has taken it out meanwhile
    turn_away(std::move(start));
    return;
  }
  Pool& pool = *at->second;
  const storage::Seq seq = start.event.seq;
  functions_[seq] = start.function;
  pool.waiting.emplace(seq, std::move(start));
  pool.plan.wanted(seq);
  carry_out(pool);
}

void PersistentHandlers::stop(const core::EventId& event) {
  const auto function = functions_.find(event.seq);
  if (function == functions_.end()) return;
  Pool& pool = *pools_.at(function->second);
  if (pool.plan.withdrawn(event.seq)) {
    auto waiting = pool.waiting.extract(event.seq);
    turn_away(std::move(waiting.mapped()));
    return;
  }
  for (const auto& [id, start] : pool.given) {
    if (start.event != event) continue;
    pool.children.at(id)->stop_attempt();
    return;
  }
}

// Nobody has seen it.
void PersistentHandlers::turn_away(core::StartAttempt start) {
  functions_.erase(start.event.seq);
  tell([this, start = std::move(start)] { facts_.finished(start, {core::NotStarted{}, {}}); });
}

// --- processes -----------------------------------------------------------------

void PersistentHandlers::carry_out(Pool& pool) {
  using namespace pool;
  for (std::vector<Decision> decisions = pool.plan.decide(now()); !decisions.empty();
       decisions = pool.plan.decide(now())) {
    for (Decision& decision : decisions) {
      std::visit(match{
                     [&](const StartChild& start) { start_child(pool, start.child); },
                     [&](const Give& give) { this->give(pool, give); },
                     [&](const Retire& retire) { pool.children.at(retire.child)->retire(); },
                     [&](Broken& broken) {
                       tell([this, name = pool.name, why = std::move(broken.reason)] {
                         facts_.broken(name, why);
                       });
                     },
                     [&](const Mended&) {
                       tell([this, name = pool.name] { facts_.mended(name); });
                     },
                     [&](TurnAway& away) {
                       auto waiting = pool.waiting.extract(away.event);
                       CHECK(!waiting.empty());
                       turn_away(std::move(waiting.mapped()));
                     },
                 },
                 decision);
    }
  }
  const std::optional<TimePoint> wakeup = pool.plan.next_wakeup();
  if (wakeup != pool.wakeup) {
    if (pool.wakeup) wakeups_.erase({*pool.wakeup, pool.name});
    if (wakeup) wakeups_.emplace(*wakeup, pool.name);
    pool.wakeup = wakeup;
    rearm();
  }
  if (pool.leaving && pool.plan.empty()) {
    if (pool.wakeup) wakeups_.erase({*pool.wakeup, pool.name});
    const auto gone = pools_.extract(pool.name);
    CHECK(!gone.empty());
  }
}

void PersistentHandlers::start_child(Pool& pool, ChildId id) {
  const config::FunctionSettings& settings = pool.settings;
  Result<std::unique_ptr<PersistentChild>> child = PersistentChild::start(
      loop_, link_,
      {settings.command, persistent_environment(pool.name, settings), settings.working_directory,
       settings.framing, settings.kill_grace},
      std::make_unique<Owner>(*this, pool, id));
  if (child) {
    pool.children.emplace(id, std::move(*child));
  } else {
    pool.plan.child_ended(id, "it cannot be started: " + child.error().what, now());
  }
}

void PersistentHandlers::give(Pool& pool, const pool::Give& give) {
  auto waiting = pool.waiting.extract(give.event);
  CHECK(!waiting.empty());
  const core::StartAttempt& start =
      pool.given.emplace(give.child, std::move(waiting.mapped())).first->second;
  const auto wall = from_ms<WallTime>(read_kernel_clocks().wall_ms);
  pool.children.at(give.child)->give(start, storage::to_request_id(start.event, box_),
                                     wall + start.settings->timeout);
}

void PersistentHandlers::child_ended(Pool& pool, ChildId id,
                                     std::optional<core::AttemptReport> report, std::string why) {
  const auto child = pool.children.extract(id);  // lives until the end of this
  CHECK(!child.empty());
  const auto given = pool.given.extract(id);
  CHECK(given.empty() == !report);
  pool.plan.child_ended(id, std::move(why), now());
  if (report) {
    functions_.erase(given.mapped().event.seq);
    facts_.finished(given.mapped(), std::move(*report));
  }
  carry_out(pool);
}

// --- time, news ----------------------------------------------------------------

void PersistentHandlers::tell(std::function<void()> news) {
  news_.push_back(std::move(news));
  news_timer_.arm(Duration{0});
}

void PersistentHandlers::tell_news() {
  if (link_.lost()) return;
  for (const std::function<void()>& news : std::exchange(news_, {})) news();
}

void PersistentHandlers::tick() {
  if (link_.lost()) return;
  std::vector<std::string> due;
  for (auto at = wakeups_.begin(); at != wakeups_.end() && at->first <= now(); ++at) {
    due.push_back(at->second);
  }
  for (const std::string& name : due) {
    if (const auto at = pools_.find(name); at != pools_.end()) carry_out(*at->second);
  }
  rearm();
}

void PersistentHandlers::rearm() {
  if (wakeups_.empty()) {
    wakeup_.disarm();
  } else {
    wakeup_.arm(std::max(Duration{1}, wakeups_.begin()->first - now()));
  }
}

// --- questions -----------------------------------------------------------------

std::vector<api::PoolView> PersistentHandlers::views(WallTime wall) const {
  std::vector<api::PoolView> views;
  for (const auto& [name, pool] : pools_) {
    const pool::PoolCounts counts = pool->plan.counts();
    api::PoolView view;
    view.function = name;
    view.processes_min = pool->plan.size().children_min;
    view.processes_max = pool->plan.size().children_max;
    view.starting = counts.starting;
    view.idle = counts.idle;
    view.busy = counts.busy;
    view.ending = counts.ending;
    view.started = pool->plan.started();
    view.served = pool->plan.served();
    if (const auto probe = pool->plan.probe_at()) {
      view.probe_at = wall + std::max(Duration{0}, *probe - now());
    }
    for (const auto& [id, child] : pool->children) {
      if (child->pid() != 0) view.pids.push_back(child->pid());
    }
    views.push_back(std::move(view));
  }
  return views;
}

uint64_t PersistentHandlers::memory_bytes() const {
  uint64_t bytes = 0;
  for (const auto& [name, pool] : pools_) {
    for (const auto& [id, child] : pool->children) bytes += child->memory_bytes();
  }
  return bytes;
}

}  // namespace holdfast::daemon
