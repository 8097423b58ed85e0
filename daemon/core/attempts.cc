// An attempt starts, an attempt ends; then a retry, or the ending.
#include <csignal>
#include <cstdio>
#include <cstring>
#include <utility>

#include "daemon/core/invocation_record.h"
#include "daemon/core/lifecycle.h"
#include "storage/base/check.h"
#include "storage/base/match.h"
#include "storage/base/mutant.h"

namespace holdfast::core {

using storage::AttemptRecord;
using storage::Failure;
using storage::InvocationType;

namespace {

std::string signal_name(int signal) {
  const char* name = sigabbrev_np(signal);
  return name == nullptr ? std::to_string(signal) : "SIG" + std::string{name};
}

// "3.00", as Lambda prints it.
std::string seconds_text(Duration timeout) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", static_cast<double>(timeout.count()) / 1000.0);
  return text;
}

std::shared_ptr<const std::string> payload_of(const EventPtr& event) {
  return {event, &event->payload};
}

uint64_t memory_of(const EventPtr& event, const config::FunctionSettings& settings) {
  return event->payload.size() + settings.result_bytes_max;
}

// Makes room: the first 3 and the last 7 are kept.
void trim(storage::Batch& batch, Seq seq, std::vector<AttemptRecord>& attempts) {
  while (attempts.size() > storage::kAttemptsKeptMax) {
    const auto oldest_of_last = attempts.begin() + storage::kAttemptsKeptFirst;
    batch.push(storage::EraseAttempt{seq, oldest_of_last->attempt});
    attempts.erase(oldest_of_last);
  }
}

}  // namespace

AttemptRecord describe(const AttemptReport& report, AttemptNumber attempt,
                       const std::string& request_id, WallTime started, WallTime ended) {
  AttemptRecord record;
  record.attempt = attempt;
  record.started_wall = started;
  record.ended_wall = ended;
  record.log_tail = report.log_tail;
  const std::string error = "RequestId: " + request_id + " Error: ";
  const auto failed = [&](Failure failure, const char* type, std::string message) {
    record.failure = failure;
    record.error_type = type;
    record.error_message = std::move(message);
  };
  std::visit(
      match{
          [&](const Exited& exited) {
            failed(Failure::exited, "Runtime.ExitError",
                   error + "Runtime exited with error: exit status " +
                       std::to_string(exited.status));
            record.exit_status = exited.status;
          },
          [&](const Signaled& signaled) {
            failed(Failure::signaled, "Runtime.ExitError",
                   error + "Runtime exited with error: signal: " + signal_name(signaled.signal));
            record.signal = signaled.signal;
          },
          [&](const TimedOut& timed_out) {
            failed(Failure::timed_out, "Sandbox.Timedout",
                   error + "Task timed out after " + seconds_text(timed_out.timeout) + " seconds");
          },
          [&](const ResultTooLarge& too_large) {
            failed(Failure::result_too_large, "Function.ResponseSizeTooLarge",
                   "Response payload size exceeded maximum allowed payload size (" +
                       std::to_string(too_large.bytes_max) + " bytes).");
          },
          [&](const CannotStart& cannot_start) {
            failed(Failure::cannot_start, "Runtime.InvalidEntrypoint",
                   error + "cannot start " + cannot_start.program + ": " + cannot_start.reason);
          },
          [&](const Failed& said) {
            failed(Failure::failed, "", said.error_message);
            record.error_type = said.error_type.empty() ? "Error" : said.error_type;
          },
          [&](const WorkerLost&) {
            failed(Failure::worker_lost, "WorkerLost",
                   error + "the worker's connection ended before its answer");
          },
          [&](const Stopped&) {
            failed(Failure::interrupted, "Interrupted",
                   "the daemon was told to stop while the attempt ran");
          },
          [&](const NotStarted&) {
            failed(Failure::interrupted, "NotStarted", "no handler took it: nothing ran");
          },
          [&](const Succeeded&) { CHECK(!"a success is not a failed attempt"); },
      },
      report.outcome);
  // Only a program's name can be as long as that; it is cut between characters.
  if (record.error_message.size() > storage::kErrorMessageBytesMax) {
    size_t end = storage::kErrorMessageBytesMax;
    while (end > 0 && (static_cast<uint8_t>(record.error_message[end]) & 0xC0) == 0x80) --end;
    record.error_message.resize(end);
  }
  return record;
}

AttemptRecord describe_interrupted(AttemptNumber attempt, WallTime started, WallTime ended) {
  AttemptRecord record;
  record.attempt = attempt;
  record.failure = Failure::interrupted;
  record.error_type = "Interrupted";
  record.error_message = "the daemon stopped while the attempt ran";
  record.started_wall = started;
  record.ended_wall = ended;
  return record;
}

