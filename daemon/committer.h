// Committer: the thread that writes the database. One commit is in flight while the
// next one gathers, so a sync is shared by all that came meanwhile (group commit). Unless
// it is told to linger, it does so without a timer.
//
//    committer.add([&](Commit& next, bool fresh) { ... });
//    ...                                  // `wake` is called from its thread, then:
//    if (auto done = committer.take_done()) ...
//
// Rule    The next commit lies ready, whole, while one is in flight, and grows until it is
//         taken. The committer takes it without asking the loop.
// Reason  The way to the loop and back, two threads woken, costs a third of a sync.
//
// Rule    What was written goes back to the loop, which made it.
// Reason  Memory is freed cheaply by the thread that allocated it, and can be used again there.
//
// Rule    One commit in flight, and none after a failed one.
// Reason  Then at most the last batch of the log can be torn, and what follows a bad
//         spot tells damage from a tear (storage/rocks/wal_audit.h).
//
// Rule    A commit may be written on the loop's thread while commits are quick(). Which ones
//         are, engine.h says.
// Reason  On a slow disk the thread costs nothing beside the sync, and the loop stays free.
//
// Rule    A commit does not begin before it has gathered for the time set_linger() says,
//         from the first that was added to it on; more that is added does not put it off.
//         It begins at once when it is large, or when the Committer is destroyed.
// Reason  At a low rate each event would have syncs of its own, and flash wears out. The
//         wait is for more to come, and its end is what callers wait for.
//
// Ownership  borrows the store. Destroying it waits for the commit in flight.
// Threads    its own; all calls come from the loop.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "daemon/core/effect.h"
#include "storage/base/result.h"
#include "storage/base/time.h"
#include "storage/batch.h"
#include "storage/batch_writes.h"
#include "storage/store.h"

namespace holdfast::daemon {

struct Commit {
  core::StepSeq last;       // the highest step in it
  storage::Batch batch;
  storage::Batch counters;  // the meta rows, written behind it
  std::optional<storage::Seq> history_cutoff;  // rows below may go, once this is durable
};

struct Committed {
  core::StepSeq last;
  Result<> outcome;
  std::vector<storage::Batch> batches{};  // what was written: the loop's again
};

// What else a loop has to do can wait so long. With 0.5 ms and 16 in a row the slowest of 16
// callers waited a third longer, on a disk that syncs in 0.2 ms: most likely flushes slow a few
// commits down, and then all that follow pay for the thread as well.
inline constexpr std::chrono::microseconds kQuickCommit{2000};
inline constexpr uint32_t kQuickInARow = 4;

// Mutations of a commit from which on it does not linger: what gathers is held in memory.
inline constexpr size_t kLingeringMutationsMax = 4096;

class Committer {
 public:
  Committer(storage::Store& store, std::function<void()> wake);
  ~Committer();
  Committer(const Committer&) = delete;
  Committer& operator=(const Committer&) = delete;

  // Lets `add(Commit& next, bool fresh)` put more into the next commit: an empty one if
  // `fresh`, otherwise what was added before and has not been taken yet.
  template <class Add>
  void add(Add&& add);

  // No commit may linger, and the last kQuickInARow took less than kQuickCommit each: then at
  // most one blocks the loop for longer.
  bool quick_lately() const {
    return linger_ == Duration::zero() && quick_in_a_row_ >= kQuickInARow;
  }
  // And nothing is under way.
  bool quick() const { return !busy_ && quick_lately(); }

  // Writes it before it returns. Only while quick().
  Committed commit_here(Commit commit);

  // From now on, also for what gathers already. Zero at first: no commit lingers.
  void set_linger(Duration linger);

  // True until take_done() has told of everything that was added.
  bool busy() const { return busy_; }

  // What has become durable, or has failed, since the last call.
  std::optional<Committed> take_done();

 private:
  void run();
  Result<> timed_write(const Commit& commit);
  void linger(std::unique_lock<std::mutex>& lock);
  static bool is_large(const Commit& commit) {
    return commit.batch.mutations.size() >= kLingeringMutationsMax;
  }
  Result<> write(const Commit& commit);

  storage::Store& store_;
  const std::function<void()> wake_;
  bool busy_ = false;                        // the loop's
  std::atomic<uint32_t> quick_in_a_row_{0};  // whoever writes counts, the loop reads
  storage::BatchWrites writes_;              // of whoever writes

  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Commit> next_;
  Duration linger_{0};  // the loop alone writes it
  std::chrono::steady_clock::time_point gathers_since_;  // the next one; kept while it lingers
  bool in_flight_ = false;
  std::optional<Committed> done_;
  bool stopping_ = false;
  std::thread thread_;
};

template <class Add>
void Committer::add(Add&& add) {
  bool may_be_due;
  {
    const std::lock_guard lock{mutex_};
    const bool fresh = !next_.has_value();
    if (fresh) next_.emplace();
    if (fresh && linger_ > Duration::zero()) gathers_since_ = std::chrono::steady_clock::now();
    add(*next_, fresh);
    may_be_due = fresh || is_large(*next_);
  }
  busy_ = true;
  // Of others the committer knows that they gather.
  if (may_be_due) changed_.notify_one();
}

}  // namespace holdfast::daemon
