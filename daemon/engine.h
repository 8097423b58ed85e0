// Engine: the core with its disk. It feeds facts to the core, gathers the steps into
// commits, and lets effects out when their step is durable.
//
//    engine.submit(std::move(submission), engine.moment());
//    engine.absorb(engine.core().cancel_requested(ticket, event, engine.moment()));
//    ...
//    engine.turn_over();  // once per turn, before the loop blocks
//    ...                  // what it let out leaves
//    engine.commit_few();
//
// Rule    Few steps wait until nobody else is ready, and until those who have just been
//         answered had a turn to come again. Then the loop's thread commits them all, as
//         long as commits are quick (committer.h). Many, and what has waited for
//         kGatherMax, are the committer's.
// Reason  The callers of a commit ask again when it is through. Whoever begins the next one
//         without them makes two groups take turns, each waiting for two syncs. And waking
//         two threads takes half as long as a sync on a fast disk. Of many callers the loop
//         has enough to do during a sync: there the committer's thread pays.
//
// What touches the disk it does itself (reads through the reader, answers back to the
// core); the rest goes to the World.
//
// Ownership  borrows loop and store. Its threads end with it.
// Threads    the loop's.
// Failure    a failed commit, or a failed read, is told once by world.storage_failed;
//            no effect leaves after that, and the daemon must stop (promise 8).
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <optional>

#include "daemon/clock.h"
#include "daemon/committer.h"
#include "daemon/core/lifecycle.h"
#include "daemon/core/payload_memory.h"
#include "daemon/effect_gate.h"
#include "daemon/reader.h"
#include "daemon/uv/async.h"
#include "daemon/uv/loop.h"
#include "daemon/uv/timer.h"

namespace holdfast::daemon {

struct World {
  std::function<void(core::Reply&&)> reply;
  std::function<void(core::StartAttempt&&)> start_attempt;
  std::function<void(const core::StopAttempt&)> stop_attempt;
  std::function<void(const core::CloseWorker&)> close_worker;
  std::function<void(const core::ViewEvent&)> view_event;
  std::function<void(const Error&)> storage_failed;
};

// What has gathered is few while it is below both. More takes the loop longer than a sync of
// 0.12 ms, and is better off while somebody else syncs. Most steps with mutations are a
// caller's, with his request and his answer; a mutation is a row. Measured, bounds of 12, 24,
// 48 and 200 steps with 24, 36, 72 and 400 rows: half of it is slower by a fifth with 32
// callers and as fast with all others, a quarter by a third with 16; four times as much makes
// the slowest of 64 callers wait a quarter longer.
inline constexpr size_t kFewSteps = 48;
inline constexpr size_t kFewMutations = 72;

// How long few wait. There may always be somebody who is ready and has nothing to commit.
inline constexpr std::chrono::milliseconds kGatherMax{1};

class Engine {
 public:
  Engine(uv::Loop& loop, storage::Store& store, core::Lifecycle& core, Clock clock, World world);
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  core::Lifecycle& core() { return core_; }
  const core::Lifecycle& core() const { return core_; }
  Moment moment();

  // The fact of a submission, with what the store knows of its key without the disk.
  void submit(core::Submission submission, const Moment& now);

  // Takes what a fact made the core produce.
  void absorb(core::Step step);

  // Adds what has gathered to the next commit, unless it is few; lets out what rests on
  // durable steps only; arms the timer for the core's next wakeup.
  void turn_over();

  // After that, when what it let out has left. True if it has committed, and so let out
  // more.
  bool commit_few();

  // Asks the disk for somebody else: `read` runs on the reader's thread, `then` on the
  // loop's with its value. A failed read stops the daemon like a failed commit.
  template <class Read, class Then>
  void ask(Read read, Then then);

  // Runs it when all that has been decided so far is durable: for answers out of memory.
  void when_durable(std::function<void()> then);

  // How long a commit waits for more before it begins (committer.h). Zero at first.
  void set_commit_linger(Duration linger) { committer_.set_linger(linger); }

  // Of events that came in, are durable and not held here any more.
  core::PayloadMemory& payloads() { return payloads_; }

  const storage::Store& store() const { return store_; }

  // Nothing to commit, nothing in flight, nothing held back.
  bool settled() const;
  std::optional<WallTime> last_sync() const { return last_sync_; }

 private:
  void fill(Commit& next, bool fresh);
  void hand_over();
  void commit_here();
  bool few() const;
  void durable(Committed done);
  void take_back(const std::vector<storage::Batch>& batches);
  void perform(core::Effect&& effect);
  void let_out(core::StepSeq watermark);
  void look_up(const storage::KeyHash& hash);
  void load_dead_letters(const core::LoadDeadLetters& load);
  void load_messages(const core::LoadMessages& load);
  void commits_done();
  void reads_done();
  void fail(const Error& error);
  void arm_timer();

  uv::Loop& loop_;
  storage::Store& store_;
  core::Lifecycle& core_;
  Clock clock_;
  World world_;

  EffectGate gate_;
  std::deque<std::pair<core::StepSeq, std::function<void()>>> waiting_;
  storage::Batch gathering_;
  size_t gathered_steps_ = 0;  // those with a mutation in it
  std::chrono::steady_clock::time_point gathers_since_;  // the first of it
  bool answered_ = false;  // something was let out since the last commit_few()
  core::StepSeq last_step_{0};
  std::optional<storage::Seq> history_cutoff_;
  bool failed_ = false;
  std::optional<WallTime> last_sync_;
  core::PayloadMemory payloads_;

  uv::Async commit_done_;
  uv::Async read_done_;
  uv::Timer wakeup_;
  Committer committer_;
  Reader reader_;
};

template <class Read, class Then>
void Engine::ask(Read read, Then then) {
  reader_.ask([this, read = std::move(read), then = std::move(then)]() -> Reader::Answer {
    // Shared, because an Answer must be copyable and what was read need not be.
    auto result = std::make_shared<decltype(read())>(read());
    return [this, result, then] {
      if (!*result) {
        fail(result->error());
      } else {
        then(std::move(**result));
      }
    };
  });
}

}  // namespace holdfast::daemon
