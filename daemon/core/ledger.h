// Ledger: the counters and numbers that every commit carries along, so that they are
// exact after any crash: the seq counter, per-function heads and counts, the disk set
// aside, the history's marks.
//
// Changes gather in memory; seal() turns what changed since the last one into the
// meta rows of the commit:
//
//    ledger.change(function).fresh += 1;       // marks the function's row
//    Batch meta = ledger.seal(clock_stamp, Seal::next);    // written last
//
// Threads  the loop's. Failure  none: it is memory.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "storage/batch.h"
#include "storage/limits.h"
#include "storage/pages.h"

namespace holdfast::core {

// For which commit: a new one, or the one before, which has not been taken yet and gets
// more. Its rows of the earlier seal are replaced by those of the later one.
enum class Seal : uint8_t { next, again };

class Ledger {
 public:
  // `box` names this state directory if it is a fresh one. Skips
  // kSeqsSkippedAtStart seqs.
  Ledger(const storage::Recovered& recovered, storage::BoxTag box);

  storage::Seq take_seq();
  storage::BoxTag box() const { return state_.box; }

  const storage::StateRecord& state() const { return state_; }
  storage::StateRecord& change() { return state_; }

  // The id a name has, or is given now.
  storage::FunctionId function_named(const std::string& name);
  storage::QueueId queue_named(const std::string& name);
  std::optional<storage::FunctionId> find_function(std::string_view name) const;
  std::optional<storage::QueueId> find_queue(std::string_view name) const;

  const std::map<storage::FunctionId, storage::FunctionRecord>& functions() const {
    return functions_;
  }
  const std::map<storage::QueueId, storage::QueueRecord>& queues() const { return queues_; }

  const storage::FunctionRecord& function(storage::FunctionId id) const {
    return functions_.at(id);
  }
  const storage::QueueRecord& queue(storage::QueueId id) const { return queues_.at(id); }
  storage::FunctionRecord& change(storage::FunctionId id);
  storage::QueueRecord& change(storage::QueueId id);

  // Those whose row the next seal writes.
  std::vector<storage::FunctionId> changed_functions() const {
    return {changed_functions_.begin(), changed_functions_.end()};
  }

  // The meta rows of everything changed since the last seal.
  storage::Batch seal(const storage::ClockStamp& clock, Seal seal);

  // The state alone has changed, and must not wait for somebody else's commit.
  void want_commit() { commit_wanted_ = true; }

  // True when there is something to commit although no event asked for it: seqs were
  // handed out unwritten (synchronous calls) and the next start must skip them all.
  bool wants_commit() const;

 private:
  storage::StateRecord state_;
  std::map<storage::FunctionId, storage::FunctionRecord> functions_;
  std::map<storage::QueueId, storage::QueueRecord> queues_;
  std::map<std::string, storage::FunctionId, std::less<>> function_ids_;
  std::map<std::string, storage::QueueId, std::less<>> queue_ids_;
  std::set<storage::FunctionId> changed_functions_;
  std::set<storage::QueueId> changed_queues_;
  storage::Seq sealed_seq_;
  bool commit_wanted_ = false;
};

}  // namespace holdfast::core
