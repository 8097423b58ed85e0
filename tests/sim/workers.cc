// The simulated workers and persistent commands: they break, attach, answer, vanish, and
// come back after a crash.
#include <algorithm>

#include "tests/sim/simulation.h"

namespace holdfast::sim {

using storage::EventId;
using test::HistoryChecker;
using test::WorkerNumber;

namespace {
constexpr size_t kWorkersMax = 6;
}  // namespace

std::vector<WorkerNumber> Simulation::attached_workers() const {
  std::vector<WorkerNumber> attached;
  for (const auto& [number, worker] : world_.workers()) {
    if (worker.attached) attached.push_back(number);
  }
  return attached;
}

std::set<std::string> Simulation::held_by_workers() const {
  std::set<std::string> held;
  for (const auto& [number, worker] : world_.workers()) {
    for (const auto& [id, handler] : worker.held) held.insert(name_of(id));
  }
  return held;
}

bool Simulation::workers_hold_something() const { return !held_by_workers().empty(); }

void Simulation::ask_worker(test::Ticket ticket) {
  Asked asked{};
  asked.kind = Asked::Kind::worker;
  ask(ticket, asked);
}

void Simulation::turn_command() {
  const std::string name = pick_function();
  if (!plan_.settings.functions.at(name).is_persistent()) return;
  if (world_.broken_commands().contains(name)) return world_.mend_command(name);
  world_.break_command(name);
}

void Simulation::attach_worker() {
  std::vector<WorkerNumber> waiting;
  for (const auto& [number, worker] : world_.workers()) {
    if (!worker.attached) waiting.push_back(number);
  }
  if (!waiting.empty() && random_.chance(75)) {
    ask_worker(world_.attach(waiting[pick(waiting.size())]));
  } else if (world_.workers().size() < kWorkersMax) {
    const uint32_t concurrency = 1 + pick(4);
    ask_worker(world_.attach(world_.add_worker(pick_function(), concurrency)));
  }
}

void Simulation::answer_as_worker() {
  std::vector<std::pair<WorkerNumber, EventId>> held;
  for (const auto& [number, worker] : world_.workers()) {
    if (!worker.attached) continue;
    for (const auto& [id, handler] : worker.held) held.emplace_back(number, id);
  }
  if (held.empty()) return;
  const auto [number, id] = held[pick(held.size())];
  const test::Handler& handler = world_.workers().at(number).held.at(id);
  if (faults_ && random_.chance(plan_.hanging_percent)) {
    world_.advance(handler.start.settings->timeout);
    return world_.tick_if_due();  // it may have lost its connection by that
  }
  answer_for(number, id);
}

void Simulation::answer_for(WorkerNumber number, const EventId& id) {
  const test::Handler& handler = world_.workers().at(number).held.at(id);
  core::Outcome outcome = core::Succeeded{"\"done\""};
  auto ended = HistoryChecker::Ended::succeeded;
  if (faults_ && random_.chance(plan_.failing_percent)) {
    ended = HistoryChecker::Ended::failed;
    outcome = core::Failed{"Oops", "it did not work"};
    if (random_.chance(20)) {
      outcome = core::Succeeded{std::string(handler.start.settings->result_bytes_max + 1, 'x')};
    }
  }
  const core::AttemptNumber attempt = handler.start.attempt;
  witness_.checker().attempt_ended(name_of(id), attempt.value, ended);
  old_attempts_.emplace_back(id, attempt);
  ask_worker(world_.answer(number, id, std::move(outcome)));
}

void Simulation::lose_worker() {
  const std::vector<WorkerNumber> attached = attached_workers();
  if (!attached.empty()) world_.lose(attached[pick(attached.size())]);
}

void Simulation::odd_worker() {
  const std::vector<WorkerNumber> attached = attached_workers();
  if (attached.empty()) return;
  const WorkerNumber number = attached[pick(attached.size())];
  const auto& held = world_.workers().at(number).held;
  switch (random_.up_to(4)) {
    case 4:
      return world_.set_slow(number, !world_.workers().at(number).slow);
    case 0:
      if (!held.empty()) ask_worker(world_.heartbeat(number, held.begin()->first));
      return;
    case 1: return ask_worker(world_.detach(number));
    case 2: {  // of an attempt that another has
      for (const auto& [other, worker] : world_.workers()) {
        if (other == number || worker.held.empty()) continue;
        const auto& [id, handler] = *worker.held.begin();
        return ask_worker(
            world_.say(number, id, handler.start.attempt, core::Succeeded{"foreign"}));
      }
      return;
    }
    default: {
      if (old_attempts_.empty()) return;
      const auto [id, attempt] = old_attempts_[pick(old_attempts_.size())];
      if (held.contains(id) && held.at(id).start.attempt == attempt) return;
      ask_worker(world_.say(number, id, attempt, core::Succeeded{"late"}));
    }
  }
}

void Simulation::answer_all_as_workers(bool calls_only) {
  for (const WorkerNumber number : attached_workers()) {
    std::vector<EventId> ids;
    for (const auto& [id, handler] : world_.workers().at(number).held) {
      const bool call = handler.start.type == storage::InvocationType::synchronous;
      if (call || !calls_only) ids.push_back(id);
    }
    for (const EventId& id : ids) answer_for(number, id);
  }
}

// Whoever has something to go on with comes back; and each function has a fresh worker.
void Simulation::heal_workers() {
  world_.settle();
  for (const auto& [number, worker] : world_.workers()) world_.set_slow(number, false);
  for (const WorkerNumber number : attached_workers()) world_.lose(number);
  std::vector<WorkerNumber> waiting;
  for (const auto& [number, worker] : world_.workers()) waiting.push_back(number);
  for (const WorkerNumber number : waiting) ask_worker(world_.attach(number));
  for (const auto& [name, function] : plan_.settings.functions) {
    if (function.workers) ask_worker(world_.attach(world_.add_worker(name, 4)));
  }
}

}  // namespace holdfast::sim
