// Attached workers: handlers that come by themselves, and outlive the daemon.
//
// Rule    An answer counts only from the worker that has the attempt now.
// Reason  Whoever was given up, or never had it, may speak at any time.
//
// Rule    A worker that does not answer within kill_grace what it was told to stop loses
//         its connection, and with it all its attempts.
// Reason  We cannot kill it. Whoever has lost its connection must stop what it runs, so
//         this is the one way to be heard by a worker that hangs.
//
// Rule    After a start, attempts of workers are adrift for worker_reattach_window: they
//         keep their slots and do not run again. Who names one within that time goes on
//         with it, under its old number; then the rest is settled as interrupted.
// Reason  A worker goes on working while the daemon is restarted. To run its event again
//         at once would run it twice at the same time.
#include <algorithm>
#include <utility>

#include "daemon/core/lifecycle.h"
#include "storage/base/check.h"
#include "storage/base/mutant.h"

namespace holdfast::core {

Duration Lifecycle::grace(const config::FunctionSettings& settings) {
  return std::max(settings.kill_grace, kWorkerGraceMin);
}

// --- attaching ---------------------------------------------------------------

Step Lifecycle::worker_attached(Attachment attachment, const Moment& moment) {
  Step step = begin();
  const Function* function = backlog_.find(attachment.function);
  const auto refuse = [&](Refusal refusal, std::string message) {
    step.effects.push_back(Reply{attachment.ticket, Refused{refusal, std::move(message)}});
  };
  if (draining_) {
    refuse(Refusal::unavailable, "the daemon is stopping: attach again when it is back");
  } else if (function == nullptr || !function->settings) {
    refuse(Refusal::not_found, "there is no function " + attachment.function +
                                   " in the configuration: add [functions." +
                                   attachment.function + "] and reload");
  } else if (!function->settings->workers) {
    refuse(Refusal::conflict, "the function " + attachment.function +
                                  " is not served by workers: set workers = true in "
                                  "[functions." + attachment.function + "] and reload");
  } else if (!attachment.held.empty() && !adrift_loading_.empty()) {
    attaching_.push_back(std::move(attachment));
  } else {
    attach(step, attachment, moment);
  }
  return finish(std::move(step), moment);
}

void Lifecycle::attach(Step& step, const Attachment& attachment, const Moment& moment) {
  Function& function = *backlog_.find(attachment.function);
  const config::FunctionSettings& settings = *function.settings;
  workers_.attach(attachment.worker, function.id, attachment.concurrency);
  Attached attached{attachment.worker, settings.timeout, settings_.limits.worker_reattach_window,
                    {}, attachment.unknown};
  std::vector<Running*> cancelled;
  for (const auto& [id, attempt] : attachment.held) {
    const auto at = running_.find(id.seq);
    const bool adrift = at != running_.end() && at->second.event == id &&
                        at->second.spent.attempt == attempt && at->second.with_worker &&
                        !at->second.worker && id.function == function.id;
    if (!adrift) {
      attached.lost.push_back(id);
      continue;
    }
    give_to(attachment.worker, at->second);
    at->second.pushed = true;
    set_deadline(at->second, moment.up + settings.timeout);
    attached.continued.push_back(id);
    if (!at->second.cancels.empty()) cancelled.push_back(&at->second);
  }
  step.effects.push_back(Reply{attachment.ticket, std::move(attached)});
  for (Running* running : cancelled) stop(step, *running, StopReason::cancelled);
  touch(function);
}

Step Lifecycle::worker_detached(Ticket ticket, WorkerId worker, const Moment& moment) {
  Step step = begin();
  refuse_waiting(step, worker, "it has detached");
  if (const Worker* found = workers_.find(worker)) {
    const FunctionId function = found->function;
    workers_.detach(worker);
    touch(backlog_.at(function));
  }
  step.effects.push_back(Reply{ticket, Noted{}});
  return finish(std::move(step), moment);
}

// --- answers -----------------------------------------------------------------

Lifecycle::Running* Lifecycle::held_by(WorkerId worker, const EventId& id,
                                       AttemptNumber attempt) {
  const auto at = running_.find(id.seq);
  if (at == running_.end() || at->second.event != id) return nullptr;
  Running& running = at->second;
  if (broken(Mutant::worker_not_fenced) && running.worker) return &running;
  const bool its_own = running.worker == worker && running.spent.attempt == attempt;
  return its_own && running.pushed ? &running : nullptr;
}

Step Lifecycle::attempt_answered(Ticket ticket, WorkerId worker, const EventId& id,
                                 AttemptNumber attempt, AttemptReport report,
                                 const Moment& moment) {
  Step step = begin();
  Running* held = held_by(worker, id, attempt);
  if (held == nullptr) {
    step.effects.push_back(
        Reply{ticket, Refused{Refusal::conflict,
                              "this worker does not have that attempt, or not any more: its "
                              "answer changes nothing. Stop what still runs of it"}});
    return finish(std::move(step), moment);
  }
  Answer answer = Noted{};
  const uint64_t bytes_max = held->settings->result_bytes_max;
  const auto* succeeded = std::get_if<Succeeded>(&report.outcome);
  if (succeeded != nullptr && succeeded->result.size() > bytes_max) {
    answer = Refused{Refusal::too_large,
                     "the result has " + std::to_string(succeeded->result.size()) +
                         " bytes, more than result_bytes_max of the function, " +
                         std::to_string(bytes_max) + ": the attempt has failed"};
    report.outcome = ResultTooLarge{bytes_max};
  } else if (succeeded == nullptr && held->verdict) {
    report.outcome = *held->verdict;
  }
  Function& function = backlog_.at(id.function);
  finished(step, function, take_running(function, id.seq), std::move(report), moment);
  step.effects.push_back(Reply{ticket, std::move(answer)});
  return finish(std::move(step), moment);
}

Step Lifecycle::attempt_heartbeat(Ticket ticket, WorkerId worker, const EventId& id,
                                  AttemptNumber attempt, const Moment& moment) {
  Step step = begin();
  Running* held = held_by(worker, id, attempt);
  if (held == nullptr || held->verdict) {
    const char* why = held == nullptr ? "this worker does not have that attempt, or not any more"
                                      : "that attempt is being stopped: answer it";
    step.effects.push_back(Reply{ticket, Refused{Refusal::conflict, why}});
  } else {
    set_deadline(*held, moment.up + held->settings->timeout);
    step.effects.push_back(Reply{ticket, DeadlineMoved{moment.wall + held->settings->timeout}});
  }
  return finish(std::move(step), moment);
}

// --- deadlines and losses ----------------------------------------------------

void Lifecycle::give_to(WorkerId worker, Running& running) {
  running.with_worker = true;
  running.worker = worker;
  workers_.take(worker, running.event.seq);
  Function& function = backlog_.at(running.event.function);
  function.workers_free = workers_.free(function.id);
}

void Lifecycle::set_deadline(Running& running, UpPoint deadline) {
  drop_deadline(running);
  running.deadline = deadline;
  worker_deadlines_.emplace(deadline, running.event.seq);
}

void Lifecycle::drop_deadline(Running& running) {
  if (running.deadline) worker_deadlines_.erase({*running.deadline, running.event.seq});
  running.deadline.reset();
}

Step Lifecycle::attempt_pushed(WorkerId worker, const EventId& id, AttemptNumber attempt,
                               const Moment& moment) {
  Step step = begin();
  const auto at = running_.find(id.seq);
  if (at != running_.end() && at->second.event == id && at->second.worker == worker &&
      at->second.spent.attempt == attempt && !std::exchange(at->second.pushed, true)) {
    Running& running = at->second;
    if (!running.verdict) set_deadline(running, moment.up + running.settings->timeout);
  }
  return finish(std::move(step), moment);
}

Step Lifecycle::stop_forwarded(WorkerId worker, const EventId& id, AttemptNumber attempt,
                               const Moment& moment) {
  Step step = begin();
  Running* held = held_by(worker, id, attempt);
  if (held != nullptr && held->verdict) set_deadline(*held, moment.up + grace(*held->settings));
  return finish(std::move(step), moment);
}

// One that had not been let in yet has nothing to lose.
void Lifecycle::refuse_waiting(Step& step, WorkerId worker, const char* why) {
  std::erase_if(attaching_, [&](const Attachment& one) {
    if (one.worker != worker) return false;
    step.effects.push_back(Reply{one.ticket, Refused{Refusal::unavailable, why}});
    return true;
  });
}

Step Lifecycle::worker_lost(WorkerId worker, const Moment& moment) {
  Step step = begin();
  refuse_waiting(step, worker, "it has gone");
  if (workers_.find(worker) == nullptr) return finish(std::move(step), moment);
  const Worker lost = workers_.remove(worker);
  Function& function = backlog_.at(lost.function);
  touch(function);
  for (const Seq seq : lost.attempts) {
    Running& held = running_.at(seq);
    if (drain_over_ && held.pushed && is_left(held)) {  // the next start settles it
      drop_deadline(held);
      held.worker.reset();
      continue;
    }
    Outcome outcome = WorkerLost{};
    if (held.verdict) outcome = *held.verdict;
    if (!held.pushed) outcome = NotStarted{};
    finished(step, function, take_running(function, seq), {std::move(outcome), {}}, moment);
  }
  return finish(std::move(step), moment);
}

void Lifecycle::workers_ticked(Step& step, const Moment& moment) {
  while (!worker_deadlines_.empty() && worker_deadlines_.begin()->first <= moment.up) {
    Running& running = running_.at(worker_deadlines_.begin()->second);
    if (!running.verdict) {
      stop(step, running, StopReason::timed_out);
      continue;
    }
    drop_deadline(running);
    if (broken(Mutant::silent_worker_kept)) {
      Function& function = backlog_.at(running.event.function);
      AttemptReport report{*running.verdict, {}};
      finished(step, function, take_running(function, running.event.seq), std::move(report),
               moment);
      continue;
    }
    // The shell tells when the connection has ended: until then it may still answer.
    const WorkerId worker = *running.worker;
    workers_.detach(worker);
    touch(backlog_.at(running.event.function));
    step.effects.push_back(CloseWorker{worker});
  }
  if (reattach_ends_ && *reattach_ends_ <= moment.up && adrift_loading_.empty() && !drain_over_) {
    reattach_ends_.reset();
    if (!broken(Mutant::adrift_forgotten)) settle_adrift(step, moment);
  }
}

std::optional<UpPoint> Lifecycle::workers_wakeup() const {
  std::optional<UpPoint> at;
  if (!worker_deadlines_.empty()) at = worker_deadlines_.begin()->first;
  if (reattach_ends_ && adrift_loading_.empty() && !drain_over_ &&
      (!at || *reattach_ends_ < *at)) {
    at = reattach_ends_;
  }
  return at;
}

// --- adrift --------------------------------------------------------------------

void Lifecycle::set_adrift(Step& step, const storage::RunningKey& key,
                           const storage::RunningRecord& record, const Moment& moment) {
  Function& function = backlog_.at(record.event.function);
  adrift_loading_.emplace(record.event, std::pair{key, record});
  function.events_running += 1;
  growth_ += function.growth;
  step.effects.push_back(LoadEvent{record.event, LoadPurpose::adrift});
  reattach_ends_ = moment.up + settings_.limits.worker_reattach_window;
}

void Lifecycle::adrift_loaded(Step& step, const storage::LoadedEvent& loaded,
                              const Moment& moment) {
  auto node = adrift_loading_.extract(loaded.id);
  CHECK(!node.empty() && loaded.event);
  const auto& [key, record] = node.mapped();
  Function& function = backlog_.at(record.event.function);
  Running running;
  running.event = record.event;
  running.generation = key.generation;
  running.recorded = true;
  running.record = loaded.event;
  running.spent = record.spent;
  running.attempts = loaded.attempts;
  running.settings = function.settings ? function.settings
                                       : std::make_shared<const config::FunctionSettings>();
  running.started_wall = record.started_wall;
  running.with_worker = true;
  running.pushed = true;
  // Who asked to cancel it while its record was being read.
  if (auto look = cancels_.find(record.event); look != cancels_.end()) {
    running.cancels = std::exchange(look->second.tickets, {});
  }
  function.events_running -= 1;
  add_running(function, std::move(running));
  if (!adrift_loading_.empty()) return;
  for (const Attachment& attachment : std::exchange(attaching_, {})) {
    const Function* served = backlog_.find(attachment.function);
    if (served != nullptr && served->settings && served->settings->workers) {
      attach(step, attachment, moment);
    } else {
      step.effects.push_back(
          Reply{attachment.ticket, Refused{Refusal::not_found, "the function is not served by "
                                                               "workers any more"}});
    }
  }
}

void Lifecycle::settle_adrift(Step& step, const Moment& moment) {
  std::vector<Seq> adrift;
  for (const auto& [seq, running] : running_) {
    if (running.with_worker && !running.worker) adrift.push_back(seq);
  }
  for (const Seq seq : adrift) {
    Function& function = backlog_.at(running_.at(seq).event.function);
    Running running = take_running(function, seq);
    recovery_.interrupted_events += 1;
    storage::AttemptRecord interrupted =
        describe_interrupted(running.spent.attempt, running.started_wall, moment.wall);
    running.spent.interruptions += 1;
    if (running.cancels.empty()) {
      retry(step, function, std::move(running), Duration::zero(), std::move(interrupted), moment);
      continue;
    }
    Life life = life_of(std::move(running));
    life.attempts.push_back(std::move(interrupted));
    end(step, std::move(life),
        Ending{storage::EndState::cancelled, storage::Condition::cancelled, {}, {}, {}}, moment);
  }
}

// A drain that is over leaves it to its worker, for the next start.
bool Lifecycle::is_left(const Running& running) const {
  const bool may_come_back = settings_.limits.worker_reattach_window > Duration::zero();
  return running.with_worker && running.type == storage::InvocationType::event &&
         ((may_come_back && running.pushed) || !running.worker);
}

void Lifecycle::verify_workers() const {
  workers_.verify();
  size_t held = 0;
  size_t dated = 0;
  for (const auto& [seq, running] : running_) {
    if (!running.worker) continue;
    held += 1;
    const Worker* worker = workers_.find(*running.worker);
    CHECK(worker != nullptr && worker->attempts.contains(seq));
    dated += running.deadline ? 1 : 0;
    if (running.deadline) CHECK(worker_deadlines_.contains({*running.deadline, seq}));
  }
  CHECK(worker_deadlines_.size() == dated);
  size_t taken = 0;
  for (const auto& [id, worker] : workers_.all()) taken += worker.attempts.size();
  CHECK(taken == held);
  for (const auto& [id, function] : backlog_.functions()) {
    CHECK(function.workers_free == workers_.free(id));
  }
}

}  // namespace holdfast::core
