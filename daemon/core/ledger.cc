#include "daemon/core/ledger.h"

#include "storage/base/check.h"

namespace holdfast::core {

using storage::FunctionId;
using storage::QueueId;
using storage::Seq;

Ledger::Ledger(const storage::Recovered& recovered, storage::BoxTag box)
    : state_(recovered.state),
      functions_(recovered.functions.begin(), recovered.functions.end()),
      queues_(recovered.queues.begin(), recovered.queues.end()) {
  if (recovered.fresh_directory) {
    state_ = storage::StateRecord{};
    state_.box = box;
    state_.next_seq = Seq{1};
    state_.next_function = FunctionId{1};
    state_.next_queue = QueueId{1};
    state_.history_cutoff = Seq{1};
  }
  // What was skipped counts as handed out, so a start wants a commit: otherwise the
  // start after a crash would skip to the same seqs, and give them a second time.
  sealed_seq_ = state_.next_seq;
  state_.next_seq = Seq{state_.next_seq.value + storage::kSeqsSkippedAtStart};
  for (const auto& [id, record] : functions_) function_ids_.emplace(record.name, id);
  for (const auto& [id, record] : queues_) queue_ids_.emplace(record.name, id);
}

Seq Ledger::take_seq() {
  const Seq seq = state_.next_seq;
  state_.next_seq = seq.next();
  return seq;
}

FunctionId Ledger::function_named(const std::string& name) {
  if (auto known = find_function(name)) return *known;
  const FunctionId id = state_.next_function;
  state_.next_function = id.next();
  storage::FunctionRecord record;
  record.name = name;
  record.head = state_.next_seq;
  functions_.emplace(id, std::move(record));
  function_ids_.emplace(name, id);
  changed_functions_.insert(id);
  return id;
}

QueueId Ledger::queue_named(const std::string& name) {
  if (auto known = find_queue(name)) return *known;
  const QueueId id = state_.next_queue;
  state_.next_queue = id.next();
  storage::QueueRecord record;
  record.name = name;
  queues_.emplace(id, std::move(record));
  queue_ids_.emplace(name, id);
  changed_queues_.insert(id);
  return id;
}

std::optional<FunctionId> Ledger::find_function(std::string_view name) const {
  auto at = function_ids_.find(name);
  if (at == function_ids_.end()) return std::nullopt;
  return at->second;
}

std::optional<QueueId> Ledger::find_queue(std::string_view name) const {
  auto at = queue_ids_.find(name);
  if (at == queue_ids_.end()) return std::nullopt;
  return at->second;
}

storage::FunctionRecord& Ledger::change(FunctionId id) {
  changed_functions_.insert(id);
  return functions_.at(id);
}

storage::QueueRecord& Ledger::change(QueueId id) {
  changed_queues_.insert(id);
  return queues_.at(id);
}

storage::Batch Ledger::seal(const storage::ClockStamp& clock, Seal seal) {
  storage::Batch batch;
  for (FunctionId id : changed_functions_) {
    batch.push(storage::PutFunction{id, functions_.at(id)});
  }
  for (QueueId id : changed_queues_) batch.push(storage::PutQueue{id, queues_.at(id)});
  changed_functions_.clear();
  changed_queues_.clear();

  state_.clock = clock;
  if (seal == Seal::next) state_.batch_number += 1;
  batch.push(storage::PutState{state_});
  sealed_seq_ = state_.next_seq;
  commit_wanted_ = false;
  return batch;
}

bool Ledger::wants_commit() const {
  return commit_wanted_ ||
         state_.next_seq.value - sealed_seq_.value >= storage::kSeqsSkippedAtStart / 2 ||
         !changed_functions_.empty() || !changed_queues_.empty();
}

}  // namespace holdfast::core
