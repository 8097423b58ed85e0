#include "storage/rocks/wal_salvage.h"

#include <rocksdb/write_batch.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "storage/base/bytes.h"
#include "storage/codec.h"
#include "storage/keys.h"
#include "storage/rocks/log_files.h"
#include "storage/rows.h"

namespace holdfast::storage {

namespace {

constexpr FunctionId kUnknownFunction{0};  // they are numbered from 1

// The events that rows speak of, each once, as far as they fit.
class Touched {
 public:
  void add(const EventId& id) {
    ids_.push_back(id);
    if (ids_.size() >= 2 * kLostEventsMax) shrink();
  }
  void add(Seq seq) { add(EventId{kUnknownFunction, Lane{}, seq}); }

  std::vector<EventId> take() {
    shrink();
    return std::move(ids_);
  }
  bool all() const { return all_; }

 private:
  void shrink() {
    // Of one event the id that knows its function comes first.
    std::sort(ids_.begin(), ids_.end(), [](const EventId& one, const EventId& other) {
      if (one.seq != other.seq) return one.seq < other.seq;
      return one.function > other.function;
    });
    const auto same = [](const EventId& one, const EventId& other) {
      return one.seq == other.seq;
    };
    ids_.erase(std::unique(ids_.begin(), ids_.end(), same), ids_.end());
    if (ids_.size() <= kLostEventsMax) return;
    all_ = false;
    ids_.resize(kLostEventsMax);
  }

  std::vector<EventId> ids_;
  bool all_ = true;
};

// Reads the rows of a batch. A row that does not parse names nothing.
class RowReader final : public rocksdb::WriteBatch::Handler {
 public:
  RowReader(const RocksStore& store, Touched& touched, Loss& loss)
      : store_(store), touched_(touched), loss_(loss) {}

  rocksdb::Status PutCF(uint32_t column, const rocksdb::Slice& key,
                        const rocksdb::Slice& value) override {
    row(column, key.ToStringView(), value.ToStringView());
    return rocksdb::Status::OK();
  }
  rocksdb::Status DeleteCF(uint32_t column, const rocksdb::Slice& key) override {
    row(column, key.ToStringView(), {});
    return rocksdb::Status::OK();
  }
  rocksdb::Status SingleDeleteCF(uint32_t column, const rocksdb::Slice& key) override {
    row(column, key.ToStringView(), {});
    return rocksdb::Status::OK();
  }

 private:
  // `value` is empty for one that is deleted.
  void row(uint32_t column, std::string_view key, std::string_view value) {
    const std::optional<Family> family = store_.family_of_column(column);
    if (!family) return;
    switch (*family) {
      case Family::meta: return meta(key, value);
      case Family::events: return touch(parse_event_key(key));
      case Family::waiting:
        if (const auto fields = parse_waiting_key(key)) touched_.add(fields->first);
        return;
      case Family::due:
        if (const auto fields = parse_due_key(key)) touched_.add(fields->event);
        return;
      case Family::running:
        if (const auto fields = parse_running_key(key)) touched_.add(fields->seq);
        return touch_in(decode_running(value));
      case Family::attempts:
        if (const auto fields = parse_attempt_key(key)) touched_.add(fields->first);
        return;
      case Family::idempotency: return touch_in(decode_idempotency(value));
      case Family::history: return touch_in(decode_history(value));
      case Family::dead_letters:
        if (const auto fields = parse_dead_letter_key(key)) {
          touched_.add(EventId{fields->function, Lane{}, fields->seq});
        }
        return;
      case Family::endings: return ending(key);
      case Family::destinations: return;  // messages are not events
    }
  }

