// Start, settings, drain, commits, and the sweeping of expired keys.
#include <algorithm>
#include <utility>

#include "daemon/core/lifecycle.h"
#include "storage/base/check.h"
#include "storage/base/mutant.h"
#include "storage/codec.h"

namespace holdfast::core {

Lifecycle::Lifecycle(const storage::Recovered& recovered, storage::BoxTag box,
                     const config::Settings& settings, uint64_t seed)
    : settings_(settings),
      ledger_(recovered, box),
      backlog_(ledger_),
      queues_(ledger_),
      random_(seed),
      unsettled_(recovered.running) {
  configure();
}

void Lifecycle::configure() {
  backlog_.configure(settings_.functions);
  queues_.configure(settings_.queues);
  for (const auto& [name, function_settings] : settings_.functions) {
    const auto id_of = [&](const std::optional<std::string>& queue) {
      return queue ? std::optional{ledger_.queue_named(*queue)} : std::nullopt;
    };
    backlog_.find(name)->routes = {id_of(function_settings.on_success),
                                   id_of(function_settings.on_failure),
                                   id_of(function_settings.dead_letter)};
  }
  slots_max_ = settings_.limits.attempts_running_max;
  growth_ = {};
  for (const auto& [id, function] : backlog_.functions()) {
    Function& one = backlog_.at(id);
    one.growth = growth_of_one(one.settings ? *one.settings : config::FunctionSettings{});
    growth_ += one.growth.times(living(one));
  }
  CHECK(slots_max_ > 0);  // the shell has resolved "four for each processor"
}

Step Lifecycle::started(const Moment& moment) {
  Step step = begin();
  sweep_at_ = moment.now + kSweepInterval;
  for (const auto& [key, record] : std::exchange(unsettled_, {})) {
    const bool may_go_on = record.with_worker &&
                           record.type == storage::InvocationType::event &&
                           settings_.limits.worker_reattach_window > Duration::zero() &&
                           !broken(Mutant::adrift_settled_at_once);
    if (may_go_on) {
      set_adrift(step, key, record, moment);
    } else {
      settle(step, key, record, moment);
    }
  }
  for (const auto& [id, function] : backlog_.functions()) {
    touched_.insert(id);
    recovery_.waiting += ledger_.function(id).fresh + ledger_.function(id).waiting;
  }
  return finish(std::move(step), moment);
}

// An attempt whose end the last daemon did not live to record.
void Lifecycle::settle(Step& step, const storage::RunningKey& key,
                       const storage::RunningRecord& record, const Moment& moment) {
  storage::AttemptRecord interrupted =
      describe_interrupted(record.spent.attempt, record.started_wall, moment.wall);
  if (record.type == storage::InvocationType::synchronous) {
    recovery_.interrupted_calls += 1;
    auto event = std::make_shared<storage::EventRecord>();
    event->id = record.event;
    event->accepted_wall = record.accepted_wall;
    event->idempotency_key = record.idempotency_key;
    Life life;
    life.record = std::move(event);
    life.type = record.type;
    life.place = key;
    life.generation = key.generation;
    life.spent = record.spent;
    life.spent.interruptions += 1;
    life.payload_hash = record.payload_hash;
    life.attempts.push_back(std::move(interrupted));
    end(step, std::move(life),
        Ending{storage::EndState::failed, storage::Condition::interrupted, {}, {}, {}}, moment);
    return;
  }
  recovery_.interrupted_events += 1;
  Function& function = backlog_.at(record.event.function);
  step.batch.push(storage::EraseRunning{key});
  step.batch.push(storage::PutAttempt{key.seq, std::move(interrupted)});
  storage::Spent spent = record.spent;
  if (!broken(Mutant::interruptions_not_counted)) spent.interruptions += 1;
  const storage::WaitingKey waiting{record.event, moment.now, key.generation.next()};
  step.batch.push(storage::PutWaiting{waiting, storage::WaitingRecord{waiting.due_at, spent}});
  ledger_.change(function.id).waiting += 1;
  growth_ += function.growth;
  backlog_.add_due(function, DueKey{waiting.due_at, key.seq, waiting.generation}, spent.age_from);
}

Step Lifecycle::settings_changed(const config::Settings& settings, const Moment& moment) {
  Step step = begin();
  settings_ = settings;
  configure();
  for (const auto& [id, function] : backlog_.functions()) touched_.insert(id);
  return finish(std::move(step), moment);
}

Step Lifecycle::drain_started(const Moment& moment) {
  Step step = begin();
  draining_ = true;
  return finish(std::move(step), moment);
}

Step Lifecycle::drain_expired(const Moment& moment) {
  Step step = begin();
  CHECK(draining_);
  drain_over_ = true;
  for (auto& [seq, running] : running_) {
    if (!is_left(running)) stop(step, running, StopReason::draining);
  }
  return finish(std::move(step), moment);
}

void Lifecycle::space_measured(uint64_t free_bytes) {
  space_.free_bytes = free_bytes;
  space_.written_bytes = 0;
}

std::optional<Refused> Lifecycle::refusal() const {
  if (draining_) return Refused{Refusal::unavailable, "the daemon is stopping"};
  return core::refuse(ask_for_disk(0));
}

storage::Batch Lifecycle::seal(const storage::ClockStamp& clock, Seal seal) {
  for (FunctionId id : ledger_.changed_functions()) {
    ledger_.change(id).head = backlog_.head(backlog_.at(id));
  }
  return ledger_.seal(clock, seal);
}

void Lifecycle::committed(StepSeq watermark) {
  CHECK(durable_ <= watermark);
  durable_ = watermark;
  keys_.durable(watermark);
  queues_.durable(watermark);
}

Step Lifecycle::message_sent(Ticket ticket, QueueId queue,
                             std::shared_ptr<const storage::MessageRecord> message, Duration delay,
                             const Moment& moment) {
  Step step = begin();
  std::optional<Refused> refused =
      core::refuse(ask_for_disk(storage::charged_bytes_of_message(*message)));
  if (draining_) refused = Refused{Refusal::unavailable, "the daemon is stopping"};
  if (!queues_.configured(queue)) {
    refused = Refused{Refusal::not_found, "this queue is not in the configuration any more"};
  } else if (queues_.full(queue)) {
    refused = Refused{Refusal::busy, "the queue is full (bytes_max): receive and delete messages"};
  }
  if (refused) {
    step.effects.push_back(Reply{ticket, std::move(*refused)});
    return finish(std::move(step), moment);
  }
  const Seq seq = queues_.send(step, queue, std::move(message), moment.now + delay);
  step.effects.push_back(Reply{ticket, Sent{seq}});
  return finish(std::move(step), moment);
}

Step Lifecycle::messages_requested(Ticket ticket, QueueId queue, uint32_t messages_max,
                                   std::optional<Duration> visibility_timeout,
                                   const Moment& moment) {
  Step step = begin();
  queues_.receive(step, ticket, queue, messages_max, visibility_timeout, moment);
  return finish(std::move(step), moment);
}

Step Lifecycle::message_deleted(Ticket ticket, const storage::MessageKey& receipt,
                                const Moment& moment) {
  Step step = begin();
  queues_.erase(step, ticket, receipt);
  return finish(std::move(step), moment);
}

Step Lifecycle::message_page_loaded(QueueId queue, storage::MessagePage page,
                                    const Moment& moment) {
  Step step = begin();
  queues_.page_loaded(step, queue, std::move(page), moment);
  return finish(std::move(step), moment);
}

Step Lifecycle::messages_loaded(uint64_t request,
                                std::vector<std::optional<storage::MessageRecord>> messages,
                                const Moment& moment) {
  Step step = begin();
  queues_.messages_loaded(step, request, std::move(messages), moment);
  return finish(std::move(step), moment);
}

// Expired keys are found by walking the family now and then, a page at a time: it
// costs the accept path no index, and the walk only reads.
void Lifecycle::sweep(Step& step, const Moment& moment) {
  if (sweeping_from_ || moment.now < sweep_at_) return;
  if (ledger_.state().idempotency_bytes == 0) {
    sweep_at_ = moment.now + kSweepInterval;
    return;
  }
  sweeping_from_ = storage::KeyHash{};
  keys_.sweep_started();
  step.effects.push_back(LoadExpiredKeys{*sweeping_from_, moment.lit, kSweepRowsMax});
}

Step Lifecycle::expired_keys_loaded(storage::KeyPage page, const Moment& moment) {
  Step step = begin();
  CHECK(sweeping_from_);
  uint64_t& bytes = ledger_.change().idempotency_bytes;
  for (const storage::KeyRow& row : page.expired) {
    const bool expired = row.record.answer && row.record.expires_at <= moment.lit;
    if (!expired || keys_.changed_during_sweep(row.hash)) continue;
    const uint64_t charged = storage::charged_bytes(row.record);
    CHECK(bytes >= charged);
    bytes -= charged;
    step.batch.push(storage::EraseIdempotency{row.hash});
    keys_.erased(row.hash, step.seq);
  }
  keys_.sweep_finished();
  sweeping_from_ = page.next;
  if (sweeping_from_) {
    keys_.sweep_started();
    step.effects.push_back(LoadExpiredKeys{*sweeping_from_, moment.lit, kSweepRowsMax});
  } else {
    sweep_at_ = moment.now + kSweepInterval;
  }
  return finish(std::move(step), moment);
}

void Lifecycle::verify() const {
  backlog_.verify();
  queues_.verify();
  uint64_t bytes = 0;
  uint64_t outcome_bytes = 0;
  std::map<FunctionId, uint64_t> dead_letters_owed;
  std::map<QueueId, uint64_t> owed;
  std::map<FunctionId, std::pair<uint32_t, uint32_t>> running;
  for (const auto& [seq, attempt] : running_) {
    CHECK(attempt.event.seq == seq);
    bytes += attempt.record->payload.size() + attempt.settings->result_bytes_max;
    outcome_bytes += attempt.outcome.all;
    dead_letters_owed[attempt.event.function] += attempt.outcome.dead_letter;
    const auto& routes = attempt.routes;
    if (routes.on_success) owed[*routes.on_success] += attempt.outcome.on_success;
    if (routes.on_failure) owed[*routes.on_failure] += attempt.outcome.on_failure;
    if (routes.dead_letter) owed[*routes.dead_letter] += attempt.outcome.dead_letter_message;
    auto& [events, calls] = running[attempt.event.function];
    (attempt.type == storage::InvocationType::event ? events : calls) += 1;
  }
  for (const auto& [id, adrift] : adrift_loading_) running[id.function].first += 1;
  CHECK(bytes == running_bytes_);
  CHECK(outcome_bytes == outcome_bytes_);
  for (const auto& [id, record] : ledger_.queues()) CHECK(queues_.owed(id) == owed[id]);
  size_t claims = 0;
  Growth growth;
  for (const auto& [id, function] : backlog_.functions()) {
    growth += function.growth.times(living(function));
    claims += function.claims();
    const auto& [events, calls] = running[id];
    CHECK(function.events_running == events);
    CHECK(function.calls_running == calls);
    CHECK(function.dead_letters_owed == dead_letters_owed[id]);
  }
  CHECK(claims == claims_);
  CHECK(growth == growth_);
  CHECK(awaits_.size() == await_ends_.size());
  verify_workers();
}

}  // namespace holdfast::core
