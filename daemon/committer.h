// Committer: the thread that writes the database. One commit is in flight while the
// next one gathers, so a sync is shared by all that came meanwhile (group commit),
// without a timer.
//
//    committer.add([&](Commit& next, bool fresh) { ... });
//    ...                                  // `wake` is called from its thread, then:
//    if (auto done = committer.take_done()) ...
//
// Rule    The next commit lies ready, whole, while one is in flight, and grows until it is
//         taken. The committer takes it without asking the loop.
// Reason  The way to the loop and back, two threads woken, costs a third of a sync.
//
// Rule    One commit in flight, and none after a failed one.
// Reason  Then at most the last batch of the log can be torn, and what follows a bad
//         spot tells damage from a tear (storage/rocks/wal_audit.h).
//
// Rule    A step that comes alone may be written on the loop's thread, as long as commits
//         are quick().
// Reason  Waking two threads takes half as long as a sync on a fast disk, and nobody is
//         there to use the loop meanwhile. On a slow disk the thread costs nothing, and
//         the loop stays free.
//
// Ownership  borrows the store. Destroying it waits for the commit in flight.
// Threads    its own; all calls come from the loop.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "daemon/core/effect.h"
#include "storage/base/result.h"
#include "storage/batch.h"
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
};

inline constexpr std::chrono::microseconds kQuickCommit{500};
inline constexpr uint32_t kQuickInARow = 16;

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

  // Nothing is under way, and the last kQuickInARow commits took less than kQuickCommit
  // each: then at most one sync blocks the loop for longer.
  bool quick() const { return !busy_ && quick_in_a_row_ >= kQuickInARow; }

  // Writes it before it returns. Only while quick().
  Committed commit_here(Commit commit);

  // True until take_done() has told of everything that was added.
  bool busy() const { return busy_; }

  // What has become durable, or has failed, since the last call.
  std::optional<Committed> take_done();

 private:
  void run();
  Result<> timed_write(const Commit& commit);
  Result<> write(const Commit& commit);

  storage::Store& store_;
  const std::function<void()> wake_;
  bool busy_ = false;            // the loop's
  uint32_t quick_in_a_row_ = 0;  // whoever writes counts; the loop reads it when nobody does

  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Commit> next_;
  bool in_flight_ = false;
  std::optional<Committed> done_;
  bool stopping_ = false;
  std::thread thread_;
};

template <class Add>
void Committer::add(Add&& add) {
  {
    const std::lock_guard lock{mutex_};
    const bool fresh = !next_.has_value();
    if (fresh) next_.emplace();
    add(*next_, fresh);
  }
  busy_ = true;
  changed_.notify_one();
}

}  // namespace holdfast::daemon
