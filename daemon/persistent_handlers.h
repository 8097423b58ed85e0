// PersistentHandlers: the pools of all persistent commands. It carries out what each
// ChildPool decides, and tells the core what came of it.
//
//    PersistentHandlers handlers{loop, link, box, facts};
//    handlers.configure(settings);                  // at the start, and at each reload
//    handlers.start(std::move(start_attempt));
//    handlers.stop(event);
//    handlers.close();  while (!handlers.empty()) ...   // at the end of a drain
//
// Facts come from the loop, never from within a call.
//
// Ownership  borrows loop and link. Destroying it kills nothing.
// Threads    the loop's. Bounds  concurrency_max processes for each function.
// Failure    a process that cannot be started makes its function broken: `facts.broken`.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "daemon/api/status.h"
#include "daemon/core/effect.h"
#include "daemon/persistent_child.h"
#include "daemon/pool/child_pool.h"
#include "daemon/spawner_link.h"
#include "daemon/uv/timer.h"

namespace holdfast::daemon {

struct PersistentFacts {
  std::function<void(const core::StartAttempt&, core::AttemptReport&&)> finished;
  std::function<void(const std::string& function, const std::string& why)> broken;
  std::function<void(const std::string& function)> mended;
};

class PersistentHandlers {
 public:
  PersistentHandlers(uv::Loop& loop, SpawnerLink& link, storage::BoxTag box,
                     PersistentFacts facts);
  ~PersistentHandlers();
  PersistentHandlers(const PersistentHandlers&) = delete;
  PersistentHandlers& operator=(const PersistentHandlers&) = delete;

  // Pools come and go, grow and shrink; other commands replace all processes of theirs.
  void configure(const config::Settings& settings);

  void start(core::StartAttempt start);
  // What was given to nobody yet is reported as not started; a process is ended.
  void stop(const core::EventId& event);

  // Every process finds end of file, and the handlers are empty soon after.
  void close();
  bool empty() const { return pools_.empty(); }

  std::vector<api::PoolView> views(WallTime wall) const;
  uint64_t memory_bytes() const;

 private:
  class Pool;
  class Owner;

  void leave(Pool& pool);
  void carry_out(Pool& pool);
  void carry_out_all();
  void start_child(Pool& pool, pool::ChildId id);
  void give(Pool& pool, const pool::Give& give);
  void child_ended(Pool& pool, pool::ChildId id, std::optional<core::AttemptReport> report,
                   std::string why);
  void turn_away(core::StartAttempt start);
  void tell(std::function<void()> news);
  void tell_news();
  void tick();
  void rearm();
  TimePoint now() const;

  uv::Loop& loop_;
  SpawnerLink& link_;
  const storage::BoxTag box_;
  const PersistentFacts facts_;
  std::map<std::string, std::unique_ptr<Pool>> pools_;
  std::set<std::pair<TimePoint, std::string>> wakeups_;
  std::map<storage::Seq, std::string> functions_;  // of the attempts that were started
  std::vector<std::function<void()>> news_;        // to be told from the loop
  uv::Timer news_timer_;
  uv::Timer wakeup_;
};

}  // namespace holdfast::daemon
