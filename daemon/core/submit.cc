// Accepting: checks, idempotency keys, admission, synchronous calls.
#include <utility>

#include "daemon/core/lifecycle.h"
#include "storage/base/check.h"
#include "storage/base/mutant.h"
#include "storage/codec.h"

namespace holdfast::core {

using storage::IdempotencyRecord;
using storage::InvocationType;

namespace {

bool has_expired(const IdempotencyRecord& record, LitPoint now) {
  return record.answer.has_value() && record.expires_at <= now;
}

std::string bytes_text(uint64_t bytes) { return std::to_string(bytes) + " bytes"; }

// The first two rows of an event: acceptance, and the running row of a first attempt.
constexpr uint64_t kAcceptedBytes = 512;

}  // namespace

std::optional<storage::KeyHash> Lifecycle::key_to_look_up(const Submission& submission) const {
  if (draining_ || submission.dry_run || submission.idempotency_key.empty()) return std::nullopt;
  const Function* function = backlog_.find(submission.function);
  if (function == nullptr) return std::nullopt;
  const storage::KeyHash hash = storage::hash_of_key(function->id, submission.idempotency_key);
  return keys_.overrules_disk(hash) ? std::nullopt : std::optional{hash};
}

Step Lifecycle::submitted(Submission submission, const Moment& moment,
                          const std::optional<KeyOnDisk>& on_disk) {
  Step step = begin();
  const auto refuse = [&](Refusal refusal, std::string message) {
    step.effects.push_back(Reply{submission.ticket, Refused{refusal, std::move(message)}});
  };
  const Function* function = backlog_.find(submission.function);
  const uint64_t payload_bytes_max = submission.type == InvocationType::event
                                         ? storage::kEventPayloadBytesMax
                                         : storage::kSynchronousPayloadBytesMax;
  if (draining_) {
    refuse(Refusal::unavailable, "the daemon is stopping; nothing was kept. Reconnect and repeat");
  } else if (function == nullptr || !function->settings) {
    refuse(Refusal::not_found, "there is no function " + submission.function +
                                   " in the configuration: add [functions." +
                                   submission.function + "] and reload");
  } else if (submission.payload.size() > payload_bytes_max) {
    refuse(Refusal::too_large, "the payload has " + bytes_text(submission.payload.size()) +
                                   ", more than the " + bytes_text(payload_bytes_max) +
                                   " allowed");
  } else if (submission.idempotency_key.empty() || submission.dry_run) {
    decide(step, std::move(submission), KeyUse{}, moment);
  } else if (on_disk) {
    decide(step, std::move(submission),
           KeyUse{on_disk->hash, on_disk->record ? &*on_disk->record : nullptr}, moment);
  } else {
    const storage::KeyHash hash =
        storage::hash_of_key(function->id, submission.idempotency_key);
    if (keys_.looking_up(hash)) {
      keys_.wait(hash, std::move(submission));
    } else if (keys_.overrules_disk(hash)) {
      decide(step, std::move(submission), KeyUse{hash, keys_.find(hash)}, moment);
    } else {
      keys_.wait(hash, std::move(submission));
      step.lookups.push_back(hash);
    }
  }
  return finish(std::move(step), moment);
}

Step Lifecycle::key_looked_up(const storage::KeyHash& hash, std::optional<IdempotencyRecord> record,
                              const Moment& moment) {
  Step step = begin();
  for (KeyWaiter& waiter : keys_.take_waiters(hash)) {
    // Whoever came before in this loop, or an ending meanwhile, overrules the disk.
    const IdempotencyRecord* newest = record ? &*record : nullptr;
    const IdempotencyRecord* changed = keys_.find(hash);
    if (changed != nullptr && !broken(Mutant::lookup_answered_stale)) newest = changed;
    if (keys_.is_erased(hash)) newest = nullptr;
    if (auto* submission = std::get_if<Submission>(&waiter)) {
      if (draining_) {
        step.effects.push_back(
            Reply{submission->ticket,
                  Refused{Refusal::unavailable, "the daemon is stopping; nothing was kept"}});
        continue;
      }
      decide(step, std::move(*submission), KeyUse{hash, newest}, moment);
    } else {
      key_known_for_redrive(step, std::get<RedriveRow>(waiter), KeyUse{hash, newest}, moment);
    }
  }
  keys_.lookup_finished(hash, durable_);
  return finish(std::move(step), moment);
}

void Lifecycle::decide(Step& step, Submission submission, const KeyUse& key,
                       const Moment& moment) {
  const LitPoint now = broken(Mutant::expiry_by_wall_clock)
                           ? from_ms<LitPoint>(to_ms(moment.wall))
                           : moment.lit;
  if (key.known != nullptr && !has_expired(*key.known, now)) {
    answer_duplicate(step, submission, *key.known);
    return;
  }
  Function* function = backlog_.find(submission.function);
  CHECK(function != nullptr);
  if (!function->settings) {  // a reload took it away while the key was looked up
    step.effects.push_back(Reply{
        submission.ticket, Refused{Refusal::not_found, "there is no function " +
                                                           submission.function +
                                                           " in the configuration any more"}});
    return;
  }
  if (auto refused = refuse_submission(*function, submission)) {
    step.effects.push_back(Reply{submission.ticket, std::move(*refused)});
    return;
  }
  if (submission.dry_run) {
    step.effects.push_back(Reply{submission.ticket, DryRunPassed{}});
    return;
  }
  if (submission.type == InvocationType::event) {
    accept(step, *function, std::move(submission), key, moment);
  } else {
    call(step, *function, std::move(submission), key, moment);
  }
}

void Lifecycle::answer_duplicate(Step& step, const Submission& submission,
                                 const IdempotencyRecord& known) {
  const bool same = known.key == submission.idempotency_key &&
                    known.payload_hash == storage::hash_of_payload(submission.payload);
  if (!same) {
    step.effects.push_back(
        Reply{submission.ticket,
              Refused{Refusal::key_conflict,
                      "this IdempotencyKey was used with another payload; use a key per request"}});
    return;
  }
  const bool both_calls =
      submission.type == InvocationType::synchronous && known.type == InvocationType::synchronous;
  if (!both_calls) {
    step.effects.push_back(Reply{submission.ticket, Accepted{known.event, true, known.answer}});
  } else if (known.answer) {
    step.effects.push_back(Reply{submission.ticket, Returned{known.event, true, *known.answer}});
  } else {
    auto running = running_.find(known.event.seq);
    CHECK(running != running_.end());  // a call without an answer runs in this life of ours
    running->second.callers.push_back(submission.ticket);
  }
}

std::optional<Refused> Lifecycle::refuse_submission(const Function& function,
                                                    const Submission& submission) {
  const config::FunctionSettings& settings = *function.settings;
  if (submission.type == InvocationType::synchronous) {
    if (submission.dry_run) return std::nullopt;
    if (!has_disk()) {
      return Refused{Refusal::no_space,
                     "the disk is too full for any attempt to start (half of disk_free_min): free "
                     "disk space; service resumes alone"};
    }
    const bool any_worker = settings.workers && workers_.attached(function.id) > 0;
    if (!function.has_command() && !any_worker) {
      return Refused{Refusal::unavailable,
                     function.broken.empty()
                         ? "no worker of this function is attached: start one, or invoke it as "
                           "Event"
                         : "the function's command does not start: " + function.broken};
    }
    if (!function.has_call_slot()) {
      return Refused{Refusal::busy,
                     function.has_handler(function.claims())
                         ? "all " + std::to_string(settings.concurrency_max) +
                               " slots of the function are taken (concurrency_max); repeat, or "
                               "invoke it as Event"
                         : "all attached workers of the function are busy; repeat, or invoke it "
                           "as Event"};
    }
    if (!has_call_slot() || !has_memory()) {
      return Refused{Refusal::busy,
                     "no attempt more can run on this box now (attempts_running_max, memory_max); "
                     "repeat, or invoke it as Event"};
    }
    if (submission.idempotency_key.empty()) return std::nullopt;
  }
  AdmitQuestion question = ask_for_disk(submission.payload.size() + kAcceptedBytes +
                                        reserve_for(submission.payload.size(), settings));
  question.keyed = !submission.idempotency_key.empty();
  if (submission.type == InvocationType::event) {
    question.dead_letters_full =
        settings.dead_letters_full == config::DeadLettersFull::refuse &&
        ledger_.function(function.id).dead_letters_bytes >= settings.dead_letters_bytes_max;
    for (const auto* queue : {&settings.on_success, &settings.on_failure, &settings.dead_letter}) {
      if (!*queue) continue;
      const auto id = ledger_.find_queue(**queue);
      if (id && queues_.full(*id)) question.full_queue = **queue;
    }
  }
  return core::refuse(question);
}

EventPtr Lifecycle::make_event(const Function& function, Submission& submission,
                               const Moment& moment) {
  auto event = std::make_shared<storage::EventRecord>();
  event->id = EventId{function.id, storage::Lane{0}, ledger_.take_seq()};
  event->accepted_at = moment.now;
  event->accepted_wall = moment.wall;
  event->age_from = moment.lit + submission.delay;
  event->delayed = submission.delay > Duration::zero();
  event->idempotency_key = std::move(submission.idempotency_key);
  event->payload = std::move(submission.payload);
  event->reserved_bytes = reserve_for(event->payload.size(), *function.settings);
  return event;
}

void Lifecycle::accept(Step& step, Function& function, Submission submission, const KeyUse& key,
                       const Moment& moment) {
  const EventPtr event = make_event(function, submission, moment);
  step.batch.push(storage::PutEvent{event});
  if (!event->idempotency_key.empty()) {
    IdempotencyRecord record;
    record.function = function.id;
    record.key = event->idempotency_key;
    record.event = event->id;
    record.type = InvocationType::event;
    record.payload_hash = storage::hash_of_payload(event->payload);
    put_key(step, key, std::move(record));
  }
  storage::FunctionRecord& counts = ledger_.change(function.id);
  storage::StateRecord& state = ledger_.change();
  state.accepted += 1;
  state.reserved_bytes += event->reserved_bytes;
  growth_ += function.growth;

  if (event->delayed) {
    storage::Spent spent;
    spent.age_from = event->age_from;
    const storage::WaitingKey row{event->id, moment.now + submission.delay,
                                  storage::Generation{1}};
    step.batch.push(storage::PutWaiting{row, storage::WaitingRecord{row.due_at, spent}});
    counts.waiting += 1;
    backlog_.add_due(function, DueKey{row.due_at, event->id.seq, row.generation}, spent.age_from);
  } else {
    counts.fresh += 1;
    backlog_.add_fresh(function, event);
  }
  touch(function);
  step.effects.push_back(Reply{submission.ticket, Accepted{event->id, false, std::nullopt}});
}

void Lifecycle::call(Step& step, Function& function, Submission submission, const KeyUse& key,
                     const Moment& moment) {
  Running running;
  running.type = InvocationType::synchronous;
  running.callers.push_back(submission.ticket);
  running.record = make_event(function, submission, moment);
  running.event = running.record->id;
  running.spent.age_from = moment.lit;
  if (!running.record->idempotency_key.empty()) {
    running.payload_hash = storage::hash_of_payload(running.record->payload);
    IdempotencyRecord record;
    record.function = function.id;
    record.key = running.record->idempotency_key;
    record.event = running.event;
    record.type = InvocationType::synchronous;
    record.payload_hash = *running.payload_hash;
    put_key(step, key, std::move(record));
    running.recorded = true;
  }
  start(step, function, std::move(running), moment);
}

void Lifecycle::put_key(Step& step, const KeyUse& key, IdempotencyRecord record) {
  uint64_t& bytes = ledger_.change().idempotency_bytes;
  if (key.known != nullptr) {
    const uint64_t before = storage::charged_bytes(*key.known);
    CHECK(bytes >= before);
    bytes -= before;
  }
  bytes += storage::charged_bytes(record);
  auto shared = std::make_shared<const IdempotencyRecord>(std::move(record));
  step.batch.push(storage::PutIdempotency{key.hash, shared});
  keys_.changed(key.hash, std::move(shared), step.seq);
}

}  // namespace holdfast::core
