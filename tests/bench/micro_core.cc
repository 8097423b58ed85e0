#include "tests/bench/micro_core.h"

#include <utility>
#include <variant>

#include "storage/base/check.h"

namespace holdfast::bench {
namespace {

constexpr int64_t kBeginningMs = 1'772'000'000'000;  // a day in 2026
constexpr core::WorkerId kWorker{1};

config::Settings settings() {
  config::Settings settings;
  settings.limits.attempts_running_max = MicroCore::kConcurrency;
  settings.limits.idempotency_bytes_max = 1ull << 40;
  settings.functions["bench"].workers = true;
  settings.functions["bench"].concurrency_max = MicroCore::kConcurrency;
  return settings;
}

}  // namespace

MicroCore::MicroCore(Worker worker)
    : moment_{from_ms<TimePoint>(kBeginningMs), from_ms<LitPoint>(kBeginningMs),
              from_ms<WallTime>(kBeginningMs)} {
  storage::Recovered recovered;
  recovered.fresh_directory = true;
  lifecycle_ =
      std::make_unique<core::Lifecycle>(recovered, storage::BoxTag{1}, settings(), uint64_t{1});
  take(lifecycle_->started(moment_));
  if (worker == Worker::attached) {
    core::Attachment attachment;
    attachment.ticket = next_ticket();
    attachment.worker = kWorker;
    attachment.function = "bench";
    attachment.concurrency = kConcurrency;
    take(lifecycle_->worker_attached(std::move(attachment), moment_));
  }
  commit();
}

void MicroCore::submit(std::string payload, std::string key) {
  core::Submission submission;
  submission.ticket = next_ticket();
  submission.function = "bench";
  submission.payload = std::move(payload);
  submission.idempotency_key = std::move(key);
  take(lifecycle_->submitted(std::move(submission), moment_));
}

void MicroCore::take(core::Step step) {
  last_step_ = step.seq;
  gathering_.append(std::move(step.batch));
  for (core::Effect& effect : step.effects) {
    if (auto* start = std::get_if<core::StartAttempt>(&effect)) {
      started_.push_back(std::move(*start));
    } else if (const auto* reply = std::get_if<core::Reply>(&effect)) {
      CHECK(!std::holds_alternative<core::Refused>(reply->answer));
    }
  }
  for (const storage::KeyHash& hash : step.lookups) {
    take(lifecycle_->key_looked_up(hash, std::nullopt, moment_));
  }
}

storage::Batch MicroCore::commit() {
  storage::Batch batch = std::exchange(gathering_, {});
  batch.append(lifecycle_->seal({moment_.now, moment_.lit, "boot", to_ms(moment_.now)}));
  lifecycle_->committed(last_step_);
  const Duration tick{1};
  moment_.now += tick;
  moment_.lit += tick;
  moment_.wall += tick;
  moment_.up += tick;
  return batch;
}

void MicroCore::answer_all() {
  const std::vector<core::StartAttempt> started = std::exchange(started_, {});
  for (const core::StartAttempt& start : started) {
    take(lifecycle_->attempt_pushed(kWorker, start.event, start.attempt, moment_));
    take(lifecycle_->attempt_answered(next_ticket(), kWorker, start.event, start.attempt,
                                      {core::Succeeded{}, {}}, moment_));
  }
}

std::string micro_payload() { return std::string(kPayloadBytes, 'x'); }

storage::Batch batch_of_accepts(MicroCore& core, size_t count) {
  for (size_t n = 0; n < count; ++n) core.submit(micro_payload(), "");
  return core.commit();
}

}  // namespace holdfast::bench
