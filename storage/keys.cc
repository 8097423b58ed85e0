#include "storage/keys.h"

#include <xxhash.h>

#include <algorithm>
#include <array>
#include <utility>

#include "storage/base/bytes.h"
#include "storage/base/check.h"
#include "storage/limits.h"

namespace holdfast::storage {

namespace {

// A key reads like its line in families.h: each overload is one kind of field.
class KeyWriter {
 public:
  KeyWriter& add(FunctionId id) { return be32(id.value); }
  KeyWriter& add(QueueId id) { return be32(id.value); }
  KeyWriter& add(Generation generation) { return be32(generation.value); }
  KeyWriter& add(AttemptNumber attempt) { return be32(attempt.value); }
  KeyWriter& add(Seq seq) { return be64(seq.value); }
  KeyWriter& add(Lane lane) {
    append_be8(key_, lane.value);
    return *this;
  }
  KeyWriter& add(TimePoint at) {
    // As unsigned, an instant before 1970 would sort behind all others.
    CHECK(to_ms(at) >= 0);
    CHECK(to_ms(at) <= kInstantMsMax);
    return be64(static_cast<uint64_t>(to_ms(at)));
  }
  KeyWriter& add(const EventId& id) { return add(id.function).add(id.lane).add(id.seq); }

  std::string take() { return std::move(key_); }

 private:
  KeyWriter& be32(uint32_t number) {
    append_be32(key_, number);
    return *this;
  }
  KeyWriter& be64(uint64_t number) {
    append_be64(key_, number);
    return *this;
  }

  std::string key_;
};

class KeyReader {
 public:
  explicit KeyReader(std::string_view key) : bytes_(key) {}

  KeyReader& read(FunctionId& id) { return be32(id.value); }
  KeyReader& read(QueueId& id) { return be32(id.value); }
  KeyReader& read(Generation& generation) { return be32(generation.value); }
  KeyReader& read(AttemptNumber& attempt) { return be32(attempt.value); }
  KeyReader& read(Seq& seq) { return be64(seq.value); }
  KeyReader& read(Lane& lane) {
    lane.value = bytes_.be8();
    return *this;
  }
  KeyReader& read(TimePoint& at) {
    const uint64_t ms = bytes_.be64();
    if (ms > static_cast<uint64_t>(kInstantMsMax)) {
      in_range_ = false;
    } else {
      at = from_ms<TimePoint>(static_cast<int64_t>(ms));
    }
    return *this;
  }
  KeyReader& read(EventId& id) { return read(id.function).read(id.lane).read(id.seq); }

  // The parsed key, if it was exactly that long and every field was in range.
  template <class Key>
  std::optional<Key> whole(const Key& key) const {
    if (!bytes_.finished() || !in_range_) return std::nullopt;
    return key;
  }

 private:
  KeyReader& be32(uint32_t& number) {
    number = bytes_.be32();
    return *this;
  }
  KeyReader& be64(uint64_t& number) {
    number = bytes_.be64();
    return *this;
  }

  BytesReader bytes_;
  bool in_range_ = true;
};

std::string numbered(std::string_view prefix, uint32_t number) {
  std::string key{prefix};
  append_be32(key, number);
  return key;
}

std::optional<uint32_t> parse_numbered(std::string_view prefix, std::string_view key) {
  if (!key.starts_with(prefix)) return std::nullopt;
  BytesReader bytes{key.substr(prefix.size())};
  const uint32_t number = bytes.be32();
  if (!bytes.finished()) return std::nullopt;
  return number;
}

Hash128 hash128(std::string_view bytes) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes.data(), bytes.size()));
  static_assert(sizeof canonical.digest == sizeof(Hash128));
  return std::to_array(canonical.digest);
}

}  // namespace

std::string event_key(const EventId& id) { return KeyWriter{}.add(id).take(); }

std::optional<EventId> parse_event_key(std::string_view key) {
  EventId id;
  return KeyReader{key}.read(id).whole(id);
}

std::string waiting_key(const EventId& id, Generation generation) {
  return KeyWriter{}.add(id).add(generation).take();
}

std::optional<std::pair<EventId, Generation>> parse_waiting_key(std::string_view key) {
  std::pair<EventId, Generation> fields;
  return KeyReader{key}.read(fields.first).read(fields.second).whole(fields);
}

