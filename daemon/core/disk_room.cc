#include "daemon/core/disk_room.h"

#include <algorithm>

#include "storage/base/match.h"
#include "storage/codec.h"
#include "storage/limits.h"

namespace holdfast::core {
namespace {

// A row beside its texts and payloads: key, times, numbers, and its place in a batch.
constexpr uint64_t kRowBytes = 160;
// Everything of one attempt, with the longest of texts.
constexpr uint64_t kAttemptBytesMax =
    storage::kLogTailBytesMax + storage::kErrorMessageBytesMax + 256;
// An invocation record beside payload and response.
constexpr uint64_t kRecordBytes = 1024;

uint64_t in_base64(uint64_t bytes) { return bytes + bytes / 3 + 4; }

}  // namespace

uint64_t bytes_of(const std::vector<storage::AttemptRecord>& attempts) {
  uint64_t bytes = 0;
  for (const auto& attempt : attempts) {
    bytes += 64 + attempt.error_type.size() + attempt.error_message.size();
    bytes += attempt.log_tail.size();
  }
  return bytes;
}

uint64_t bytes_written(const storage::Batch& batch) {
  const auto texts = match{
      [](const storage::PutEvent& put) {
        return put.event->payload.size() + put.event->idempotency_key.size();
      },
      [](const storage::PutAttempt& put) {
        return put.record.error_message.size() + put.record.log_tail.size();
      },
      [](const storage::PutIdempotency& put) { return storage::charged_bytes(put.record); },
      [](const storage::PutHistory& put) {
        return (put.record.result ? put.record.result->size() : 0) +
               put.record.error_message.size() + bytes_of(put.record.attempts);
      },
      [](const storage::PutDeadLetter& put) {
        return put.record.error_message.size() + bytes_of(put.record.attempts);
      },
      [](const storage::PutMessage& put) { return storage::charged_bytes_of_message(*put.record); },
      [](const auto&) { return uint64_t{0}; },  // of the other rows none has a long text
  };
  uint64_t bytes = 0;
  for (const storage::Mutation& mutation : batch.mutations) {
    bytes += kRowBytes + std::visit(texts, mutation);
  }
  return bytes;
}

uint64_t outcome_bytes_max(const storage::EventRecord& event, storage::InvocationType type,
                           const std::vector<storage::AttemptRecord>& earlier,
                           const config::FunctionSettings& settings) {
  const uint64_t payload = event.payload.size();
  const uint64_t result = std::min<uint64_t>(settings.result_bytes_max,
                                             storage::kResultKeptBytesMax);
  const uint64_t attempts = bytes_of(earlier) + kAttemptBytesMax;
  uint64_t always = 2 * kRowBytes + attempts;  // history, and its row in `endings`
  if (!event.idempotency_key.empty()) always += kRecordBytes;
  const uint64_t kept_results = event.idempotency_key.empty() ? result : 2 * result;
  if (type == storage::InvocationType::synchronous) return always + kept_results;
  uint64_t success = kept_results;
  if (settings.on_success) {
    success += in_base64(payload) + in_base64(settings.result_bytes_max) + kRecordBytes;
  }
  uint64_t failure = kRowBytes + attempts;  // the dead letter
  if (settings.on_failure) {
    failure += in_base64(payload) + storage::kErrorMessageBytesMax + kRecordBytes;
  }
  if (settings.dead_letter) failure += payload + kRecordBytes;
  return always + std::max(success, failure);
}

}  // namespace holdfast::core
