#include "tests/sim/witness.h"

#include "storage/codec.h"
#include "storage/keys.h"
#include "tests/sim/plan.h"

namespace holdfast::sim {

using namespace storage;
using test::SeenRoute;
using test::SeenState;

namespace {

std::map<std::string, test::FunctionRules> rules_of(const config::Settings& settings) {
  std::map<std::string, test::FunctionRules> rules;
  for (const auto& [name, function] : settings.functions) {
    rules[name] = {core::retries(function.retry), settings.limits.interruptions_max};
  }
  return rules;
}

// Which event a destination's message tells of; empty: a client sent it.
std::optional<EventId> told_of(const MessageRecord& message, BoxTag box) {
  auto attribute = message.attributes.find("RequestID");
  if (attribute != message.attributes.end()) return from_request_id(attribute->second, box);
  static const std::string kField = "\"requestId\":\"";
  const size_t at = message.body.find(kField);
  if (at == std::string::npos) return std::nullopt;
  return from_request_id(message.body.substr(at + kField.size(), 36), box);
}

// From which more messages were deleted than handed out anew, under another key.
std::set<QueueId> queues_emptied(const Batch& batch) {
  std::map<QueueId, int> gone;
  for (const Mutation& mutation : batch.mutations) {
    if (const auto* erased = std::get_if<EraseMessage>(&mutation)) gone[erased->key.queue] += 1;
    const auto* put = std::get_if<PutMessage>(&mutation);
    if (put != nullptr && put->key.generation.value > 0) gone[put->key.queue] -= 1;
  }
  std::set<QueueId> emptied;
  for (const auto& [queue, count] : gone) {
    if (count > 0) emptied.insert(queue);
  }
  return emptied;
}

}  // namespace

SeenState seen(EndState state) {
  switch (state) {
    case EndState::succeeded: return SeenState::succeeded;
    case EndState::failed: return SeenState::failed;
    case EndState::cancelled: return SeenState::cancelled;
  }
  CHECK(!"a state without a name");
  return {};
}

std::string name_of(const EventId& id) {
  return std::to_string(id.function.value) + "/" + std::to_string(id.seq.value);
}

Witness::Witness(const config::Settings& settings)
    : checker_(rules_of(settings)),
      limits_(settings.limits),
      queue_settings_(settings.queues) {}

test::Hooks Witness::hooks() {
  test::Hooks hooks;
  hooks.on_step = [this](const core::Step& step) { stepped(step); };
  hooks.on_durable = [this](const Batch& batch) { durable(batch); };
  hooks.on_start = [this](const core::StartAttempt& start) { started(start); };
  hooks.on_reply = [this](test::Ticket ticket, const core::Answer& answer) {
    mix(ticket.value);
    mix(answer.index());
    if (on_reply) on_reply(ticket, answer);
  };
  hooks.on_dropped = [this](const core::StartAttempt& start) {
    checker_.attempt_ended(name_of(start.event), start.attempt.value,
                           test::HistoryChecker::Ended::failed);
  };
  hooks.on_taken_away = [this](const core::StartAttempt& start) {
    complain(name_of(start.event) + ": a worker came back in time and lost its attempt");
  };
  hooks.on_opened = [this](const Store& store, const std::string& wrong) {
    if (!wrong.empty()) complain(wrong);
    if (on_opened) on_opened(store);
  };
  return hooks;
}

std::vector<std::string> Witness::complaints() const {
  std::vector<std::string> all = complaints_;
  all.insert(all.end(), checker_.complaints().begin(), checker_.complaints().end());
  return all;
}

void Witness::mix(uint64_t number) { trace_ = (trace_ ^ number) * 1099511628211ull; }

// --- steps: an ending is whole -----------------------------------------------------

void Witness::stepped(const core::Step& step) {
  mix(step.seq.value);
  for (const Mutation& mutation : step.batch.mutations) mix(mutation.index());
  for (const core::Effect& effect : step.effects) mix(effect.index());
  if (world_ == nullptr) return;  // the first boot
  const std::set<QueueId> emptied = queues_emptied(step.batch);
  for (const core::Effect& effect : step.effects) {
    if (const auto* start = std::get_if<core::StartAttempt>(&effect)) check_start(*start, emptied);
  }
  StepContents contents;
  std::vector<const PutHistory*> endings;
  const BoxTag box = world_->core().ledger().box();
  for (const Mutation& mutation : step.batch.mutations) {
    if (const auto* ending = std::get_if<PutHistory>(&mutation)) {
      endings.push_back(ending);
    } else if (const auto* dead = std::get_if<PutDeadLetter>(&mutation)) {
      contents.dead.insert(dead->key.seq);
    } else if (const auto* erased = std::get_if<EraseEvent>(&mutation)) {
      contents.erased.insert(erased->id);
    } else if (const auto* message = std::get_if<PutMessage>(&mutation)) {
      if (message->key.generation.value > 0 && world_->free_bytes() < limits_.disk_free_min / 4) {
        complain("a message is handed out although the disk is too full");
      }
      if (const auto id = told_of(*message->record, box)) contents.records[*id] += 1;
    }
  }
  for (const PutHistory* ending : endings) check_ending(contents, *ending);
  look_at_queues();
}

void Witness::check_start(const core::StartAttempt& start, const std::set<QueueId>& emptied) {
  if (world_->free_bytes() < limits_.disk_free_min / 2) {
    complain(name_of(start.event) + ": an attempt starts although the disk is too full");
  }
  if (start.type == InvocationType::synchronous) return;
  // Full before and after this step, which took nothing out of it: there was no moment at
  // which it had room.
  const core::Ledger& ledger = world_->core().ledger();
  for (const auto& route : {start.settings->on_success, start.settings->on_failure,
                            start.settings->dead_letter}) {
    if (!route) continue;
    const QueueId queue = *ledger.find_queue(*route);
    if (full_queues_.contains(queue) && !emptied.contains(queue) &&
        ledger.queue(queue).bytes >= queue_settings_.at(*route).bytes_max) {
      complain(name_of(start.event) + ": an attempt starts although " + *route + " is full");
    }
  }
  const FunctionRecord& function = ledger.function(start.event.function);
  if (start.settings->dead_letters_full == config::DeadLettersFull::refuse &&
      function.dead_letters_bytes >= start.settings->dead_letters_bytes_max) {
    complain(name_of(start.event) + ": an attempt starts although its dead letters are full");
  }
}

void Witness::look_at_queues() {
  full_queues_.clear();
  for (const auto& [id, record] : world_->core().ledger().queues()) {
    if (record.bytes >= queue_settings_.at(record.name).bytes_max) full_queues_.insert(id);
  }
}

void Witness::check_ending(const StepContents& step, const PutHistory& ending) {
  const HistoryRecord& record = ending.record;
  const EventId& id = record.event;
  // A life of the daemon that never committed leaves its numbers to the next one.
  std::set<SeenRoute>& routes = routes_[ending.ending];
  routes.clear();
  if (record.type == InvocationType::synchronous) return;
  const bool dead = step.dead.contains(id.seq);
  if (dead != (record.state == EndState::failed)) complain(name_of(id) + ": half an ending");
  if (step.erased.contains(id) == dead) {
    complain(name_of(id) + ": its payload should go if it does not die");
  }
  const auto& settings = world_->core().backlog().at(id.function).settings;
  if (!settings || record.state == EndState::cancelled) return;
  if (record.state == EndState::succeeded && settings->on_success) {
    routes.insert(SeenRoute::on_success);
  }
  if (record.state == EndState::failed && settings->on_failure) {
    routes.insert(SeenRoute::on_failure);
  }
  if (record.state == EndState::failed && settings->dead_letter) {
    routes.insert(SeenRoute::dead_letter);
  }
  const size_t records = step.records.contains(id) ? step.records.at(id) : 0;
  if (records != routes.size()) {
    complain(name_of(id) + ": " + std::to_string(records) + " records in the step of its ending");
  }
}

// --- commits: what is kept -----------------------------------------------------------

void Witness::durable(const Batch& batch) {
  std::map<EventId, int64_t> expiries;
  std::set<EventId> claims;
  std::set<Seq> waiting;
  for (const Mutation& mutation : batch.mutations) {
    if (const auto* put = std::get_if<PutIdempotency>(&mutation)) {
      const IdempotencyRecord& record = *put->record;
      if (record.answer) expiries[record.event] = to_ms(record.expires_at);
      if (!record.answer) claims.insert(record.event);
    } else if (const auto* waits = std::get_if<PutWaiting>(&mutation)) {
      waiting.insert(waits->key.event.seq);
    }
  }
  for (const Mutation& mutation : batch.mutations) {
    if (const auto* event = std::get_if<PutEvent>(&mutation)) {
      checker_.seen(name_of(event->event->id), event->event->payload, now());
    } else if (const auto* put = std::get_if<PutHistory>(&mutation)) {
      const HistoryRecord& record = put->record;
      test::SeenEnding ending;
      ending.state = seen(record.state);
      ending.synchronous = record.type == InvocationType::synchronous;
      ending.retries_exhausted = record.condition == Condition::retries_exhausted;
      ending.failures = record.spent.failures;
      ending.interruptions = record.spent.interruptions;
      ending.attempt = record.spent.attempt.value;
      ending.routes = routes_[put->ending];
      if (expiries.contains(record.event)) ending.key_expires_at = expiries[record.event];
      checker_.ended(name_of(record.event), ending);
    } else if (const auto* dead = std::get_if<PutDeadLetter>(&mutation)) {
      checker_.dead_letter_appeared(name_of({dead->key.function, Lane{0}, dead->key.seq}));
    } else if (const auto* gone = std::get_if<EraseDeadLetter>(&mutation)) {
      const EventId id{gone->key.function, Lane{0}, gone->key.seq};
      waiting.contains(id.seq) ? checker_.redriven(name_of(id), claims.contains(id))
                               : checker_.discarded(name_of(id));
    } else if (const auto* message = std::get_if<PutMessage>(&mutation)) {
      message_kept(*message);
    }
  }
}

void Witness::message_kept(const PutMessage& put) {
  if (put.key.generation.value > 0) return;  // only moved
  const auto id = told_of(*put.record, world_->core().ledger().box());
  if (!id) return;
  const std::string& queue = world_->core().ledger().queue(put.key.queue).name;
  SeenRoute route = SeenRoute::on_success;
  if (queue == kFailureQueue) route = SeenRoute::on_failure;
  if (queue == kDeadLetterQueue) route = SeenRoute::dead_letter;
  checker_.destination_record(name_of(*id), route);
}

// Promise 2: the number of a started attempt is on disk, unless nothing of it ever is.
void Witness::started(const core::StartAttempt& start) {
  mix(start.event.seq.value);
  mix(start.attempt.value);
  const bool recorded =
      start.type == InvocationType::event || !start.idempotency_key.empty();
  bool found = !recorded;
  const Result<> scanned = world_->store().scan(
      {Family::running, running_key({start.event.seq, Generation{0}}),
       running_key({start.event.seq.next(), Generation{0}}), false},
      [&](std::string_view, std::string_view value) {
        const Result<RunningRecord> record = decode_running(value);
        CHECK(record);
        if (record->spent.attempt == start.attempt) found = true;
        return true;
      });
  CHECK(scanned);
  if (!found) complain(name_of(start.event) + ": an attempt started before it was on disk");
  checker_.attempt_started(name_of(start.event), start.attempt.value, *start.payload, now());
}

}  // namespace holdfast::sim
