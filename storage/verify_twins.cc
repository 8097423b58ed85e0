// Of verify(): two families that must hold the same, in two orders. Sums tell whether
// they do; where they do not, each row is looked up in the other family to name it.
#include "storage/base/bytes.h"
#include "storage/codec.h"
#include "storage/event_rows.h"
#include "storage/keys.h"
#include "storage/pages.h"
#include "storage/verify_books.h"

namespace holdfast::storage::verifying {

void add_key(SetSum& sum, const KeyHash& hash, const EventId& event) {
  BytesReader reader{{reinterpret_cast<const char*>(hash.data()), hash.size()}};
  const uint64_t first = reader.be64();
  sum.add({first, reader.be64(), event.function.value, event.lane.value, event.seq.value});
}

namespace {

Result<uint64_t> age_from_of(std::string_view due_value) {
  BytesReader reader{due_value};
  const uint64_t age_from = reader.be64();
  if (!reader.finished()) return Error{Errc::corrupt, "due: not an instant"};
  return age_from;
}

Result<> name_waiting_without_due(Books& books, FunctionId id) {
  std::string prefix;
  append_be32(prefix, id.value);
  std::optional<Error> failure;
  const Result<> walked = books.walk(
      rows_with_prefix(Family::waiting, prefix),
      [&](std::string_view key, std::string_view value) -> Result<> {
        const auto fields = parse_waiting_key(key);
        const Result<WaitingRecord> record = decode_waiting(value);
        if (!fields || !record || failure) return ok();  // complained of before
        std::string age_from;
        append_be64(age_from, static_cast<uint64_t>(to_ms(record->spent.age_from)));
        const auto due = books.store.get(
            Family::due, due_key({fields->first, record->due_at, fields->second}));
        if (!due) {
          failure = due.error();
        } else if (*due != age_from) {
          books.complain(books.named(fields->first) +
                         (*due ? " ages by one time in waiting and by another in due"
                               : " waits, and has no twin in due"));
        }
        return ok();
      });
  if (failure) return *failure;
  return walked;
}

Result<> name_due_without_waiting(Books& books, FunctionId id) {
  std::string prefix;
  append_be32(prefix, id.value);
  std::optional<Error> failure;
  const Result<> walked = books.walk(
      rows_with_prefix(Family::due, prefix),
      [&](std::string_view key, std::string_view) -> Result<> {
        const auto found = parse_due_key(key);
        if (!found || failure) return ok();
        const auto bytes =
            books.store.get(Family::waiting, waiting_key(found->event, found->generation));
        if (!bytes) {
          failure = bytes.error();
          return ok();
        }
        const bool twin = *bytes && [&] {
          const Result<WaitingRecord> record = decode_waiting(**bytes);
          return record && record->due_at == found->due_at;
        }();
        if (twin) return ok();
        books.complain(books.named(found->event) + " has a row in due, and none in waiting");
        return ok();
      });
  if (failure) return *failure;
  return walked;
}

// Whether the event, or the call, that an unanswered key names is there and has not ended.
Result<bool> lives(Books& books, const IdempotencyRecord& record) {
  const RunningEntry* running = books.find_running(record.event.seq);
  if (record.type == InvocationType::synchronous) {
    return running != nullptr && running->event == record.event;
  }
  if (books.find_dead(record.event) != nullptr) return false;
  const auto bytes = books.store.get(Family::events, event_key(record.event));
  if (!bytes) return bytes.error();
  if (!*bytes) return false;
  const Result<EventEnvelope> envelope = decode_event_envelope(record.event, **bytes);
  return envelope && envelope->event.idempotency_key == record.key;
}

Result<> name_keys_without_event(Books& books) {
  std::optional<Error> failure;
  const Result<> walked = books.walk(
      rows_with_prefix(Family::idempotency, {}),
      [&](std::string_view, std::string_view value) -> Result<> {
        const Result<IdempotencyRecord> record = decode_idempotency(value);
        if (!record || record->answer || failure) return ok();
        const Result<bool> living = lives(books, *record);
        if (!living) {
          failure = living.error();
        } else if (!*living) {
          books.complain("the key of " + books.named(record->event) +
                         " has no answer, and its event does not live");
        }
        return ok();
      });
  if (failure) return *failure;
  return walked;
}

// Of a living event with a key.
Result<> name_if_forgotten(Books& books, const EventId& id, const std::string& key) {
  const auto row = load_key(books.store, hash_of_key(id.function, key));
  if (!row && row.error().code != Errc::corrupt) return row.error();
  if (row && *row && (*row)->event == id && !(*row)->answer) return ok();
  if (!row) return ok();  // complained of before
  books.complain(books.named(id) + " lives, and its idempotency key " +
                 (!*row                  ? "is forgotten"
                  : (*row)->event != id ? "names another event"
                                        : "has an answer"));
  return ok();
}

Result<> name_events_without_key(Books& books) {
  std::optional<Error> failure;
  const Result<> walked = books.walk(
      rows_with_prefix(Family::events, {}),
      [&](std::string_view key, std::string_view value) -> Result<> {
        const std::optional<EventId> id = parse_event_key(key);
        if (!id || failure || books.find_dead(*id) != nullptr) return ok();
        const Result<EventEnvelope> envelope = decode_event_envelope(*id, value);
        if (!envelope || envelope->event.idempotency_key.empty()) return ok();
        const RunningEntry* running = books.find_running(id->seq);
        const auto waiting = load_waiting(books.store, *id);
        if (!waiting) return ok();
        const bool owns_key = running != nullptr ? running->owns_key
                                                 : !*waiting || (*waiting)->record.spent.owns_key;
        if (!owns_key) return ok();
        if (const Result<> named =
                name_if_forgotten(books, *id, envelope->event.idempotency_key);
            !named) {
          failure = named.error();
        }
        return ok();
      });
  if (failure) return *failure;
  if (!walked) return walked.error();
  const auto running = load_running(books.store);
  if (!running) return ok();
  for (const auto& [key, record] : *running) {
    const bool call = record.type == InvocationType::synchronous;
    if (!call || record.idempotency_key.empty() || !record.spent.owns_key) continue;
    const Result<> named = name_if_forgotten(books, record.event, record.idempotency_key);
    if (!named) return named.error();
  }
  return ok();
}

}  // namespace

Result<> walk_due(Books& books) {
  const Result<> walked = books.count(
      Family::due, [&](std::string_view key, std::string_view value) -> Result<> {
        const std::optional<WaitingKey> found = parse_due_key(key);
        if (!found) return not_a_key();
        FunctionBook* function = books.function(found->event.function, Family::due);
        const Result<uint64_t> age_from = age_from_of(value);
        if (!age_from) return age_from.error();
        if (function == nullptr) return ok();
        function->due_rows.add({found->event.lane.value,
                                static_cast<uint64_t>(to_ms(found->due_at)),
                                found->event.seq.value, found->generation.value, *age_from});
        return ok();
      });
  if (!walked) return walked.error();
  for (auto& [id, book] : books.functions) {
    if (book.waiting_rows == book.due_rows) continue;
    const uint64_t complaints = books.result.complaint_count;
    if (const Result<> named = name_waiting_without_due(books, id); !named) return named.error();
    if (const Result<> named = name_due_without_waiting(books, id); !named) return named.error();
    books.expect(books.result.complaint_count > complaints,
                 "waiting and due of " + book.record.name + " do not hold the same events");
  }
  return ok();
}

Result<> walk_keys(Books& books) {
  const Result<> walked = books.count(
      Family::idempotency, [&](std::string_view key, std::string_view value) -> Result<> {
        const std::optional<KeyHash> hash = parse_idempotency_row_key(key);
        if (!hash) return not_a_key();
        const Result<IdempotencyRecord> record = decode_idempotency(value);
        if (!record) return record.error();
        books.idempotency_bytes += charged_bytes(*record);
        if (*hash != hash_of_key(record->function, record->key)) {
          books.complain("the idempotency key of " + books.named(record->event) +
                         " stands where nobody looks for it");
        }
        if (!record->answer) add_key(books.keys_without_answer, *hash, record->event);
        return ok();
      });
  if (!walked) return walked.error();
  if (books.keys_of_the_living == books.keys_without_answer) return ok();
  const uint64_t complaints = books.result.complaint_count;
  if (const Result<> named = name_keys_without_event(books); !named) return named.error();
  if (const Result<> named = name_events_without_key(books); !named) return named.error();
  books.expect(books.result.complaint_count > complaints,
               "the keys without an answer are not those of the living events");
  return ok();
}

}  // namespace holdfast::storage::verifying
