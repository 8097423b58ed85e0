// QueueModel: what consumers may see of messages, kept in the most obvious way.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "storage/records.h"
#include "storage/store.h"

namespace holdfast::sim {

class QueueModel {
 public:
  void sent(storage::Seq message, const std::string& body) { bodies_[message] = body; }
  void received(const storage::MessageKey& receipt, const storage::MessageRecord& record,
                TimePoint now);
  // A deletion was asked for; its answer may never come.
  void deleting(const storage::MessageKey& receipt) { maybe_gone_.insert(receipt.seq); }
  void deleted(const storage::MessageKey& receipt);

  // Every message that was sent and not deleted is there, and none that was.
  void check(const storage::Store& store);

  std::vector<std::string> complaints;

 private:
  std::map<storage::Seq, std::string> bodies_;  // of acknowledged messages
  std::map<storage::Seq, storage::MessageKey> newest_receipt_;
  std::set<storage::Seq> maybe_gone_;
  std::set<storage::Seq> gone_;
};

}  // namespace holdfast::sim
