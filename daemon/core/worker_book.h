// WorkerBook: the workers that are attached, and what each of them runs.
//
//    book.attach(worker, function, 4);
//    if (const auto next = book.pick(function)) book.take(*next, seq);
//
// Rule    The worker with the fewest attempts is next, of equals the one that has waited
//         longest.
// Reason  Workers are as fast as each other until they show otherwise, and then the slow
//         one has more of them.
//
// Cost     logarithmic in the workers of a function.
// Threads  the loop's. Failure  CHECK.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>

#include "daemon/core/effect.h"

namespace holdfast::core {

struct Worker {
  FunctionId function;
  uint32_t concurrency = 1;
  std::set<Seq> attempts;
  bool detaching = false;  // gets nothing more
  uint64_t turn = 0;       // when it took its last one
};

class WorkerBook {
 public:
  void attach(WorkerId id, FunctionId function, uint32_t concurrency);
  void detach(WorkerId id);
  // With all that it ran.
  Worker remove(WorkerId id);

  // The next with room, or nothing.
  std::optional<WorkerId> pick(FunctionId function) const;
  // Also beyond its concurrency: what it had before a restart.
  void take(WorkerId id, Seq attempt);
  void give_back(WorkerId id, Seq attempt);

  const Worker* find(WorkerId id) const;
  const std::map<WorkerId, Worker>& all() const { return workers_; }
  // Attempts that workers of the function could take more, and how many workers it has.
  uint32_t free(FunctionId function) const;
  size_t attached(FunctionId function) const;

  void verify() const;

 private:
  struct Place {
    size_t running;
    uint64_t turn;
    WorkerId id;
    auto operator<=>(const Place&) const = default;
  };
  struct Team {
    std::set<Place> with_room;
    uint32_t free = 0;
    size_t attached = 0;
  };

  static uint32_t room(const Worker& worker);
  void leave(WorkerId id, const Worker& worker);
  void enter(WorkerId id, const Worker& worker);

  std::map<WorkerId, Worker> workers_;
  std::map<FunctionId, Team> teams_;
  uint64_t turns_ = 0;
};

}  // namespace holdfast::core
