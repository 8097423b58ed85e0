// StoreAudit: what storage::verify() complains of, as the daemon's --verify does.
//
//    for (const std::string& complaint : audit(store)) ADD_FAILURE() << complaint;
#pragma once

#include <map>
#include <string>
#include <vector>

#include "storage/records.h"
#include "storage/store.h"

namespace holdfast::test {

std::vector<std::string> audit(const storage::Store& store);

// All rows, decoded, for checks that know more than a store can. A row that does not
// decode is a failed CHECK.
struct StoreContents {
  storage::StateRecord state;
  std::map<storage::FunctionId, storage::FunctionRecord> functions;
  std::map<storage::QueueId, storage::QueueRecord> queues;
  std::map<storage::EventId, storage::EventRecord> events;
  std::map<storage::EventId, std::vector<storage::WaitingRecord>> waiting;
  std::map<storage::Seq, std::vector<storage::RunningRecord>> running;
  std::map<storage::Seq, std::vector<storage::AttemptNumber>> attempts;
  std::map<storage::KeyHash, storage::IdempotencyRecord> keys;
  std::map<storage::Seq, storage::HistoryRecord> history;  // by ending
  std::map<storage::DeadLetterKey, storage::DeadLetterRecord> dead_letters;
  std::map<storage::MessageKey, storage::MessageRecord> messages;
  size_t due_rows = 0;
};
StoreContents contents_of(const storage::Store& store);

}  // namespace holdfast::test
