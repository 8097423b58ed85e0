// The workers of a World.
#include <utility>

#include "tests/support/world.h"

namespace holdfast::test {

WorkerNumber World::add_worker(const std::string& function, uint32_t concurrency) {
  const WorkerNumber number = workers_.empty() ? 1 : workers_.rbegin()->first + 1;
  workers_[number].function = function;
  workers_[number].concurrency = concurrency;
  return number;
}

WorkerProgram* World::worker_of(core::WorkerId id) {
  for (auto& [number, worker] : workers_) {
    if (worker.attached == id) return &worker;
  }
  return nullptr;
}

Ticket World::attach(WorkerNumber number) {
  WorkerProgram& worker = workers_.at(number);
  CHECK(!worker.attached);
  core::Attachment attachment;
  attachment.ticket = next_ticket();
  attachment.worker = core::WorkerId{++last_worker_id_};
  attachment.function = worker.function;
  attachment.concurrency = worker.concurrency;
  for (const auto& [id, handler] : worker.held) attachment.held[id] = handler.start.attempt;
  worker.attached = attachment.worker;
  const Ticket ticket = attachment.ticket;
  attaching_[ticket] = number;
  take(core().worker_attached(std::move(attachment), moment_));
  return ticket;
}

// An honest worker stops at once what is not its own any more.
void World::worker_attached(const core::Attached& attached) {
  WorkerProgram* worker = worker_of(attached.worker);
  if (worker == nullptr) return;
  for (const EventId& id : attached.continued) {
    const auto at = worker->held.find(id);
    if (at != worker->held.end()) at->second.until = moment_.up + attached.timeout;
  }
  for (const EventId& id : attached.lost) {
    auto node = worker->held.extract(id);
    if (node.empty()) continue;
    if (hooks_.on_taken_away) hooks_.on_taken_away(node.mapped().start);
    if (hooks_.on_dropped) hooks_.on_dropped(node.mapped().start);
  }
}

Ticket World::detach(WorkerNumber number) {
  const Ticket ticket = next_ticket();
  take(core().worker_detached(ticket, *workers_.at(number).attached, moment_));
  return ticket;
}

void World::disconnect(WorkerProgram& worker) {
  worker.attached.reset();
  worker.unread.clear();
  for (const auto& [id, handler] : std::exchange(worker.held, {})) {
    if (hooks_.on_dropped) hooks_.on_dropped(handler.start);
  }
}

// The daemon ends its connection, and hears of that later.
void World::close(core::WorkerId id) {
  WorkerProgram* worker = worker_of(id);
  if (worker == nullptr) return;
  disconnect(*worker);
  take(core().worker_lost(id, moment_));
}

void World::lose(WorkerNumber number) {
  WorkerProgram& worker = workers_.at(number);
  const core::WorkerId id = *worker.attached;
  disconnect(worker);
  take(core().worker_lost(id, moment_));
}

void World::push(core::StartAttempt start) {
  WorkerProgram* worker = worker_of(*start.worker);
  if (worker == nullptr) return;  // it has gone meanwhile, and so the core was told
  if (worker->slow) return worker->unread.push_back(std::move(start));
  deliver(*worker, std::move(start));
}

void World::deliver(WorkerProgram& worker, core::StartAttempt start) {
  if (hooks_.on_start) hooks_.on_start(start);
  news_.push_back([this, id = *start.worker, event = start.event, attempt = start.attempt] {
    take(core().attempt_pushed(id, event, attempt, moment_));
  });
  const EventId id = start.event;
  const UpPoint until = moment_.up + start.settings->timeout;
  const bool first =
      worker.held.emplace(id, Handler{std::move(start), moment_.wall, false, until}).second;
  CHECK(first);
}

// What was not read yet is taken back.
void World::push(const core::StopAttempt& stop) {
  WorkerProgram* worker = worker_of(*stop.worker);
  if (worker == nullptr) return;
  const auto of_it = [&](const core::StartAttempt& start) {
    return start.event == stop.event && start.attempt == stop.attempt;
  };
  if (std::erase_if(worker->unread, of_it) > 0) {
    news_.push_back([this, stop] { report(stop.event, stop.attempt, core::NotStarted{}); });
    return;
  }
  const auto at = worker->held.find(stop.event);
  if (at != worker->held.end()) at->second.stop_asked = true;
  news_.push_back([this, stop] {
    take(core().stop_forwarded(*stop.worker, stop.event, stop.attempt, moment_));
  });
}

void World::set_slow(WorkerNumber number, bool slow) {
  WorkerProgram& worker = workers_.at(number);
  worker.slow = slow;
  if (slow) return;
  for (; !worker.unread.empty(); worker.unread.pop_front()) {
    deliver(worker, std::move(worker.unread.front()));
  }
  tell_news();
}

Ticket World::answer(WorkerNumber number, const EventId& id, core::Outcome outcome) {
  WorkerProgram& worker = workers_.at(number);
  auto node = worker.held.extract(id);
  CHECK(!node.empty());
  return say(number, id, node.mapped().start.attempt, std::move(outcome));
}

Ticket World::say(WorkerNumber number, const EventId& id, AttemptNumber attempt,
                  core::Outcome outcome) {
  const Ticket ticket = next_ticket();
  take(core().attempt_answered(ticket, *workers_.at(number).attached, id, attempt,
                               {std::move(outcome), {}}, moment_));
  return ticket;
}

Ticket World::heartbeat(WorkerNumber number, const EventId& id) {
  const WorkerProgram& worker = workers_.at(number);
  const Ticket ticket = next_ticket();
  take(core().attempt_heartbeat(ticket, *worker.attached, id, worker.held.at(id).start.attempt,
                                moment_));
  return ticket;
}

// The daemon is gone. What was to stop, or is over, is not taken up again.
void World::daemon_gone() {
  for (auto& [number, worker] : workers_) {
    worker.attached.reset();
    worker.unread.clear();
    std::erase_if(worker.held, [&](const auto& one) {
      const Handler& handler = one.second;
      const bool over = handler.stop_asked || moment_.up >= handler.until ||
                        handler.start.type == storage::InvocationType::synchronous;
      if (over && hooks_.on_dropped) hooks_.on_dropped(handler.start);
      return over;
    });
  }
}

// Who has not come back by then has stopped what it ran.
void World::give_up_adrift() {
  if (moment_.up < booted_at_ + settings_.limits.worker_reattach_window) return;
  for (auto& [number, worker] : workers_) {
    if (!worker.attached) disconnect(worker);
  }
}

}  // namespace holdfast::test
