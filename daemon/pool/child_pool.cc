#include "daemon/pool/child_pool.h"

#include <algorithm>
#include <utility>

#include "storage/base/check.h"

namespace holdfast::pool {
namespace {

// first, twice that, ... and `most` in the end.
Duration backoff(Duration first, Duration most, uint32_t times) {
  const uint32_t doublings = std::min(times > 0 ? times - 1 : 0, 20u);
  return std::min(most, first * (int64_t{1} << doublings));
}

}  // namespace

bool ChildPool::withdrawn(Seq event) { return std::erase(queue_, event) > 0; }

void ChildPool::became_idle(Child& child, TimePoint now) {
  child.state = State::idle;
  child.idle_since = now;
  child.idle_order = ++idle_order_;
}

void ChildPool::child_ready(ChildId id, TimePoint now) {
  Child& child = children_.at(id);
  CHECK(child.state == State::starting);
  became_idle(child, now);
  probes_ = 0;
  probed_ = {};
  if (std::exchange(broken_, false)) {
    start_at_.reset();
    news_.push_back(Mended{});
  }
}

void ChildPool::child_answered(ChildId id, TimePoint now) {
  Child& child = children_.at(id);
  CHECK(child.state == State::busy);
  child.served += 1;
  served_ += 1;
  if (!child.outdated) {  // the command works
    faults_ = 0;
    probes_ = 0;
    probed_ = {};
  }
  became_idle(child, now);
  const bool full = size_.recycle_after > 0 && child.served >= size_.recycle_after;
  if (full) child.outdated = true;  // decide() lets it go
}

void ChildPool::start_not_before(TimePoint at) {
  if (!start_at_ || *start_at_ < at) start_at_ = at;
}

void ChildPool::wait_after_fault(TimePoint now) {
  faults_ += 1;
  start_not_before(now + backoff(kRestartAfter, kRestartAfterMax, faults_));
}

void ChildPool::child_ending(ChildId id, bool own_fault, TimePoint now) {
  Child& child = children_.at(id);
  if (child.state == State::ending) return;
  if (own_fault && child.state != State::starting && !child.outdated) wait_after_fault(now);
  if (own_fault && child.state == State::starting) return;  // told by its end
  child.state = State::ending;
}

void ChildPool::start_failed(ChildId id, const std::string& why, TimePoint now) {
  if (id > probed_) {
    probed_ = ChildId{last_child_};
    probes_ += 1;
    start_not_before(now + backoff(kProbeAfter, kProbeAfterMax, probes_));
  }
  start_failure_ = why;  // decide() looks whether others take what waits
}

// Those that will have another event.
bool ChildPool::any_ready() const {
  return std::any_of(children_.begin(), children_.end(), [](const auto& one) {
    const Child& child = one.second;
    return !child.outdated && (child.state == State::idle || child.state == State::busy);
  });
}

void ChildPool::child_ended(ChildId id, std::string why, TimePoint now) {
  const auto node = children_.extract(id);
  CHECK(!node.empty());
  const Child& child = node.mapped();
  if (child.state == State::starting && !child.outdated) start_failed(id, why, now);
  if (child.state == State::idle || child.state == State::busy) {
    if (child.state == State::busy) served_ += 1;
    if (!child.outdated) wait_after_fault(now);
  }
}

void ChildPool::close() {
  closed_ = true;
  if (std::exchange(broken_, false)) news_.push_back(Mended{});
}

void ChildPool::changed(PoolSize size, bool other_command) {
  size_ = size;
  closed_ = false;
  if (!other_command) return;
  for (auto& [id, child] : children_) child.outdated = true;
  faults_ = 0;
  probes_ = 0;
  probed_ = {};
  start_at_.reset();
  if (std::exchange(broken_, false)) news_.push_back(Mended{});
}

size_t ChildPool::live() const {
  return static_cast<size_t>(
      std::count_if(children_.begin(), children_.end(), [](const auto& one) {
        return one.second.state != State::ending && !one.second.outdated;
      }));
}

std::map<ChildId, ChildPool::Child>::iterator ChildPool::last_idle() {
  auto best = children_.end();
  for (auto at = children_.begin(); at != children_.end(); ++at) {
    const Child& child = at->second;
    if (child.state != State::idle || child.outdated) continue;
    if (best == children_.end() || child.idle_order > best->second.idle_order) best = at;
  }
  return best;
}

std::map<ChildId, ChildPool::Child>::iterator ChildPool::longest_idle() {
  auto best = children_.end();
  for (auto at = children_.begin(); at != children_.end(); ++at) {
    const Child& child = at->second;
    if (child.state != State::idle || child.outdated) continue;
    if (best == children_.end() || child.idle_order < best->second.idle_order) best = at;
  }
  return best;
}

void ChildPool::retire(ChildId id, std::vector<Decision>& decisions) {
  children_.at(id).state = State::ending;
  decisions.push_back(Retire{id});
}

// Before anything is given: what waits would keep all of them for ever.
void ChildPool::retire_surplus(std::vector<Decision>& decisions) {
  for (auto at = children_.rbegin(); at != children_.rend() && live() > size_.children_max; ++at) {
    const Child& child = at->second;
    if (child.state == State::starting && !child.outdated) retire(at->first, decisions);
  }
  for (auto idle = longest_idle(); idle != children_.end() && live() > size_.children_max;
       idle = longest_idle()) {
    retire(idle->first, decisions);
  }
}

std::vector<Decision> ChildPool::decide(TimePoint now) {
  std::vector<Decision> decisions;
  // One that failed long ago says nothing: then another one is started first.
  const bool start_failed = probes_ > 0 && start_at_ && *start_at_ > now;
  const bool any_wanted = !queue_.empty() || size_.children_min > 0;
  if (start_failed && any_wanted && !any_ready() && !closed_ && !std::exchange(broken_, true)) {
    news_.push_back(Broken{start_failure_});
  }
  if (closed_ || broken_) {
    for (const Seq event : std::exchange(queue_, {})) {
      // In place: of a move g++ 12 believes that it reads a string that is not there.
      news_.emplace_back(std::in_place_type<TurnAway>, TurnAway{event});
    }
  }
  for (auto& [id, child] : children_) {
    const bool goes = closed_ || child.outdated;
    if (goes && (child.state == State::idle || child.state == State::starting)) {
      retire(id, decisions);
    }
  }
  if (!closed_) {
    retire_surplus(decisions);
    for (auto idle = last_idle(); !queue_.empty() && idle != children_.end(); idle = last_idle()) {
      idle->second.state = State::busy;
      decisions.push_back(Give{idle->first, queue_.front()});
      queue_.pop_front();
    }
    start_children(decisions, now);
    for (auto idle = longest_idle();
         idle != children_.end() && live() > size_.children_min &&
         idle->second.idle_since + kIdleTimeMax <= now;
         idle = longest_idle()) {
      retire(idle->first, decisions);
    }
  }
  decisions.insert(decisions.end(), std::make_move_iterator(news_.begin()),
                   std::make_move_iterator(news_.end()));
  news_.clear();
  return decisions;
}

void ChildPool::start_children(std::vector<Decision>& decisions, TimePoint now) {
  const PoolCounts counts = this->counts();
  size_t wanted = std::max<size_t>(size_.children_min, counts.busy + queue_.size());
  if (broken_) wanted = 1;  // to see whether it is mended
  if (start_at_ && *start_at_ <= now) start_at_.reset();
  if (start_at_) return;
  while (live() < wanted && children_.size() < size_.children_max) {
    const ChildId id{++last_child_};
    children_.emplace(id, Child{});
    decisions.push_back(StartChild{id});
  }
}

PoolCounts ChildPool::counts() const {
  PoolCounts counts;
  for (const auto& [id, child] : children_) {
    switch (child.state) {
      case State::starting: counts.starting += 1; break;
      case State::idle: counts.idle += 1; break;
      case State::busy: counts.busy += 1; break;
      case State::ending: counts.ending += 1; break;
    }
  }
  return counts;
}

std::optional<TimePoint> ChildPool::next_wakeup() const {
  if (!news_.empty()) return TimePoint{};
  std::optional<TimePoint> at;
  if (!closed_ && start_at_) at = start_at_;
  if (closed_ || live() <= size_.children_min) return at;
  for (const auto& [id, child] : children_) {
    if (child.state != State::idle) continue;
    const TimePoint ends = child.idle_since + kIdleTimeMax;
    if (!at || ends < *at) at = ends;
  }
  return at;
}

}  // namespace holdfast::pool
