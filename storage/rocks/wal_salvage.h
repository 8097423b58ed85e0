// WalSalvage: what stands behind the damage in the logs, intact, and is thrown away all
// the same when the loss is accepted. It tells which events that concerns.
//
//    Result<Loss> loss = salvage_wal(store, store.open_report().audit, "/var/lib/holdfast/db");
//    for (const LostEvent& event : loss->events) ...
//
// `store` is the same directory, opened for reading: it shows what is kept.
//
// Of logs that cannot be read at all, because their secret is gone, it tells nothing.
//
// Memory   one batch, and 60 bytes for each of kLostEventsMax events.
// Failure  Error{io} if a log cannot be read, or what the store says.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "storage/base/result.h"
#include "storage/ids.h"
#include "storage/rocks/rocks_store.h"
#include "storage/rocks/wal_audit.h"

namespace holdfast::storage {

inline constexpr size_t kLostEventsMax = 1u << 17;

struct LostEvent {
  EventId id;
  // It was accepted before the damage: it stays, and goes back to an earlier state. One
  // that is not kept is gone: it was accepted behind the damage, or was a call.
  bool kept = false;
};

struct Loss {
  uint64_t batch_count = 0;       // intact ones behind the damage
  uint64_t unreadable_count = 0;  // batches that are intact and not understood
  std::vector<LostEvent> events;  // that they concern; rising by seq
  bool all_events = true;         // false: there are more than kLostEventsMax

  // Numbers that were given out in the damaged part itself, [from, to), to events that
  // nothing here names; without `to` there is no telling how many.
  BoxTag box;
  Seq unnamed_from;
  std::optional<Seq> unnamed_to;

  // What the lost part had come to, so that nothing of it is numbered twice.
  Seq next_seq;
  FunctionId next_function;
  QueueId next_queue;
};

Result<Loss> salvage_wal(const RocksStore& store, const AuditReport& damage,
                         const std::string& directory);

}  // namespace holdfast::storage
