// World: the real core between a simulated shell and a simulated disk, on one thread.
//
// It does what the daemon's loop, committer and reader do: gathers steps into commits
// (one in flight, the rest gathers in the next), holds effects behind the durable
// watermark, answers the core's reads from the store, and keeps three clocks. Nothing
// moves by itself: each small move is a call, so that a test or a seed chooses the
// order of everything.
//
//    World world{settings};
//    Ticket ticket = world.submit({.function = "resize", .payload = "cat"});
//    EXPECT_FALSE(world.answered(ticket));   // not durable yet
//    world.settle();                         // commits and reads, until nothing moves
//    EXPECT_EQ(world.accepted(ticket).value(), world.handlers().begin()->first);
//
// Ownership  it owns the core, and the disk if it was given none. Threads  one.
// Failure    CHECK, but for what a disk does: a World whose disk has failed() can only
//            crash().
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "daemon/core/lifecycle.h"
#include "daemon/effect_gate.h"
#include "storage/views.h"
#include "tests/support/disk.h"

namespace holdfast::test {

using core::Ticket;
using storage::AttemptNumber;
using storage::EventId;

// What the reader does, one queue per kind; a lookup of a key is the last kind.
using Read = std::variant<core::LoadFreshPage, core::LoadDuePage, core::LoadEvent,
                          core::LoadExpiredKeys, core::LoadDeadLetters, core::LoadMessagePage,
                          core::LoadMessages, core::ViewEvent, storage::KeyHash>;
inline constexpr size_t kReadKinds = std::variant_size_v<Read>;

struct Handler {
  core::StartAttempt start;
  WallTime started_wall;
  bool stop_asked = false;
  UpPoint until{};  // of a worker: then its time is over
};

// A program that attaches as a worker: it outlives the daemon, and keeps to the protocol
// unless it is told otherwise. What it held goes when it has lost its connection, unless a
// crash of the daemon was the cause and it may still come back.
struct WorkerProgram {
  std::string function;
  uint32_t concurrency = 1;
  std::optional<core::WorkerId> attached;  // as it believes
  std::map<EventId, Handler> held;
  bool slow = false;                      // reads nothing: what comes waits with the daemon
  std::deque<core::StartAttempt> unread;  // that
};
using WorkerNumber = size_t;

// What an observer is told, in the order in which it happens.
struct Hooks {
  std::function<void(const core::Step&)> on_step;             // as the core made it
  std::function<void(const storage::Batch&)> on_durable;      // a whole commit
  std::function<void(const core::StartAttempt&)> on_start;    // left the gate
  std::function<void(Ticket, const core::Answer&)> on_reply;  // left the gate
  // A worker drops an attempt without an answer.
  std::function<void(const core::StartAttempt&)> on_dropped;
  // A worker came back in time, and was told that an attempt is not its any more.
  std::function<void(const core::StartAttempt&)> on_taken_away;
  // A start has opened the store and done nothing yet. The sentence is not empty when
  // the disk has lost what was durable, or has what nobody wrote.
  std::function<void(const storage::Store&, const std::string& wrong)> on_opened;
};

class World {
 public:
  enum class InFlight : uint8_t { lost, kept };
  // A power cut: how long it was dark, and whether the date is known afterwards.
  struct Darkness {
    Duration dark{0};
    bool date_known = true;
  };

  explicit World(config::Settings settings, uint64_t seed = 1, Hooks hooks = {},
                 std::shared_ptr<Disk> disk = std::make_shared<MemoryDisk>());

  // --- clocks
  Moment moment() const { return moment_; }
  void advance(Duration time);              // all three
  void step_wall(Duration time);            // somebody sets the date
  void pass_dark_time(Duration time);       // the core's clock jumps, the lit one does not

  // --- life and death of the daemon
  // `in_flight` is for a commit that has begun and not reached the store; what a store
  // does with one that it was writing is the disk's affair.
  void crash(InFlight in_flight);
  // False if the disk failed again: the world is as dead as before.
  bool boot(std::optional<Darkness> darkness = std::nullopt);
  bool alive() const { return lifecycle_ != nullptr; }
  bool failed() const { return commit_failed_ || disk_->failed(); }
  void reload(config::Settings settings);
  const config::Settings& settings() const { return settings_; }

  // --- clients
  Ticket submit(core::Submission submission);
  // From now on one key of so many is found in memory, and needs no lookup. 0: none is.
  void cache_keys(uint64_t one_in) { keys_cached_one_in_ = one_in; }
  Ticket cancel(const EventId& id);
  Ticket await(const EventId& id, Duration wait);
  Ticket dead_letters(core::DeadLettersRequest request);
  Ticket send(const std::string& queue, std::string body, Duration delay = Duration{0});
  Ticket receive(const std::string& queue, uint32_t messages_max,
                 std::optional<Duration> visibility_timeout = std::nullopt);
  Ticket remove(const storage::MessageKey& receipt);

  // --- handlers
  const std::map<EventId, Handler>& handlers() const { return handlers_; }
  void finish(const EventId& id, core::Outcome outcome);
  // A report of no handler that runs now: an outdated one.
  void report(const EventId& id, AttemptNumber attempt, core::Outcome outcome);

  // A persistent command does not start any more, or does again.
  void break_command(const std::string& function);
  void mend_command(const std::string& function);
  const std::set<std::string>& broken_commands() const { return broken_commands_; }