std::string due_key(const WaitingKey& key) {
  return KeyWriter{}
      .add(key.event.function)
      .add(key.event.lane)
      .add(key.due_at)
      .add(key.event.seq)
      .add(key.generation)
      .take();
}

std::optional<WaitingKey> parse_due_key(std::string_view key) {
  WaitingKey fields;
  return KeyReader{key}
      .read(fields.event.function)
      .read(fields.event.lane)
      .read(fields.due_at)
      .read(fields.event.seq)
      .read(fields.generation)
      .whole(fields);
}

std::string running_key(const RunningKey& key) {
  return KeyWriter{}.add(key.seq).add(key.generation).take();
}

std::optional<RunningKey> parse_running_key(std::string_view key) {
  RunningKey fields;
  return KeyReader{key}.read(fields.seq).read(fields.generation).whole(fields);
}

std::string attempt_key(Seq seq, AttemptNumber attempt) {
  return KeyWriter{}.add(seq).add(attempt).take();
}

std::optional<std::pair<Seq, AttemptNumber>> parse_attempt_key(std::string_view key) {
  std::pair<Seq, AttemptNumber> fields;
  return KeyReader{key}.read(fields.first).read(fields.second).whole(fields);
}

std::string_view idempotency_row_key(const KeyHash& hash) { return view_of(hash); }

std::optional<KeyHash> parse_idempotency_row_key(std::string_view key) {
  return hash_from(key);
}

std::string history_key(Seq ending) { return KeyWriter{}.add(ending).take(); }

std::optional<Seq> parse_history_key(std::string_view key) {
  Seq ending;
  return KeyReader{key}.read(ending).whole(ending);
}

std::string dead_letter_key(const DeadLetterKey& key) {
  return KeyWriter{}.add(key.function).add(key.seq).add(key.generation).take();
}

std::optional<DeadLetterKey> parse_dead_letter_key(std::string_view key) {
  DeadLetterKey fields;
  return KeyReader{key}
      .read(fields.function)
      .read(fields.seq)
      .read(fields.generation)
      .whole(fields);
}

std::string message_key(const MessageKey& key) {
  return KeyWriter{}.add(key.queue).add(key.visible_at).add(key.seq).add(key.generation).take();
}

std::optional<MessageKey> parse_message_key(std::string_view key) {
  MessageKey fields;
  return KeyReader{key}
      .read(fields.queue)
      .read(fields.visible_at)
      .read(fields.seq)
      .read(fields.generation)
      .whole(fields);
}

std::string ending_key(Seq seq) { return KeyWriter{}.add(seq).take(); }

std::string function_key(FunctionId id) { return numbered(kFunctionPrefix, id.value); }

std::optional<FunctionId> parse_function_key(std::string_view key) {
  const std::optional<uint32_t> number = parse_numbered(kFunctionPrefix, key);
  if (!number) return std::nullopt;
  return FunctionId{*number};
}

std::string queue_key(QueueId id) { return numbered(kQueuePrefix, id.value); }

std::optional<QueueId> parse_queue_key(std::string_view key) {
  const std::optional<uint32_t> number = parse_numbered(kQueuePrefix, key);
  if (!number) return std::nullopt;
  return QueueId{*number};
}

KeyHash hash_of_key(FunctionId function, std::string_view key) {
  // On the stack: it is asked for more than once for each submit with a key.
  CHECK(key.size() <= kIdempotencyKeyBytesMax);
  std::array<char, sizeof function.value + kIdempotencyKeyBytesMax> scoped;
  const auto prefix = big_endian<sizeof function.value>(function.value);
  std::ranges::copy(key, std::ranges::copy(prefix, scoped.begin()).out);
  return hash128({scoped.data(), prefix.size() + key.size()});
}

PayloadHash hash_of_payload(std::string_view payload) { return hash128(payload); }

std::string prefix_end(std::string prefix) {
  while (!prefix.empty() && static_cast<uint8_t>(prefix.back()) == 0xFF) prefix.pop_back();
  if (!prefix.empty()) prefix.back() = static_cast<char>(static_cast<uint8_t>(prefix.back()) + 1);
  return prefix;
}

}  // namespace holdfast::storage
