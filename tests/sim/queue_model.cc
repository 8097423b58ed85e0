#include "tests/sim/queue_model.h"

#include "tests/support/store_audit.h"

namespace holdfast::sim {

using storage::MessageKey;
using storage::Seq;

void QueueModel::received(const MessageKey& receipt, const storage::MessageRecord& record,
                          TimePoint now) {
  const std::string name = "message " + std::to_string(receipt.seq.value);
  if (gone_.contains(receipt.seq)) {
    complaints.push_back(name + " was handed out after its deletion");
  }
  auto sent = bodies_.find(receipt.seq);
  if (sent != bodies_.end() && sent->second != record.body) {
    complaints.push_back(name + " changed its body");
  }
  auto newest = newest_receipt_.find(receipt.seq);
  if (newest != newest_receipt_.end()) {
    if (receipt.generation <= newest->second.generation) {
      complaints.push_back(name + " was handed out with an old receipt");
    }
    if (now < newest->second.visible_at) {
      complaints.push_back(name + " was handed out while it was hidden");
    }
  }
  newest_receipt_[receipt.seq] = receipt;
}

void QueueModel::deleted(const MessageKey& receipt) {
  const std::string name = "message " + std::to_string(receipt.seq.value);
  if (!gone_.insert(receipt.seq).second) complaints.push_back(name + " was deleted twice");
  if (newest_receipt_[receipt.seq].generation > receipt.generation) {
    complaints.push_back(name + " was deleted with an outdated receipt");
  }
}

void QueueModel::check(const storage::Store& store) {
  std::set<Seq> kept;
  for (const auto& [key, record] : test::contents_of(store).messages) kept.insert(key.seq);
  for (const auto& [seq, body] : bodies_) {
    if (!kept.contains(seq) && !maybe_gone_.contains(seq)) complaints.push_back(body + " is lost");
  }
  for (Seq seq : gone_) {
    if (kept.contains(seq)) {
      complaints.push_back("message " + std::to_string(seq.value) + " came back");
    }
  }
}

}  // namespace holdfast::sim
