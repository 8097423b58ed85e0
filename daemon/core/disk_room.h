// DiskRoom: the disk as it was measured, what a step writes to it, and what the end of
// an attempt may write at most.
//
// Four things need room, and each stops at a floor of its own:
//
//   above disk_free_min     events, messages and calls with a key are taken (admit.h)
//   above half of it        attempts start, calls without a key among them, and
//                           events end because they are old
//   above a quarter of it   messages are handed out, which writes them anew
//   below                   what runs may end, and what gives room back is done: messages
//                           are deleted, dead letters discarded, events cancelled
//
// Reason  Whatever begins leaves room for what must end. A write that finds no room
//         stops the daemon, and the next start finds none either.
#pragma once

#include <cstdint>
#include <vector>

#include "config/settings.h"
#include "storage/batch.h"
#include "storage/limits.h"

namespace holdfast::core {

// The disk as last measured, and what was written since: the next measurement shows it.
struct Space {
  uint64_t free_bytes = UINT64_MAX;  // before the first measurement: not known, not full
  uint64_t written_bytes = 0;

  uint64_t left() const { return free_bytes < written_bytes ? 0 : free_bytes - written_bytes; }
};

// Above it attempts start.
inline uint64_t start_floor(const config::LimitSettings& limits) {
  return limits.disk_free_min / 2;
}
// Above it messages are handed out.
inline uint64_t hand_out_floor(const config::LimitSettings& limits) {
  return limits.disk_free_min / 4;
}

// What the rows of a batch take, keys and framing estimated.
uint64_t bytes_written(const storage::Batch& batch);

// Everything of one attempt, with the longest of texts.
inline constexpr uint64_t kAttemptBytesMax =
    storage::kLogTailBytesMax + storage::kErrorMessageBytesMax + 256;

constexpr uint64_t in_base64(uint64_t bytes) { return bytes + bytes / 3 + 4; }

// What a dead letter counts for beside payload and attempts.
inline constexpr uint64_t kDeadLetterBytes = 512;

// Most that the end of this attempt writes. `earlier` are the attempts before it.
struct OutcomeBytes {
  uint64_t all = 0;  // in all rows together
  // What it may count for where it is sent, and among its function's dead letters.
  uint64_t on_success = 0;
  uint64_t on_failure = 0;
  uint64_t dead_letter_message = 0;
  uint64_t dead_letter = 0;
};
OutcomeBytes outcome_bytes_max(const storage::EventRecord& event, storage::InvocationType type,
                               const std::vector<storage::AttemptRecord>& earlier,
                               const config::FunctionSettings& settings);

}  // namespace holdfast::core
