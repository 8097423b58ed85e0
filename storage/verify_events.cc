// Of verify(): where each living or dead event stands, and what it must have beside it.
#include <algorithm>

#include "storage/codec.h"
#include "storage/keys.h"
#include "storage/limits.h"
#include "storage/row_cursor.h"
#include "storage/verify_books.h"

namespace holdfast::storage::verifying {

Result<> walk_running(Books& books) {
  const Result<> walked = books.count(
      Family::running, [&](std::string_view key, std::string_view value) -> Result<> {
        const std::optional<RunningKey> found = parse_running_key(key);
        if (!found) return not_a_key();
        books.seen(found->seq);
        const Result<RunningRecord> record = decode_running(value);
        if (!record) return record.error();
        if (record->event.seq != found->seq) return Error{Errc::corrupt, "another event's record"};
        const bool is_event = record->type == InvocationType::event;
        if (!books.running.empty() && books.running.back().event.seq == found->seq) {
          return Error{Errc::corrupt, "its event runs twice"};
        }
        books.running.push_back({record->event, is_event, record->spent.owns_key});
        if (!is_event && !record->idempotency_key.empty() && record->spent.owns_key) {
          add_key(books.keys_of_the_living,
                  hash_of_key(record->event.function, record->idempotency_key), record->event);
        }
        return ok();
      });
  if (!walked) return walked.error();
  // As many as there were slots: each may be looked up.
  for (const RunningEntry& entry : books.running) {
    const Result<std::optional<std::string>> event =
        books.store.get(Family::events, event_key(entry.event));
    if (!event) return event.error();
    if (event->has_value() == entry.is_event) continue;
    books.complain(books.named(entry.event) + (entry.is_event
                                                   ? " runs, and its payload is gone"
                                                   : " is a call, and is kept as an event"));
  }
  return ok();
}

Result<> walk_attempts(Books& books) {
  uint64_t kept = 0;
  return books.count(
      Family::attempts, [&](std::string_view key, std::string_view value) -> Result<> {
        const auto fields = parse_attempt_key(key);
        if (!fields) return not_a_key();
        const auto& [seq, attempt] = *fields;
        if (books.failed.empty() || books.failed.back() != seq) {
          books.failed.push_back(seq);
          kept = 0;
        }
        if (++kept == kAttemptsKeptMax + 1) {
          books.complain(Books::numbered(seq.value) + " keeps more failed attempts than it may");
        }
        const Result<AttemptRecord> record = decode_attempt(attempt, value);
        if (!record) return record.error();
        return ok();
      });
}

namespace {

// Joins `events` with `waiting`, whose keys begin alike, and looks up the rest.
class EventWalk {
 public:
  explicit EventWalk(Books& books) : books_(books), waiting_(books.store, Family::waiting) {
    books_.failed_lives.assign(books_.failed.size(), false);
  }

  Result<> run() {
    const Result<> walked = books_.count(
        Family::events,
        [this](std::string_view key, std::string_view value) { return event_row(key, value); });
    if (!walked) return walked.error();
    take_waiting(std::nullopt);
    if (waiting_.failure()) return *waiting_.failure();
    for (const DeadEntry& entry : books_.dead) {
      if (entry.has_event) continue;
      books_.complain(books_.named(entry.event) + " is dead and its payload gone");
    }
    for (size_t n = 0; n < books_.failed.size(); ++n) {
      if (books_.failed_lives[n]) continue;
      books_.complain("attempts of " + Books::numbered(books_.failed[n].value) + " outlived it");
    }
    return ok();
  }

 private:
  struct Places {
    size_t waiting = 0;
    bool owns_key = true;
  };

