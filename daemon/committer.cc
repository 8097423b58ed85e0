#include "daemon/committer.h"

#include <algorithm>
#include <utility>

#include "storage/base/check.h"
#include "storage/base/crash_point.h"
#include "storage/keys.h"

namespace holdfast::daemon {

Committer::Committer(storage::Store& store, std::function<void()> wake)
    : store_(store), wake_(std::move(wake)), thread_([this] { run(); }) {}

Committer::~Committer() {
  {
    const std::lock_guard lock{mutex_};
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

std::optional<Committed> Committer::take_done() {
  const std::lock_guard lock{mutex_};
  std::optional<Committed> done = std::exchange(done_, std::nullopt);
  if (done) busy_ = next_ || in_flight_;
  return done;
}

void Committer::set_linger(Duration linger) {
  {
    const std::lock_guard lock{mutex_};
    linger_ = linger;
  }
  changed_.notify_one();
}

void Committer::run() {
  std::unique_lock lock{mutex_};
  while (true) {
    changed_.wait(lock, [this] { return next_ || stopping_; });
    if (!next_) return;
    if (linger_ > Duration::zero()) linger(lock);
    Commit commit = std::move(*next_);
    next_.reset();
    in_flight_ = true;
    lock.unlock();
    Result<> outcome = timed_write(commit);
    const bool failed = !outcome;
    lock.lock();
    in_flight_ = false;
    // Nobody may have asked for the one before yet: the later one covers it.
    std::vector<storage::Batch> batches;
    if (done_) batches = std::move(done_->batches);
    batches.push_back(std::move(commit.batch));
    done_.emplace(Committed{commit.last, std::move(outcome), std::move(batches)});
    wake_();
    if (failed) return;
  }
}

Committed Committer::commit_here(Commit commit) {
  CHECK(quick());
  Committed done{commit.last, timed_write(commit)};
  done.batches.push_back(std::move(commit.batch));
  return done;
}

Result<> Committer::timed_write(const Commit& commit) {
  const auto began = std::chrono::steady_clock::now();
  Result<> outcome = write(commit);
  const bool quick = std::chrono::steady_clock::now() - began < kQuickCommit;
  quick_in_a_row_ = quick ? std::min(quick_in_a_row_.load() + 1, kQuickInARow) : 0;
  return outcome;
}

void Committer::linger(std::unique_lock<std::mutex>& lock) {
  while (!stopping_ && !is_large(*next_)) {
    const auto due = gathers_since_ + linger_;  // anew each time: linger_ may have changed
    if (std::chrono::steady_clock::now() >= due) return;
    changed_.wait_until(lock, due);
  }
}

Result<> Committer::write(const Commit& commit) {
  writes_.add(commit.batch);
  writes_.add(commit.counters);
  crash_point("before_wal_sync");
  const Result<> written = store_.commit(writes_.all());
  writes_.clear();
  if (!written) return written;
  crash_point("after_wal_sync");
  if (!commit.history_cutoff) return ok();
  const Result<> dropped = store_.drop_below(storage::Family::history,
                                             storage::history_key(*commit.history_cutoff));
  crash_point("after_history_drop");
  return dropped;
}

}  // namespace holdfast::daemon
