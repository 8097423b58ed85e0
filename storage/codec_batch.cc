#include <iterator>

#include "storage/base/bytes.h"
#include "storage/base/check.h"
#include "storage/base/match.h"
#include "storage/codec.h"
#include "storage/keys.h"
#include "storage/limits.h"

namespace holdfast::storage {

namespace {

std::string big_endian(uint64_t number) {
  std::string bytes;
  append_be64(bytes, number);
  return bytes;
}

// Each overload writes the rows of one mutation. How a row goes follows from the
// life of its family; see families.h.
class RowWriter {
 public:
  explicit RowWriter(std::vector<Write>& rows) : rows_(rows) {}

  void operator()(const PutEvent& put_event) {
    CHECK(put_event.event != nullptr);
    put(Family::events, event_key(put_event.event->id), encode(*put_event.event));
  }
  void operator()(const EraseEvent& erase) { remove(Family::events, event_key(erase.id)); }

  void operator()(const PutWaiting& put_waiting) {
    const WaitingKey& key = put_waiting.key;
    CHECK(put_waiting.record.due_at == key.due_at);
    put(Family::waiting, waiting_key(key.event, key.generation), encode(put_waiting.record));
    std::string age_from;
    append_be64(age_from, static_cast<uint64_t>(to_ms(put_waiting.record.spent.age_from)));
    put(Family::due, due_key(key), std::move(age_from));
  }
  void operator()(const EraseWaiting& erase) {
    remove(Family::waiting, waiting_key(erase.key.event, erase.key.generation));
    remove(Family::due, due_key(erase.key));
  }

  void operator()(const PutRunning& put_running) {
    put(Family::running, running_key(put_running.key), encode(put_running.record));
  }
  void operator()(const EraseRunning& erase) { remove(Family::running, running_key(erase.key)); }

  void operator()(const PutAttempt& put_attempt) {
    const AttemptRecord& record = put_attempt.record;
    put(Family::attempts, attempt_key(put_attempt.seq, record.attempt), encode(record));
  }
  void operator()(const EraseAttempt& erase) {
    remove(Family::attempts, attempt_key(erase.seq, erase.attempt));
  }

  void operator()(const PutIdempotency& put_key) {
    put(Family::idempotency, idempotency_row_key(put_key.hash), encode(put_key.record));
  }
  void operator()(const EraseIdempotency& erase) {
    remove(Family::idempotency, idempotency_row_key(erase.hash));
  }

  void operator()(const PutHistory& put_history) {
    put(Family::history, history_key(put_history.ending), encode(put_history.record));
    put(Family::endings, ending_key(put_history.record.event.seq),
        big_endian(put_history.ending.value));
  }

  void operator()(const PutDeadLetter& put_dead) {
    put(Family::dead_letters, dead_letter_key(put_dead.key), encode(put_dead.record));
  }
  void operator()(const EraseDeadLetter& erase) {
    remove(Family::dead_letters, dead_letter_key(erase.key));
  }

  void operator()(const PutMessage& put_message) {
    CHECK(put_message.record != nullptr);
    put(Family::destinations, message_key(put_message.key), encode(*put_message.record));
  }
  void operator()(const EraseMessage& erase) {
    remove(Family::destinations, message_key(erase.key));
  }

  void operator()(const PutFunction& put_function) {
    put(Family::meta, function_key(put_function.id), encode(put_function.record));
  }
  void operator()(const PutQueue& put_queue) {
    put(Family::meta, queue_key(put_queue.id), encode(put_queue.record));
  }
  void operator()(const PutState& put_state) {
    // The first commit of a box says in which format everything after it is.
    if (put_state.record.batch_number <= 1) {
      put(Family::meta, std::string{kFormatKey}, big_endian(kFormat));
    }
    put(Family::meta, std::string{kStateKey}, encode(put_state.record));
  }

 private:
  void put(Family family, std::string key, std::string value) {
    rows_.push_back({family, WriteOp::put, std::move(key), std::move(value)});
  }
  void remove(Family family, std::string key) {
    const KeyLife life = row_of(family).life;
    CHECK(life != KeyLife::cut_off);
    const WriteOp op = life == KeyLife::once ? WriteOp::single_delete : WriteOp::erase;
    rows_.push_back({family, op, std::move(key), {}});
  }

  std::vector<Write>& rows_;
};

}  // namespace

std::vector<Write> encode(const Batch& batch) {
  std::vector<Write> rows;
  rows.reserve(2 * batch.mutations.size());
  RowWriter writer{rows};
  for (const Mutation& mutation : batch.mutations) std::visit(writer, mutation);
  return rows;
}

}  // namespace holdfast::storage