// Promise 2: the attempt's number is in the batch that the start waits for.
void Lifecycle::start(Step& step, Function& function, Running running, const Moment& moment) {
  const bool is_event = running.type == InvocationType::event;
  running.settings = function.settings;
  running.spent.attempt = running.spent.attempt.next();
  running.generation = running.generation.next();
  running.started_wall = moment.wall;
  running.started_in = step.seq;
  const std::optional<WorkerId> worker =
      running.settings->workers ? workers_.pick(function.id) : std::nullopt;
  CHECK(worker || function.has_command());
  running.with_worker = worker.has_value();
  const WallTime deadline = moment.wall + running.settings->timeout;
  if (running.recorded) {
    storage::RunningRecord record;
    record.event = running.event;
    record.type = running.type;
    record.spent = running.spent;
    record.started_wall = moment.wall;
    record.deadline_wall = deadline;
    record.payload_bytes = running.record->payload.size();
    record.accepted_wall = running.record->accepted_wall;
    record.with_worker = running.with_worker;
    if (!is_event) {
      record.idempotency_key = running.record->idempotency_key;
      record.payload_hash = running.payload_hash;
    }
    step.batch.push(storage::PutRunning{
        storage::RunningKey{running.event.seq, running.generation}, std::move(record)});
  }
  step.effects.push_back(StartAttempt{running.event, running.spent.attempt, running.type,
                                      function.name, running.settings, payload_of(running.record),
                                      running.record->idempotency_key, deadline,
                                      is_event ? std::nullopt
                                               : std::optional{running.callers.front()},
                                      worker});
  if (worker) give_to(*worker, running);
  add_running(function, std::move(running));
}

void Lifecycle::add_running(Function& function, Running running) {
  (running.type == InvocationType::event ? function.events_running : function.calls_running) += 1;
  running_bytes_ += memory_of(running.record, *running.settings);
  owe_outcome(function, running);
  const Seq seq = running.event.seq;
  const bool first = running_.emplace(seq, std::move(running)).second;
  CHECK(first);
  touch(function);
}

Lifecycle::Running Lifecycle::take_running(Function& function, Seq seq) {
  auto node = running_.extract(seq);
  CHECK(!node.empty());
  Running running = std::move(node.mapped());
  uint32_t& count = running.type == InvocationType::event ? function.events_running
                                                          : function.calls_running;
  CHECK(count > 0);
  count -= 1;
  running_bytes_ -= memory_of(running.record, *running.settings);
  settle_outcome(function, running);
  if (running.worker) {
    drop_deadline(running);
    workers_.give_back(*running.worker, seq);
  }
  touch(function);
  return running;
}

// A worker is told to stop, and has kill_grace to answer; a command is killed by the shell,
// which reports it. One that is adrift is told when it comes back.
void Lifecycle::stop(Step& step, Running& running, StopReason reason) {
  if (running.with_worker && !running.worker) return;
  if (std::exchange(running.stopping, true)) return;
  step.effects.push_back(StopAttempt{running.event, running.spent.attempt, reason, running.worker});
  if (!running.worker) return;
  running.verdict = Stopped{};
  if (reason == StopReason::timed_out) running.verdict = TimedOut{running.settings->timeout};
  drop_deadline(running);  // a new one when the shell has passed it on, or it takes it back
}

Lifecycle::Life Lifecycle::life_of(Running running) const {
  Life life;
  life.record = std::move(running.record);
  life.type = running.type;
  if (running.recorded) life.place = storage::RunningKey{running.event.seq, running.generation};
  life.generation = running.generation;
  life.spent = running.spent;
  life.attempts_stored = running.attempts.size();
  life.attempts = std::move(running.attempts);
  life.payload_hash = running.payload_hash;
  life.callers = std::move(running.callers);
  life.cancels = std::move(running.cancels);
  return life;
}

Step Lifecycle::attempt_finished(const EventId& id, AttemptNumber attempt, AttemptReport report,
                                 const Moment& moment) {
  Step step = begin();
  auto at = running_.find(id.seq);
  // An older attempt, speaking late, changes nothing.
  const bool late = at != running_.end() && at->second.spent.attempt != attempt;
  if (at == running_.end() || (late && !broken(Mutant::late_outcome_not_fenced))) return step;
  Function& function = backlog_.at(id.function);
  finished(step, function, take_running(function, id.seq), std::move(report), moment);
  return finish(std::move(step), moment);
}

Step Lifecycle::command_broken(const std::string& name, std::string reason,
                               const Moment& moment) {
  Step step = begin();
  if (Function* function = backlog_.find(name)) {
    CHECK(!reason.empty());
    if (!broken(Mutant::broken_command_used)) function->broken = std::move(reason);
    touch(*function);
  }
  return finish(std::move(step), moment);
}

