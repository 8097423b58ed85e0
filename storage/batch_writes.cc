#include "storage/batch_writes.h"

#include <algorithm>
#include <utility>

#include "storage/base/bytes.h"
#include "storage/base/check.h"
#include "storage/base/match.h"
#include "storage/codec.h"
#include "storage/keys.h"
#include "storage/limits.h"

namespace holdfast::storage {

// Each overload writes the rows of one mutation. How a row goes follows from the
// life of its family; see families.h.
class BatchWrites::RowWriter {
 public:
  explicit RowWriter(BatchWrites& writes) : writes_(writes) {}

  void operator()(const PutEvent& put_event) {
    CHECK(put_event.event != nullptr);
    put(Family::events, event_key(put_event.event->id), *put_event.event);
  }
  void operator()(const EraseEvent& erase) { remove(Family::events, event_key(erase.id)); }

  void operator()(const PutWaiting& put_waiting) {
    const WaitingKey& key = put_waiting.key;
    CHECK(put_waiting.record.due_at == key.due_at);
    put(Family::waiting, waiting_key(key.event, key.generation), put_waiting.record);
    put_number(Family::due, due_key(key),
               static_cast<uint64_t>(to_ms(put_waiting.record.spent.age_from)));
  }
  void operator()(const EraseWaiting& erase) {
    remove(Family::waiting, waiting_key(erase.key.event, erase.key.generation));
    remove(Family::due, due_key(erase.key));
  }

  void operator()(const PutRunning& put_running) {
    put(Family::running, running_key(put_running.key), put_running.record);
  }
  void operator()(const EraseRunning& erase) { remove(Family::running, running_key(erase.key)); }

  void operator()(const PutAttempt& put_attempt) {
    const AttemptRecord& record = put_attempt.record;
    put(Family::attempts, attempt_key(put_attempt.seq, record.attempt), record);
  }
  void operator()(const EraseAttempt& erase) {
    remove(Family::attempts, attempt_key(erase.seq, erase.attempt));
  }

  void operator()(const PutIdempotency& put_key) {
    CHECK(put_key.record != nullptr);
    put(Family::idempotency, idempotency_row_key(put_key.hash), *put_key.record);
  }
  void operator()(const EraseIdempotency& erase) {
    remove(Family::idempotency, idempotency_row_key(erase.hash));
  }

  void operator()(const PutHistory& put_history) {
    put(Family::history, history_key(put_history.ending), put_history.record);
    put_number(Family::endings, ending_key(put_history.record.event.seq),
               put_history.ending.value);
  }

  void operator()(const PutDeadLetter& put_dead) {
    put(Family::dead_letters, dead_letter_key(put_dead.key), put_dead.record);
  }
  void operator()(const EraseDeadLetter& erase) {
    remove(Family::dead_letters, dead_letter_key(erase.key));
  }

  void operator()(const PutMessage& put_message) {
    CHECK(put_message.record != nullptr);
    put(Family::destinations, message_key(put_message.key), *put_message.record);
  }
  void operator()(const EraseMessage& erase) {
    remove(Family::destinations, message_key(erase.key));
  }

  void operator()(const PutFunction& put_function) {
    put(Family::meta, function_key(put_function.id), put_function.record);
  }
  void operator()(const PutQueue& put_queue) {
    put(Family::meta, queue_key(put_queue.id), put_queue.record);
  }
  void operator()(const PutState& put_state) {
    // The first commit of a box says in which format everything after it is.
    if (put_state.record.batch_number <= 1) {
      put_number(Family::meta, kFormatKey, kFormat);
    }
    put(Family::meta, kStateKey, put_state.record);
  }

 private:
  template <class Record>
  void put(Family family, std::string_view key, const Record& record) {
    Write& row = writes_.next(family, WriteOp::put);
    row.key = key;
    encode_to(row.value, record);
  }
  void put_number(Family family, std::string_view key, uint64_t number) {
    Write& row = writes_.next(family, WriteOp::put);
    row.key = key;
    append_be64(row.value, number);
  }
  void remove(Family family, std::string_view key) {
    const KeyLife life = row_of(family).life;
    CHECK(life != KeyLife::cut_off);
    const WriteOp op = life == KeyLife::once ? WriteOp::single_delete : WriteOp::erase;
    writes_.next(family, op).key = key;
  }

  BatchWrites& writes_;
};

void BatchWrites::clear() {
  if (writes_.size() > kWritesKept) writes_.resize(kWritesKept);
  if (writes_.capacity() > 8 * kWritesKept) writes_.shrink_to_fit();  // after a burst
  // Rows behind these were left as they are by an earlier clear().
  for (size_t n = 0; n < std::min(used_, writes_.size()); ++n) {
    std::string& value = writes_[n].value;
    value.clear();
    if (value.capacity() > kWriteBytesKept) value.shrink_to_fit();
  }
  used_ = 0;
}

size_t BatchWrites::value_bytes_held() const {
  size_t bytes = 0;
  for (const Write& write : writes_) bytes += write.value.capacity();
  return bytes;
}

Write& BatchWrites::next(Family family, WriteOp op) {
  if (used_ == writes_.size()) writes_.emplace_back();
  Write& row = writes_[used_++];
  row.family = family;
  row.op = op;
  return row;  // its value was emptied by clear(), its key is overwritten
}

void BatchWrites::add(const Batch& batch) {
  RowWriter writer{*this};
  for (const Mutation& mutation : batch.mutations) std::visit(writer, mutation);
}

std::vector<Write> encode(const Batch& batch) {
  BatchWrites writes;
  writes.add(batch);
  return {writes.all().begin(), writes.all().end()};
}

}  // namespace holdfast::storage