  // --- workers (world_workers.cc)
  const std::map<WorkerNumber, WorkerProgram>& workers() const { return workers_; }
  WorkerNumber add_worker(const std::string& function, uint32_t concurrency);
  Ticket attach(WorkerNumber worker);  // names all it still holds
  Ticket detach(WorkerNumber worker);
  void lose(WorkerNumber worker);  // its connection
  void set_slow(WorkerNumber worker, bool slow);
  Ticket answer(WorkerNumber worker, const EventId& id, core::Outcome outcome);
  Ticket heartbeat(WorkerNumber worker, const EventId& id);
  // Words about an attempt that it need not have.
  Ticket say(WorkerNumber worker, const EventId& id, AttemptNumber attempt,
             core::Outcome outcome);

  // --- time, drain
  void tick();
  void tick_if_due();
  void drain();
  void drain_expired();
  // Stays measured so, also across a crash.
  void space_measured(uint64_t free_bytes) {
    free_bytes_ = free_bytes;
    core().space_measured(free_bytes);
  }
  uint64_t free_bytes() const { return free_bytes_; }

  // --- the committer: begin, then the disk has it, then the loop hears of it
  bool may_begin_commit() const;
  void begin_commit();
  bool may_apply_commit() const { return commit_ && !commit_->applied && !commit_failed_; }
  void apply_commit();
  bool may_notice_commit() const { return commit_ && commit_->applied; }
  void notice_commit();

  // --- the reader: a read sees the disk when it is performed, and is a fact later
  bool may_perform_read(size_t kind) const;
  void perform_read(size_t kind);
  bool may_deliver_read(size_t kind) const;
  void deliver_read(size_t kind);

  // Commits and reads until neither has anything to do. Handlers stay as they are.
  void settle();
  bool quiet() const;

  // --- answers
  bool answered(Ticket ticket) const { return answers_.contains(ticket); }
  const core::Answer& answer(Ticket ticket) const { return answers_.at(ticket); }
  template <class Kind>
  const Kind* answer_as(Ticket ticket) const {
    auto at = answers_.find(ticket);
    return at == answers_.end() ? nullptr : std::get_if<Kind>(&at->second);
  }
  std::optional<EventId> accepted(Ticket ticket) const;
  const std::optional<storage::EventView>* viewed(Ticket ticket) const;
  // Forgets everything answered so far.
  void forget_answers();

  core::Lifecycle& core() {
    CHECK(lifecycle_ != nullptr);
    return *lifecycle_;
  }
  const storage::Store& store() const {
    CHECK(store_ != nullptr);
    return *store_;
  }
  const storage::MemoryStore& memory() const {
    return dynamic_cast<const MemoryDisk&>(*disk_).store();
  }
  core::StepSeq watermark() const { return watermark_; }
  Random& random() { return random_; }
  // verify() after every n-th step.
  void verify_every(uint32_t steps) { verify_interval_ = steps; }
  uint64_t steps() const { return steps_; }

 private:
  struct Commit {
    storage::Batch batch;
    core::StepSeq watermark;
    bool empty = false;
    bool applied = false;
  };
  struct QueuedRead {
    Read read;
    std::function<void()> deliver;  // empty: not performed yet
  };

  std::string judge_recovered(uint64_t batch_number, bool& in_doubt_kept) const;
  void enlighten(const storage::StateRecord& state, const Darkness& darkness);
  void take(core::Step step);
  void seal();
  void release(core::Effect effect);
  void start(core::StartAttempt start);
  void push(core::StartAttempt start);
  void push(const core::StopAttempt& stop);
  void deliver(WorkerProgram& worker, core::StartAttempt start);
  void close(core::WorkerId id);
  void tell_news();
  void disconnect(WorkerProgram& worker);
  void worker_attached(const core::Attached& attached);
  void daemon_gone();
  void give_up_adrift();
  WorkerProgram* worker_of(core::WorkerId id);
  void reply(Ticket ticket, core::Answer answer);
  std::function<void()> perform(const Read& read);
  Ticket next_ticket() { return Ticket{++last_ticket_}; }
  storage::QueueId queue_id(const std::string& name) const;

  config::Settings settings_;
  Random random_;
  uint64_t keys_cached_one_in_ = 0;
  Hooks hooks_;
  std::shared_ptr<Disk> disk_;
  storage::Store* store_ = nullptr;
  std::unique_ptr<core::Lifecycle> lifecycle_;
  Moment moment_;
  uint64_t free_bytes_ = UINT64_MAX;
  uint64_t last_ticket_ = 0;
  uint64_t steps_ = 0;
  uint32_t verify_interval_ = 1;

  // What the disk must have after any crash, and may have.
  uint64_t durable_batch_number_ = 0;
  std::optional<storage::Batch> in_doubt_;

  // Of one life of the daemon; a crash empties all of it.
  bool commit_failed_ = false;
  storage::Batch gathering_;
  storage::Batch counters_;  // of a commit that was sealed before all of it was there
  std::optional<core::StepSeq> gathered_to_;
  std::optional<Commit> commit_;
  core::StepSeq watermark_;
  daemon::EffectGate gate_;
  std::array<std::deque<QueuedRead>, kReadKinds> reads_;
  std::map<EventId, Handler> handlers_;
  std::set<std::string> broken_commands_;
  std::deque<std::function<void()>> news_;  // what the core is told after the effects

  std::map<Ticket, core::Answer> answers_;
  std::map<Ticket, std::optional<storage::EventView>> views_;

  std::map<WorkerNumber, WorkerProgram> workers_;  // no crash of the daemon empties this
  std::map<Ticket, WorkerNumber> attaching_;
  uint64_t last_worker_id_ = 0;
  UpPoint booted_at_;
};

}  // namespace holdfast::test