Step Lifecycle::command_mended(const std::string& name, const Moment& moment) {
  Step step = begin();
  if (Function* function = backlog_.find(name)) {
    function->broken.clear();
    touch(*function);
  }
  return finish(std::move(step), moment);
}

// Its outcome, whoever ran it.
void Lifecycle::finished(Step& step, Function& function, Running running, AttemptReport report,
                         const Moment& moment) {
  if (auto* succeeded = std::get_if<Succeeded>(&report.outcome)) {
    end(step, life_of(std::move(running)),
        Ending{storage::EndState::succeeded, storage::Condition::success,
               std::move(succeeded->result), {}, {}},
        moment);
    return;
  }
  AttemptRecord failed_attempt = describe(
      report, running.spent.attempt, storage::to_request_id(running.event, ledger_.box()),
      running.started_wall, moment.wall);
  const bool not_started = std::holds_alternative<NotStarted>(report.outcome) &&
                           !broken(Mutant::not_started_counts);
  const bool stopped = std::holds_alternative<Stopped>(report.outcome) || not_started;
  if (not_started && running.type == InvocationType::synchronous && !running.recorded) {
    const Refused refused{Refusal::unavailable, "no handler took it, nothing ran: repeat"};
    for (const Ticket caller : running.callers) step.effects.push_back(Reply{caller, refused});
    awaited_ended(step, running.event.seq);
  } else if (running.type == InvocationType::synchronous) {
    Life life = life_of(std::move(running));
    life.spent.failures += stopped ? 0 : 1;
    const auto condition = stopped && !not_started ? storage::Condition::interrupted
                                                   : storage::Condition::function_error;
    life.attempts.push_back(std::move(failed_attempt));
    end(step, std::move(life), Ending{storage::EndState::failed, condition, {}, {}, {}}, moment);
  } else if (!running.cancels.empty() && !broken(Mutant::cancelled_event_retried)) {
    Life life = life_of(std::move(running));
    life.attempts.push_back(std::move(failed_attempt));
    end(step, std::move(life),
        Ending{storage::EndState::cancelled, storage::Condition::cancelled, {}, {}, {}}, moment);
  } else if (not_started) {
    retry(step, function, std::move(running), Duration::zero(), std::nullopt, moment);
  } else if (stopped) {
    // Cut short by a drain: recorded, and neither a failure nor an interruption.
    retry(step, function, std::move(running), Duration::zero(), std::move(failed_attempt), moment);
  } else {
    running.spent.failures += 1;
    failed(step, function, std::move(running), std::move(failed_attempt), moment);
  }
}

void Lifecycle::failed(Step& step, Function& function, Running running, AttemptRecord attempt,
                       const Moment& moment) {
  // Read anew for each attempt, as Lambda does; a function taken out of the
  // configuration keeps the settings that this attempt ran under.
  const auto settings = function.settings ? function.settings : running.settings;
  const Disposition disposition = dispose(running.spent, *settings, moment.lit, random_);
  if (const auto* again = std::get_if<Retry>(&disposition)) {
    retry(step, function, std::move(running), again->delay, std::move(attempt), moment);
    return;
  }
  Life life = life_of(std::move(running));
  life.attempts.push_back(std::move(attempt));
  end(step, std::move(life),
      Ending{storage::EndState::failed, std::get<GiveUp>(disposition).condition, {}, {}, {}},
      moment);
}

// Back among the waiting, with what it has spent.
void Lifecycle::retry(Step& step, Function& function, Running running, Duration delay,
                      std::optional<AttemptRecord> failed_attempt, const Moment& moment) {
  CHECK(running.type == InvocationType::event);
  step.batch.push(
      storage::EraseRunning{storage::RunningKey{running.event.seq, running.generation}});
  if (failed_attempt) {
    step.batch.push(storage::PutAttempt{running.event.seq, *failed_attempt});
    running.attempts.push_back(std::move(*failed_attempt));
    trim(step.batch, running.event.seq, running.attempts);
  }
  const storage::Generation generation = broken(Mutant::generation_not_raised)
                                             ? storage::Generation{running.generation.value - 1}
                                             : running.generation.next();
  const storage::WaitingKey key{running.event, moment.now + delay, generation};
  step.batch.push(storage::PutWaiting{key, storage::WaitingRecord{key.due_at, running.spent}});
  ledger_.change(function.id).waiting += 1;
  backlog_.add_due(function, DueKey{key.due_at, running.event.seq, key.generation},
                   running.spent.age_from);
  touch(function);
}

}  // namespace holdfast::core