  void touch(const std::optional<EventId>& id) {
    if (id) touched_.add(*id);
  }
  template <class Record>
  void touch_in(const Result<Record>& record) {
    if (record) touched_.add(record->event);
  }
  void ending(std::string_view key) {
    BytesReader reader{key};
    const Seq seq{reader.be64()};
    if (reader.finished()) touched_.add(seq);
  }
  void meta(std::string_view key, std::string_view value) {
    if (key != kStateKey) return;
    const Result<StateRecord> state = decode_state(value);
    if (!state) return;
    if (!loss_.unnamed_to) loss_.unnamed_to = state->next_seq;
    loss_.box = state->box;
    loss_.next_seq = std::max(loss_.next_seq, state->next_seq);
    loss_.next_function = std::max(loss_.next_function, state->next_function);
    loss_.next_queue = std::max(loss_.next_queue, state->next_queue);
  }

  const RocksStore& store_;
  Touched& touched_;
  Loss& loss_;
};

// Puts the batches of one log together and reads them.
class LogSalvage {
 public:
  LogSalvage(RowReader& rows, Loss& loss) : rows_(rows), loss_(loss) {}

  // Batches that begin before `from` are none of ours.
  Result<> read(LogReader& reader, uint64_t from) {
    std::string batch;
    bool open = false;
    for (;;) {
      Result<LogReader::Record> record = reader.next();
      if (record && record->kind == LogReader::Kind::bad) {
        open = false;
        record = reader.find_batch_start([](LogReader::Kind, std::string_view) { return true; });
      }
      if (!record) return record.error();
      switch (record->kind) {
        case LogReader::Kind::end:
        case LogReader::Kind::bad: return ok();
        case LogReader::Kind::full:
        case LogReader::Kind::first:
          batch.clear();
          open = record->offset >= from;
          break;
        case LogReader::Kind::middle:
        case LogReader::Kind::last: break;
      }
      if (!open) continue;
      batch += record->payload;
      if (record->kind != LogReader::Kind::full && record->kind != LogReader::Kind::last) continue;
      read_batch(std::exchange(batch, {}));
      open = false;
    }
  }

 private:
  void read_batch(std::string bytes) {
    const rocksdb::WriteBatch batch{std::move(bytes)};
    ++(batch.Iterate(&rows_).ok() ? loss_.batch_count : loss_.unreadable_count);
  }

  RowReader& rows_;
  Loss& loss_;
};

Result<> tell_kept(const RocksStore& store, std::vector<EventId> touched, Loss& loss) {
  for (const EventId& id : touched) {
    const Result<std::optional<std::string>> event = store.get(Family::events, event_key(id));
    if (!event) return event.error();
    loss.events.push_back({id, event->has_value()});
  }
  return ok();
}

}  // namespace

Result<Loss> salvage_wal(const RocksStore& store, const AuditReport& damage,
                         const std::string& directory) {
  Loss loss;
  const auto state =
      load_row<StateRecord>(store, Family::meta, std::string{kStateKey}, decode_state);
  if (!state) return state.error();
  if (*state) {
    loss.box = (*state)->box;
    loss.unnamed_from = (*state)->next_seq;
    loss.next_seq = (*state)->next_seq;
    loss.next_function = (*state)->next_function;
    loss.next_queue = (*state)->next_queue;
  }
  if (damage.file.empty() || !damage.readable) return loss;

  rocksdb::Env& env = *rocksdb::Env::Default();
  const Result<LiveLogs> logs = live_logs(env, directory);
  if (!logs) return logs.error();
  Touched touched;
  RowReader rows{store, touched, loss};
  LogSalvage salvage{rows, loss};
  for (auto name = std::find(logs->names.begin(), logs->names.end(), damage.file);
       name != logs->names.end(); ++name) {
    Result<std::unique_ptr<OpenLog>> log = open_log(env, directory + "/" + *name);
    if (!log) return log.error();
    const uint64_t from = *name == damage.file ? damage.offset : 0;
    if (const Result<> read = salvage.read((*log)->reader, from); !read) return read.error();
  }
  if (const Result<> told = tell_kept(store, touched.take(), loss); !told) return told.error();
  loss.all_events = touched.all();
  return loss;
}

}  // namespace holdfast::storage
