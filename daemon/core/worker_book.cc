#include "daemon/core/worker_book.h"

#include <utility>

#include "storage/base/check.h"

namespace holdfast::core {

uint32_t WorkerBook::room(const Worker& worker) {
  if (worker.detaching || worker.attempts.size() >= worker.concurrency) return 0;
  return worker.concurrency - static_cast<uint32_t>(worker.attempts.size());
}

// Out of its team's order while it changes, and in again.
void WorkerBook::leave(WorkerId id, const Worker& worker) {
  Team& team = teams_.at(worker.function);
  team.free -= room(worker);
  team.with_room.erase({worker.attempts.size(), worker.turn, id});
}

void WorkerBook::enter(WorkerId id, const Worker& worker) {
  if (room(worker) == 0) return;
  Team& team = teams_.at(worker.function);
  team.free += room(worker);
  team.with_room.insert({worker.attempts.size(), worker.turn, id});
}

void WorkerBook::attach(WorkerId id, FunctionId function, uint32_t concurrency) {
  CHECK(concurrency > 0);
  const auto [at, added] = workers_.emplace(id, Worker{function, concurrency, {}, false, ++turns_});
  CHECK(added);
  teams_[function].attached += 1;
  enter(id, at->second);
}

void WorkerBook::detach(WorkerId id) {
  Worker& worker = workers_.at(id);
  if (worker.detaching) return;
  leave(id, worker);
  worker.detaching = true;
  teams_.at(worker.function).attached -= 1;
}

Worker WorkerBook::remove(WorkerId id) {
  detach(id);
  auto node = workers_.extract(id);
  return std::move(node.mapped());
}

std::optional<WorkerId> WorkerBook::pick(FunctionId function) const {
  const auto team = teams_.find(function);
  if (team == teams_.end() || team->second.with_room.empty()) return std::nullopt;
  return team->second.with_room.begin()->id;
}

void WorkerBook::take(WorkerId id, Seq attempt) {
  Worker& worker = workers_.at(id);
  leave(id, worker);
  const bool added = worker.attempts.insert(attempt).second;
  CHECK(added);
  worker.turn = ++turns_;
  enter(id, worker);
}

void WorkerBook::give_back(WorkerId id, Seq attempt) {
  const auto at = workers_.find(id);
  if (at == workers_.end()) return;  // it was removed, with all it had
  Worker& worker = at->second;
  leave(id, worker);
  const size_t erased = worker.attempts.erase(attempt);
  CHECK(erased == 1);
  enter(id, worker);
}

const Worker* WorkerBook::find(WorkerId id) const {
  const auto at = workers_.find(id);
  return at == workers_.end() ? nullptr : &at->second;
}

uint32_t WorkerBook::free(FunctionId function) const {
  const auto team = teams_.find(function);
  return team == teams_.end() ? 0 : team->second.free;
}

size_t WorkerBook::attached(FunctionId function) const {
  const auto team = teams_.find(function);
  return team == teams_.end() ? 0 : team->second.attached;
}

void WorkerBook::verify() const {
  std::map<FunctionId, uint32_t> free;
  std::map<FunctionId, size_t> attached;
  for (const auto& [id, worker] : workers_) {
    free[worker.function] += room(worker);
    attached[worker.function] += worker.detaching ? 0 : 1;
    const auto& order = teams_.at(worker.function).with_room;
    CHECK(order.contains({worker.attempts.size(), worker.turn, id}) == (room(worker) > 0));
  }
  for (const auto& [function, team] : teams_) {
    CHECK(team.free == free[function]);
    CHECK(team.attached == attached[function]);
  }
}

}  // namespace holdfast::core