  Result<> event_row(std::string_view key, std::string_view value) {
    const std::optional<EventId> id = parse_event_key(key);
    if (!id) return not_a_key();
    books_.seen(id->seq);
    const Places places = take_waiting(*id);
    const RunningEntry* running = books_.find_running(id->seq);
    if (running != nullptr && running->event != *id) running = nullptr;
    DeadEntry* dead = books_.find_dead(*id);
    if (dead != nullptr) dead->has_event = true;

    const size_t count = places.waiting + (running != nullptr) + (dead != nullptr);
    if (count > 1) {
      books_.complain(books_.named(*id) + " stands in " + std::to_string(count) + " places");
    }
    const Result<EventEnvelope> envelope = decode_event_envelope(*id, value);
    if (!envelope) return envelope.error();
    check_backlog(envelope->event, count == 0);
    if (dead == nullptr) {
      const bool owns_key = running != nullptr ? running->owns_key : places.owns_key;
      check_living(envelope->event, count == 0, owns_key);
    }
    return ok();
  }

  // The rows of `waiting` up to those of this event, or all that are left.
  Places take_waiting(const std::optional<EventId>& id) {
    Places places;
    for (; const RowCursor::Row* row = waiting_.row(); waiting_.advance()) {
      const auto fields = parse_waiting_key(row->key);
      if (fields && id && fields->first > *id) break;
      ++books_.result.rows[static_cast<size_t>(Family::waiting)];
      const Result<WaitingRecord> record =
          fields ? decode_waiting(row->value) : Result<WaitingRecord>{not_a_key()};
      if (!record) books_.complain(at_row(Family::waiting, row->key, record.error()).what);
      if (!fields) continue;
      count_waiting(fields->first, fields->second, record);
      if (id && fields->first == *id) {
        ++places.waiting;
        places.owns_key = !record || record->spent.owns_key;
      } else {
        books_.complain(books_.named(fields->first) + " waits without its payload");
      }
    }
    return places;
  }

  void count_waiting(const EventId& id, Generation generation,
                     const Result<WaitingRecord>& record) {
    books_.seen(id.seq);
    FunctionBook* function = books_.function(id.function, Family::waiting);
    if (function == nullptr) return;
    ++function->waiting;
    if (!record) return;
    function->waiting_rows.add({id.lane.value, static_cast<uint64_t>(to_ms(record->due_at)),
                                id.seq.value, generation.value,
                                static_cast<uint64_t>(to_ms(record->spent.age_from))});
  }

  void check_backlog(const EventRecord& event, bool fresh) {
    FunctionBook* function = books_.function(event.id.function, Family::events);
    if (function == nullptr) return;
    if (fresh) ++function->fresh;
    if (event.delayed) {
      if (fresh) books_.complain(books_.named(event.id) + " was put delayed and waits for nothing");
    } else if (fresh != (event.id.seq >= function->record.head)) {
      books_.complain(books_.named(event.id) +
                      (fresh ? " is fresh below" : " has left the backlog above") + " the head " +
                      std::to_string(function->record.head.value));
    }
  }

  void check_living(const EventRecord& event, bool fresh, bool owns_key) {
    ++books_.living;
    books_.reserved_bytes += event.reserved_bytes;
    if (!event.idempotency_key.empty() && owns_key) {
      add_key(books_.keys_of_the_living, hash_of_key(event.id.function, event.idempotency_key),
              event.id);
    }
    // Only a redriven one has ended before, without success.
    const EndingEntry* ending = books_.find_ending(event.id.seq);
    if (ending != nullptr && ending->has_history &&
        (fresh || ending->state != EndState::failed)) {
      books_.complain(books_.named(event.id) + " has ended, and lives");
    }
    const auto& failed = books_.failed;
    const auto at = std::lower_bound(failed.begin(), failed.end(), event.id.seq);
    if (at == failed.end() || *at != event.id.seq) return;
    books_.failed_lives[static_cast<size_t>(at - failed.begin())] = true;
    if (fresh) books_.complain(books_.named(event.id) + " has failed, and was never started");
  }

  Books& books_;
  RowCursor waiting_;
};

}  // namespace

Result<> walk_events(Books& books) { return EventWalk{books}.run(); }

}  // namespace holdfast::storage::verifying
