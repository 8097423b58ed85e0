// Simulation: a whole life of the daemon, rolled from one seed. Clients, handlers,
// disk, clocks and crashes are simulated; the core and the records are the real ones.
//
// First the plan's troubles happen, in random order (safety: nothing may ever be
// wrong). Then they stop, and everything must drain within a bound (liveness).
//
//    const Outcome outcome = Simulation{seed}.run();
//    // outcome.complaints is empty, outcome.trace the same each time
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tests/sim/plan.h"
#include "tests/sim/queue_model.h"
#include "tests/sim/witness.h"
#include "tests/support/world.h"

namespace holdfast::sim {

struct Outcome {
  uint64_t trace = 0;
  std::vector<std::string> complaints;
  uint64_t steps = 0;
  size_t events = 0;
  size_t endings = 0;
  uint32_t crashes = 0;
};

class Simulation {
 public:
  explicit Simulation(uint64_t seed);
  // On a disk that may fail, too.
  Simulation(Random random, Plan (*roll)(Random&), std::shared_ptr<test::Disk> disk);
  Outcome run();
  // These moves instead of the plan's, each followed by all that it leads to; then as run().
  Outcome follow(std::span<const Move> script);

 private:
  // A request whose answer has not come.
  struct Asked {
    enum class Kind : uint8_t {
      submit, cancel, await, dead_letters, send, receive, remove, worker
    };
    Kind kind;
    test::HistoryChecker::Request request = 0;
    core::DeadLettersRequest dead_letters;
    std::string body;
    storage::MessageKey receipt;
  };

  // simulation.cc
  void move();
  void make_move(Move kind);
  Outcome conclude();
  void commit_move();
  void read_move();
  void time_move();
  void crash(std::optional<test::World::Darkness> darkness);
  void start(std::optional<test::World::Darkness> darkness = std::nullopt);
  bool hopeless() const { return !world_.alive() || !witness_.faultless(); }
  void drain();
  void reload();
  void heal();
  void finish_all_handlers();
  bool wants_room();
  void make_room();
  void audit_all();
  uint64_t living();
  void check_store(const storage::Store& store, const std::string& when);

  // clients.cc
  void submit(storage::InvocationType type, const std::string& key);
  void repeat_key();
  void burst();
  void cancel();
  void await();
  void redrive();
  void use_queue();
  void finish_handler();
  void outdated_report();
  void answered(test::Ticket ticket, const core::Answer& answer);
  void submit_answered(const Asked& asked, const core::Answer& answer);
  void queue_answered(const Asked& asked, const core::Answer& answer);
  void forget_callers();
  void ask(test::Ticket ticket, Asked asked) { asked_.emplace(ticket, std::move(asked)); }
  core::Outcome roll_outcome(const test::Handler& handler);
  std::string pick_function() { return function_name(pick(plan_.functions)); }
  uint32_t pick(size_t count) { return static_cast<uint32_t>(random_.up_to(count - 1)); }
  void remember(const storage::EventId& id);
  int64_t now() const { return to_ms(world_.moment().lit); }

  // workers.cc
  void turn_command();
  void attach_worker();
  void answer_as_worker();
  void answer_for(test::WorkerNumber worker, const storage::EventId& id);
  void lose_worker();
  void odd_worker();
  void answer_all_as_workers(bool calls_only);
  void heal_workers();
  bool workers_hold_something() const;
  std::vector<test::WorkerNumber> attached_workers() const;
  std::set<std::string> held_by_workers() const;
  void ask_worker(test::Ticket ticket);

  Random random_;
  Plan plan_;
  std::vector<uint32_t> weights_;
  Witness witness_;
  std::shared_ptr<test::Disk> disk_;
  test::World world_;
  QueueModel queue_model_;
  std::map<test::Ticket, Asked> asked_;
  std::deque<storage::EventId> recent_;
  std::deque<std::pair<storage::EventId, storage::AttemptNumber>> old_attempts_;
  std::deque<storage::MessageKey> receipts_;
  uint64_t payloads_ = 0;
  uint32_t crashes_ = 0;
  bool faults_ = true;
};

}  // namespace holdfast::sim
