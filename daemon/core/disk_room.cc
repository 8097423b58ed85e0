#include "daemon/core/disk_room.h"

#include <algorithm>

#include "storage/base/match.h"
#include "storage/codec.h"
#include "storage/limits.h"

namespace holdfast::core {
namespace {

// A row beside its texts and payloads: key, times, numbers, and its place in a batch.
constexpr uint64_t kRowBytes = 160;
// An invocation record beside payload and response.
constexpr uint64_t kRecordBytes = 1024;

}  // namespace

uint64_t bytes_written(const storage::Batch& batch) {
  const auto texts = match{
      [](const storage::PutEvent& put) {
        return put.event->payload.size() + put.event->idempotency_key.size();
      },
      [](const storage::PutAttempt& put) {
        return put.record.error_message.size() + put.record.log_tail.size();
      },
      [](const storage::PutIdempotency& put) { return storage::charged_bytes(*put.record); },
      [](const storage::PutHistory& put) {
        return storage::charged_bytes(put.record) + put.record.error_message.size();
      },
      [](const storage::PutDeadLetter& put) {
        return put.record.error_message.size() + storage::charged_bytes(put.record.attempts);
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

OutcomeBytes outcome_bytes_max(const storage::EventRecord& event, storage::InvocationType type,
                               const std::vector<storage::AttemptRecord>& earlier,
                               const config::FunctionSettings& settings) {
  const uint64_t payload = event.payload.size();
  const uint64_t attempts = storage::charged_bytes(earlier) + kAttemptBytesMax;
  const bool keyed = !event.idempotency_key.empty();
  const uint64_t result =
      std::min<uint64_t>(settings.result_bytes_max, storage::kResultKeptBytesMax);
  OutcomeBytes bytes;
  // History, its row in `endings`, the stored answer.
  const uint64_t always = 2 * kRowBytes + attempts + (keyed ? kRecordBytes : 0);
  uint64_t success = keyed ? 2 * result : result;
  if (type == storage::InvocationType::synchronous) {
    bytes.all = always + success;
    return bytes;
  }
  if (settings.on_success) {
    bytes.on_success = in_base64(payload) + in_base64(settings.result_bytes_max) + kRecordBytes;
  }
  if (settings.on_failure) {
    bytes.on_failure = in_base64(payload) + storage::kErrorMessageBytesMax + kRecordBytes;
  }
  if (settings.dead_letter) bytes.dead_letter_message = payload + 2 * kRecordBytes;
  bytes.dead_letter = payload + attempts + kDeadLetterBytes;
  success += bytes.on_success;
  const uint64_t failure =
      kDeadLetterBytes + attempts + bytes.on_failure + bytes.dead_letter_message;
  bytes.all = always + std::max(success, failure);
  return bytes;
}

}  // namespace holdfast::core
