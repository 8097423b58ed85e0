#include "daemon/core/admit.h"

#include <algorithm>

#include "daemon/core/retry.h"
#include "storage/limits.h"

namespace holdfast::core {
namespace {

// Rows of an ending without any payload: history, endings, tombstones, records.
constexpr uint64_t kEndingBytes = 2048;

std::string megabytes(uint64_t bytes) { return std::to_string(bytes >> 20) + " MiB"; }

}  // namespace

uint64_t reserve_for(uint64_t payload_bytes, const config::FunctionSettings& settings) {
  const uint64_t record = payload_bytes + payload_bytes / 3 + 1024;
  uint64_t failure = 0;
  if (settings.on_failure) failure += record;
  if (settings.dead_letter) failure += payload_bytes + 1024;
  const uint64_t success = settings.on_success ? record : 0;
  return kEndingBytes + std::max(failure, success);
}

Growth growth_of_one(const config::FunctionSettings& settings) {
  const uint64_t result =
      std::min<uint64_t>(settings.result_bytes_max, storage::kResultKeptBytesMax);
  const uint64_t attempts =
      std::min<uint64_t>(uint64_t{retries(settings.retry)} + 1, storage::kAttemptsKeptMax);
  Growth growth;
  growth.history = result + attempts * kAttemptBytesMax;
  growth.answers = result;
  if (settings.on_success) growth.results = in_base64(settings.result_bytes_max);
  return growth;
}

uint64_t growth_bytes(const Growth& growth, const GrowthRoom& room) {
  return std::min(growth.history, room.history) + std::min(growth.answers, room.answers) +
         std::min(growth.results, room.results);
}

std::optional<Refused> refuse(const AdmitQuestion& question) {
  const uint64_t owed =
      question.reserved_bytes + question.growth_bytes + question.space.written_bytes;
  const uint64_t wanted = question.disk_free_min + owed + question.event_bytes;
  if (question.space.free_bytes < wanted) {
    return Refused{Refusal::no_space,
                   "the disk is too full to accept events: " +
                       megabytes(question.space.free_bytes) + " free, " +
                       megabytes(question.disk_free_min) + " kept free (disk_free_min), " +
                       megabytes(owed) +
                       " set aside for accepted events. Free disk space; service resumes alone."};
  }
  if (question.dead_letters_full) {
    return Refused{Refusal::busy,
                   "the function's dead letters are full (dead_letters_bytes_max): redrive or "
                   "discard them, or raise the bound"};
  }
  if (question.full_queue) {
    return Refused{Refusal::busy, "the destination queue " + *question.full_queue +
                                      " is full (bytes_max): receive and delete its messages, or "
                                      "raise the bound"};
  }
  if (question.keyed && question.idempotency_bytes >= question.idempotency_bytes_max) {
    return Refused{Refusal::no_space,
                   "the remembered idempotency keys are full (idempotency_bytes_max): submit "
                   "without a key, wait for keys to expire, or raise the bound"};
  }
  return std::nullopt;
}

}  // namespace holdfast::core
