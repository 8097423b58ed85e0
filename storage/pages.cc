#include "storage/pages.h"

#include <utility>

#include "storage/base/bytes.h"
#include "storage/base/check.h"
#include "storage/codec.h"
#include "storage/event_rows.h"
#include "storage/keys.h"
#include "storage/limits.h"
#include "storage/rows.h"

namespace holdfast::storage {

namespace {

Result<EventRecord> without_payload(const EventId& id, std::string_view bytes) {
  Result<EventEnvelope> envelope = decode_event_envelope(id, bytes);
  if (!envelope) return envelope.error();
  return std::move(envelope->event);
}

// Empty if the box is new. The format's own row never changes its shape, so every
// version can read every later one's.
Result<std::optional<uint64_t>> load_format(const Store& store) {
  return load_row<uint64_t>(store, Family::meta, kFormatKey,
                            [](std::string_view bytes) -> Result<uint64_t> {
                              BytesReader reader{bytes};
                              const uint64_t format = reader.be64();
                              if (!reader.finished())
                                return Error{Errc::corrupt, "not a format number"};
                              return format;
                            });
}

Result<> check_format(uint64_t format) {
  if (format == kFormat) return ok();
  return Error{Errc::refused, "the state directory has format " + std::to_string(format) +
                                  ", this program knows format " + std::to_string(kFormat) +
                                  (format > kFormat ? "; use a newer holdfastd" : "")};
}

Result<> load_functions(const Store& store, Recovered& recovered) {
  const std::string prefix{kFunctionPrefix};
  return scan_rows(store, rows_with_prefix(Family::meta, prefix),
                   [&](std::string_view key, std::string_view value) -> Result<bool> {
                     const std::optional<FunctionId> id = parse_function_key(key);
                     if (!id) return not_a_key();
                     Result<FunctionRecord> record = decode_function(value);
                     if (!record) return record.error();
                     recovered.functions.emplace_back(*id, std::move(*record));
                     return true;
                   });
}

Result<> load_queues(const Store& store, Recovered& recovered) {
  const std::string prefix{kQueuePrefix};
  return scan_rows(store, rows_with_prefix(Family::meta, prefix),
                   [&](std::string_view key, std::string_view value) -> Result<bool> {
                     const std::optional<QueueId> id = parse_queue_key(key);
                     if (!id) return not_a_key();
                     Result<QueueRecord> record = decode_queue(value);
                     if (!record) return record.error();
                     recovered.queues.emplace_back(*id, std::move(*record));
                     return true;
                   });
}

// A directory without a state has lost it, or is new: then nothing else is there.
Result<Recovered> load_fresh_directory(const Store& store) {
  for (const Family family : {Family::events, Family::running, Family::history, Family::idempotency,
                              Family::dead_letters, Family::destinations}) {
    const Result<bool> found = any_row(store, rows_with_prefix(family, {}));
    if (!found) return found.error();
    if (*found) {
      return Error{Errc::corrupt, "meta has no state, but " + std::string{name(family)} +
                                      " has rows: the state is lost"};
    }
  }
  Recovered recovered;
  recovered.fresh_directory = true;
  return recovered;
}

}  // namespace

Result<Recovered> load_recovered(const Store& store) {
  const Result<std::optional<uint64_t>> format = load_format(store);
  if (!format) return format.error();
  if (*format) {
    if (const Result<> known = check_format(**format); !known) return known.error();
  }

  const auto state =
      load_row<StateRecord>(store, Family::meta, kStateKey, decode_state);
  if (!state) return state.error();
  if (!*state && !*format) return load_fresh_directory(store);
  if (!*state) return Error{Errc::corrupt, "meta has a format but no state: the state is lost"};
  if (!*format) return Error{Errc::corrupt, "meta has a state but no format number"};

  Recovered recovered;
  recovered.state = **state;
  if (const Result<> loaded = load_functions(store, recovered); !loaded) return loaded.error();
  if (const Result<> loaded = load_queues(store, recovered); !loaded) return loaded.error();
  auto running = load_running(store);
  if (!running) return running.error();
  recovered.running = std::move(*running);
  return recovered;
}

Result<FreshPage> load_fresh_page(const Store& store, FunctionId function, Lane lane, Seq from,
                                  size_t rows_max, uint64_t bytes_max) {
  FreshPage page;
  page.last = true;
  uint64_t bytes = 0;
  size_t looked_at = 0;
  const ScanRange range = rows_with_prefix(Family::events, lane_prefix(function, lane),
                                           event_key({function, lane, from}));
  const Result<> walked =
      scan_rows(store, range, [&](std::string_view key, std::string_view value) -> Result<bool> {
        const std::optional<EventId> id = parse_event_key(key);
        if (!id) return not_a_key();
        const bool large = value.size() > bytes_max / kSmallEventsPerPageMin;
        Result<EventRecord> event = large ? without_payload(*id, value) : decode_event(*id, value);
        if (!event) return event.error();
        const bool full =
            page.rows.size() == rows_max || (!large && bytes + value.size() > bytes_max);
        if (looked_at == kFreshRowsLookedAtMax || (!event->delayed && full)) {
          page.last = false;
          return false;
        }
        looked_at += 1;
        page.reached = id->seq;
        if (event->delayed) return true;
        FreshRow row{id->seq, event->age_from, event->accepted_wall, nullptr};
        if (!large) {
          bytes += value.size();
          row.event = std::make_shared<const EventRecord>(std::move(*event));
        }
        page.rows.push_back(std::move(row));
        return true;
      });
  if (!walked) return walked.error();
  return page;
}

Result<DuePage> load_due_page(const Store& store, FunctionId function, Lane lane,
                              const std::optional<WaitingKey>& after, size_t rows_max) {
  CHECK(!after || after->event.function == function);
  CHECK(!after || after->event.lane == lane);
  DuePage page;
  page.last = true;
  const ScanRange range = rows_with_prefix(Family::due, lane_prefix(function, lane),
                                           after ? key_after(due_key(*after)) : std::string{});
  const Result<> walked =
      scan_rows(store, range, [&](std::string_view key, std::string_view value) -> Result<bool> {
        if (page.rows.size() == rows_max) {
          page.last = false;
          return false;
        }
        const std::optional<WaitingKey> waiting = parse_due_key(key);
        if (!waiting) return not_a_key();
        BytesReader reader{value};
        const auto age_from_ms = static_cast<int64_t>(reader.be64());
        const bool in_range = age_from_ms >= -kInstantMsMax && age_from_ms <= kInstantMsMax;
        if (!reader.finished() || !in_range) return Error{Errc::corrupt, "due: not an instant"};
        page.rows.push_back({*waiting, from_ms<LitPoint>(age_from_ms)});
        return true;
      });
  if (!walked) return walked.error();
  return page;
}

Result<LoadedEvent> load_event(const Store& store, const EventId& id) {
  LoadedEvent loaded;
  loaded.id = id;
  auto event = load_row<EventRecord>(store, Family::events, event_key(id),
                                     [&](std::string_view b) { return decode_event(id, b); });
  if (!event) return event.error();
  if (!*event) return loaded;
  loaded.event = std::make_shared<const EventRecord>(std::move(**event));

  Result<std::optional<LoadedWaiting>> waiting = load_waiting(store, id);
  if (!waiting) return waiting.error();
  Result<std::optional<LoadedDeadLetter>> dead_letter =
      load_dead_letter(store, id.function, id.seq);
  if (!dead_letter) return dead_letter.error();
  loaded.dead_letter = std::move(*dead_letter);
  // A commit may stand between the two reads: the later one is what holds.
  if (!loaded.dead_letter) loaded.waiting = std::move(*waiting);

  Result<std::vector<AttemptRecord>> attempts = load_attempts(store, id.seq);
  if (!attempts) return attempts.error();
  loaded.attempts = std::move(*attempts);
  return loaded;
}

Result<std::optional<IdempotencyRecord>> load_key(const Store& store, const KeyHash& hash) {
  return load_row<IdempotencyRecord>(store, Family::idempotency, idempotency_row_key(hash),
                                     decode_idempotency);
}

Result<CachedKey> load_cached_key(const Store& store, const KeyHash& hash) {
  const CachedValue cached = store.get_cached(Family::idempotency, idempotency_row_key(hash));
  const auto* bytes = std::get_if<std::optional<std::string>>(&cached);
  if (bytes == nullptr) return CachedKey{NeedsDisk{}};
  if (!*bytes) return CachedKey{std::optional<IdempotencyRecord>{}};
  Result<IdempotencyRecord> record = decode_idempotency(**bytes);
  if (!record) return record.error();
  return CachedKey{std::optional{std::move(*record)}};
}

Result<KeyPage> load_expired_keys(const Store& store, const KeyHash& from, LitPoint now,
                                  size_t rows_max) {
  KeyPage page;
  size_t rows_read = 0;
  const ScanRange range =
      rows_with_prefix(Family::idempotency, {}, std::string{idempotency_row_key(from)});
  const Result<> walked =
      scan_rows(store, range, [&](std::string_view key, std::string_view value) -> Result<bool> {
        const std::optional<KeyHash> hash = parse_idempotency_row_key(key);
        if (!hash) return not_a_key();
        if (rows_read == rows_max) {
          page.next = *hash;
          return false;
        }
        ++rows_read;
        Result<IdempotencyRecord> record = decode_idempotency(value);
        if (!record) return record.error();
        if (!record->answer) return true;  // its event has not ended: it does not expire
        const LitPoint expires_at = record->expires_at;
        if (expires_at <= now) {
          page.expired.push_back({*hash, std::move(*record)});
        } else if (!page.next_expiry || expires_at < *page.next_expiry) {
          page.next_expiry = expires_at;
        }
        return true;
      });
  if (!walked) return walked.error();
  return page;
}

Result<DeadLetterPage> load_dead_letter_page(const Store& store, FunctionId function, Seq from,
                                             Seq ending_below, size_t rows_max) {
  DeadLetterPage page;
  size_t rows_read = 0;
  std::string prefix;
  append_be32(prefix, function.value);
  const ScanRange range = rows_with_prefix(Family::dead_letters, prefix,
                                           dead_letter_key({function, from, Generation{}}));
  const Result<> walked =
      scan_rows(store, range, [&](std::string_view key, std::string_view value) -> Result<bool> {
        const std::optional<DeadLetterKey> found = parse_dead_letter_key(key);
        if (!found) return not_a_key();
        if (rows_read == rows_max) {
          page.next = found->seq;
          return false;
        }
        ++rows_read;
        Result<DeadLetterRecord> record = decode_dead_letter(value);
        if (!record) return record.error();
        if (record->ending < ending_below) page.rows.push_back({*found, std::move(*record)});
        return true;
      });
  if (!walked) return walked.error();
  return page;
}

Result<MessagePage> load_message_page(const Store& store, QueueId queue,
                                      const std::optional<MessageKey>& after, size_t rows_max) {
  CHECK(!after || after->queue == queue);
  MessagePage page;
  page.last = true;
  std::string prefix;
  append_be32(prefix, queue.value);
  const ScanRange range = rows_with_prefix(Family::destinations, prefix,
                                           after ? key_after(message_key(*after)) : std::string{});
  const Result<> walked =
      scan_rows(store, range, [&](std::string_view key, std::string_view value) -> Result<bool> {
        if (page.rows.size() == rows_max) {
          page.last = false;
          return false;
        }
        const std::optional<MessageKey> found = parse_message_key(key);
        if (!found) return not_a_key();
        const Result<uint64_t> bytes = charged_bytes_of_message(value);
        if (!bytes) return bytes.error();
        page.rows.push_back({*found, *bytes});
        return true;
      });
  if (!walked) return walked.error();
  return page;
}

Result<std::optional<MessageRecord>> load_message(const Store& store, const MessageKey& key) {
  return load_row<MessageRecord>(store, Family::destinations, message_key(key), decode_message);
}

}  // namespace holdfast::storage
