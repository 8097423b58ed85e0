// May this event be accepted?
//
// Rule    An event is accepted only while the free disk, less what the living events
//         may still need, stays above disk_free_min with it. That is the reserve of
//         each, and what all of them may add to history, keys and queues, as far as
//         those may still grow.
// Reason  Accepting pays for ending. A daemon that can neither take nor give is lost;
//         one that refuses early finishes what it has and resumes by itself.
//
// Rule    A function whose dead letters, or whose destination queues, are full accepts
//         no new events (unless the oldest dead letters may be dropped).
// Reason  Its endings would fill the disk of the others. Endings of what is accepted
//         are always written.
//
// Rule    Keyed events are refused while the keys are full.
// Reason  An unexpired key is never dropped: that would run an event twice.
#pragma once

#include <optional>

#include "config/settings.h"
#include "daemon/core/disk_room.h"
#include "daemon/core/effect.h"

namespace holdfast::core {

// What deciding needs to know; gathered by the caller, so that this stays a table.
struct AdmitQuestion {
  Space space;
  uint64_t disk_free_min = 0;
  uint64_t reserved_bytes = 0;  // of all living events
  uint64_t growth_bytes = 0;    // of all living events
  uint64_t event_bytes = 0;     // payload and reserve of this one
  bool dead_letters_full = false;
  std::optional<std::string> full_queue;  // name of a destination that is full
  bool keyed = false;
  uint64_t idempotency_bytes = 0;
  uint64_t idempotency_bytes_max = 0;
};
std::optional<Refused> refuse(const AdmitQuestion& question);

// Disk that the ending of an event may need besides what it has already and besides its
// growth: its rows, a dead letter's copy in a queue, an invocation record with the
// payload in base64. Attempts that failed are not in it: what they wrote is on the disk
// already, and what is to come of them start_gate.cc holds back.
uint64_t reserve_for(uint64_t payload_bytes, const config::FunctionSettings& settings);

// What endings may add to stores that have a bound of their own, at most. Of one event,
// or of many.
struct Growth {
  uint64_t history = 0;  // results and attempts
  uint64_t answers = 0;  // results in the answers of keys
  uint64_t results = 0;  // results in records for queues

  Growth times(uint64_t events) const {
    return {history * events, answers * events, results * events};
  }
  Growth& operator+=(const Growth& more) {
    history += more.history;
    answers += more.answers;
    results += more.results;
    return *this;
  }
  Growth& operator-=(const Growth& less) {
    history -= less.history;
    answers -= less.answers;
    results -= less.results;
    return *this;
  }
  bool operator==(const Growth&) const = default;
};
Growth growth_of_one(const config::FunctionSettings& settings);

// How far those stores may still grow; what is full grows no more.
struct GrowthRoom {
  uint64_t history = 0;
  uint64_t answers = 0;
  uint64_t results = 0;
};
uint64_t growth_bytes(const Growth& growth, const GrowthRoom& room);

}  // namespace holdfast::core
