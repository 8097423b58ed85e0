#include "storage/verify.h"

#include <algorithm>
#include <set>
#include <string_view>

#include "storage/base/bytes.h"
#include "storage/codec.h"
#include "storage/keys.h"
#include "storage/limits.h"
#include "storage/verify_books.h"

namespace holdfast::storage {

namespace verifying {

void Books::complain(std::string what) {
  ++result.complaint_count;
  if (result.complaints.size() < kComplaintsKeptMax) result.complaints.push_back(std::move(what));
}

void Books::equal(uint64_t counted, uint64_t scanned, const std::string& what) {
  if (counted == scanned) return;
  complain(what + ": the meta row says " + std::to_string(counted) + ", the rows " +
           std::to_string(scanned));
}

std::string Books::named(const EventId& id) const {
  const BoxTag box = state ? state->box : BoxTag{};
  const auto at = functions.find(id.function);
  const std::string function = at == functions.end()
                                   ? "function " + std::to_string(id.function.value)
                                   : at->second.record.name;
  return "event " + to_request_id(id, box) + " of " + function;
}

FunctionBook* Books::function(FunctionId id, Family row_of) {
  const auto at = functions.find(id);
  if (at != functions.end()) return &at->second;
  const std::string stranger = std::string{name(row_of)} + " has rows of function " +
                               std::to_string(id.value) + ", which meta does not know";
  if (stranger != last_stranger_) complain(stranger);
  last_stranger_ = stranger;
  return nullptr;
}

QueueBook* Books::queue(QueueId id) {
  const auto at = queues.find(id);
  if (at != queues.end()) return &at->second;
  const std::string stranger = "destinations has rows of queue " + std::to_string(id.value) +
                               ", which meta does not know";
  if (stranger != last_stranger_) complain(stranger);
  last_stranger_ = stranger;
  return nullptr;
}

const RunningEntry* Books::find_running(Seq seq) const {
  const auto at = std::lower_bound(
      running.begin(), running.end(), seq,
      [](const RunningEntry& entry, Seq wanted) { return entry.event.seq < wanted; });
  return at == running.end() || at->event.seq != seq ? nullptr : &*at;
}

EndingEntry* Books::find_ending(Seq seq) {
  const auto at = std::lower_bound(
      endings.begin(), endings.end(), seq.value,
      [](const EndingEntry& entry, uint64_t wanted) { return entry.seq < wanted; });
  return at == endings.end() || at->seq != seq.value ? nullptr : &*at;
}

DeadEntry* Books::find_dead(const EventId& id) {
  const auto at = std::lower_bound(
      dead.begin(), dead.end(), id,
      [](const DeadEntry& entry, const EventId& wanted) { return entry.event < wanted; });
  return at == dead.end() || at->event != id ? nullptr : &*at;
}

Result<> Books::walk(const ScanRange& range, const Visit& visit) {
  return store.scan(range, [&](std::string_view key, std::string_view value) {
    if (const Result<> visited = visit(key, value); !visited) {
      complain(at_row(range.family, key, visited.error()).what);
    }
    return true;
  });
}

Result<> Books::count(Family family, const Visit& visit) {
  uint64_t& rows = result.rows[static_cast<size_t>(family)];
  return walk(rows_with_prefix(family, {}), [&](std::string_view key, std::string_view value) {
    ++rows;
    return visit(key, value);
  });
}

Result<> walk_meta(Books& books) {
  bool has_format = false;
  const Result<> walked = books.count(
      Family::meta, [&](std::string_view key, std::string_view value) -> Result<> {
        if (key == kStateKey) {
          Result<StateRecord> state = decode_state(value);
          if (!state) return state.error();
          books.state = std::move(*state);
        } else if (key == kFormatKey) {
          BytesReader reader{value};
          has_format = reader.be64() == kFormat && reader.finished();
          if (!has_format) return Error{Errc::corrupt, "not the format of this program"};
        } else if (const auto function = parse_function_key(key)) {
          Result<FunctionRecord> record = decode_function(value);
          if (!record) return record.error();
          books.functions[*function].record = std::move(*record);
        } else if (const auto queue = parse_queue_key(key)) {
          Result<QueueRecord> record = decode_queue(value);
          if (!record) return record.error();
          books.queues[*queue].record = std::move(*record);
        } else {
          return Error{Errc::corrupt, "not a key of this family"};
        }
        return ok();
      });
  if (!walked) return walked.error();
  const bool is_new = books.result.rows_of(Family::meta) == 0;
  books.expect(is_new || (has_format && books.state),
               "meta has no state, or no format number: the state is lost");
  return ok();
}

Result<> walk_messages(Books& books) {
  std::vector<uint64_t> seqs;  // of the queue that is being read
  std::optional<QueueId> current;
  const auto end_of_queue = [&] {
    std::sort(seqs.begin(), seqs.end());
    for (size_t n = 1; n < seqs.size(); ++n) {
      if (seqs[n] != seqs[n - 1]) continue;
      books.complain("message " + std::to_string(seqs[n]) + " is there twice");
    }
    seqs.clear();
  };
  const Result<> walked = books.count(
      Family::destinations, [&](std::string_view key, std::string_view value) -> Result<> {
        const std::optional<MessageKey> found = parse_message_key(key);
        if (!found) return not_a_key();
        if (current != found->queue) end_of_queue();
        current = found->queue;
        seqs.push_back(found->seq.value);
        books.seen(found->seq);
        QueueBook* queue = books.queue(found->queue);
        if (queue != nullptr) ++queue->messages;
        const Result<uint64_t> bytes = charged_bytes_of_message(value);
        if (!bytes) return bytes.error();
        if (queue != nullptr) queue->bytes += *bytes;
        return ok();
      });
  if (!walked) return walked.error();
  end_of_queue();
  return ok();
}

namespace {

void compare_functions(Books& books) {
  std::set<std::string_view> names;
  for (const auto& [id, book] : books.functions) {
    const FunctionRecord& record = book.record;
    books.expect(names.insert(record.name).second, "two functions are called " + record.name);
    books.expect(!books.state || id < books.state->next_function,
                 "the number of " + record.name + " has not been given yet");
    books.equal(record.fresh, book.fresh, "fresh events of " + record.name);
    books.equal(record.waiting, book.waiting, "waiting events of " + record.name);
    books.equal(record.dead_letters, book.dead_letters, "dead letters of " + record.name);
    books.equal(record.dead_letters_bytes, book.dead_letters_bytes,
                "bytes of the dead letters of " + record.name);
    // The counters go back to the beginning of the box, the history does not.
    const std::array counters{record.succeeded, record.failed, record.cancelled};
    for (size_t n = 0; n < counters.size(); ++n) {
      books.expect(counters[n] >= book.ended[n],
                   "the history of " + record.name + " has more endings than were counted");
    }
  }
}

void compare_queues(Books& books) {
  std::set<std::string_view> names;
  for (const auto& [id, book] : books.queues) {
    const QueueRecord& record = book.record;
    books.expect(names.insert(record.name).second, "two queues are called " + record.name);
    books.expect(!books.state || id < books.state->next_queue,
                 "the number of " + record.name + " has not been given yet");
    books.equal(record.messages, book.messages, "messages of " + record.name);
    books.equal(record.bytes, book.bytes, "bytes of " + record.name);
  }
}

// What the state says of the history that is kept.
uint64_t history_bytes_of(const StateRecord& state) {
  if (state.history_marks.empty()) return 0;  // all of it is cut off
  return state.history_bytes - state.history_marks.front().bytes_before;
}

void compare_state(Books& books) {
  if (!books.state) return;
  const StateRecord& state = *books.state;
  books.equal(state.reserved_bytes, books.reserved_bytes, "disk set aside");
  books.equal(state.idempotency_bytes, books.idempotency_bytes, "bytes of idempotency keys");
  books.equal(history_bytes_of(state), books.history_bytes, "bytes of the history");
  books.expect(books.highest_seq < state.next_seq,
               "number " + std::to_string(books.highest_seq.value) +
                   " is in use, and the next one to be given is " +
                   std::to_string(state.next_seq.value));
  // A redriven event is accepted once and ends again.
  books.expect(state.accepted <= state.ended + books.living,
               std::to_string(state.accepted) + " events were accepted, " +
                   std::to_string(state.ended) + " have ended and " +
                   std::to_string(books.living) + " live: some are missing");
  for (const HistoryMark& mark : state.history_marks) {
    books.expect(mark.ending >= state.history_cutoff && mark.bytes_before <= state.history_bytes,
                 "a mark of the history is not within it");
  }
}

}  // namespace

}  // namespace verifying

Result<Verification> verify(const Store& store) {
  using namespace verifying;
  Books books{store};
  for (const auto walk : {walk_meta, walk_running, walk_attempts, walk_endings, walk_history,
                          walk_dead_letters, walk_events, walk_due, walk_keys, walk_messages}) {
    if (const Result<> walked = walk(books); !walked) return walked.error();
  }
  compare_functions(books);
  compare_queues(books);
  compare_state(books);
  if (books.state) {
    books.result.accepted = books.state->accepted;
    books.result.ended = books.state->ended;
  }
  for (const auto& [id, book] : books.functions) books.result.fresh += book.fresh;
  return std::move(books.result);
}

}  // namespace holdfast::storage
