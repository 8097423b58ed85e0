// Batch: mutations that become durable together. Typed here; codec.h turns each
// into the rows it touches, on the thread that commits.
//
//    Batch batch;
//    batch.push(EraseRunning{running});
//    batch.push(PutHistory{ending, history});
#pragma once

#include <algorithm>
#include <iterator>
#include <utility>
#include <variant>
#include <vector>

#include "storage/records.h"

namespace holdfast::storage {

struct PutEvent {
  EventPtr event;
};
struct EraseEvent {
  EventId id;
};
// The `waiting` row and its twin in `due`.
struct PutWaiting {
  WaitingKey key;
  WaitingRecord record;
};
struct EraseWaiting {
  WaitingKey key;
};
struct PutRunning {
  RunningKey key;
  RunningRecord record;
};
struct EraseRunning {
  RunningKey key;
};
struct PutAttempt {
  Seq seq;
  AttemptRecord record;
};
struct EraseAttempt {
  Seq seq;
  AttemptNumber attempt;
};
struct PutIdempotency {
  KeyHash hash;
  IdempotencyPtr record;
};
struct EraseIdempotency {
  KeyHash hash;
};
// The `history` row and the `endings` row that finds it by event.
struct PutHistory {
  Seq ending;
  HistoryRecord record;
};
struct PutDeadLetter {
  DeadLetterKey key;
  DeadLetterRecord record;
};
struct EraseDeadLetter {
  DeadLetterKey key;
};
struct PutMessage {
  MessageKey key;
  std::shared_ptr<const MessageRecord> record;
};
struct EraseMessage {
  MessageKey key;
};
struct PutFunction {
  FunctionId id;
  FunctionRecord record;
};
struct PutQueue {
  QueueId id;
  QueueRecord record;
};
struct PutState {
  StateRecord record;
};

using Mutation =
    std::variant<PutEvent, EraseEvent, PutWaiting, EraseWaiting, PutRunning, EraseRunning,
                 PutAttempt, EraseAttempt, PutIdempotency, EraseIdempotency, PutHistory,
                 PutDeadLetter, EraseDeadLetter, PutMessage, EraseMessage, PutFunction, PutQueue,
                 PutState>;

// Whether the later one of two would write the same meta row. No other rows are asked for.
inline bool same_meta_row(const Mutation& one, const Mutation& other) {
  if (one.index() != other.index()) return false;
  if (const auto* function = std::get_if<PutFunction>(&one)) {
    return function->id == std::get<PutFunction>(other).id;
  }
  if (const auto* queue = std::get_if<PutQueue>(&one)) {
    return queue->id == std::get<PutQueue>(other).id;
  }
  return std::holds_alternative<PutState>(one);
}

struct Batch {
  static constexpr size_t kMutationsPerStep = 3;  // most have no more

  std::vector<Mutation> mutations;

  void push(Mutation mutation) {
    if (mutations.capacity() == 0) mutations.reserve(kMutationsPerStep);
    mutations.push_back(std::move(mutation));
  }
  void append(Batch&& later) {
    mutations.insert(mutations.end(), std::make_move_iterator(later.mutations.begin()),
                     std::make_move_iterator(later.mutations.end()));
    later.mutations.clear();
  }
  // Of meta rows only: those that `later` writes too are replaced.
  void overlay(Batch&& later) {
    for (Mutation& mutation : later.mutations) {
      const auto same = std::ranges::find_if(
          mutations, [&](const Mutation& old) { return same_meta_row(old, mutation); });
      if (same == mutations.end()) {
        mutations.push_back(std::move(mutation));
      } else {
        *same = std::move(mutation);
      }
    }
    later.mutations.clear();
  }
  bool empty() const { return mutations.empty(); }
};

}  // namespace holdfast::storage
