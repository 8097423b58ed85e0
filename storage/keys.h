// Keys as ordered bytes. Each function writes the key of one family, each parser
// reads it back; FORMAT.md and families.h show the fields.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "storage/records.h"

namespace holdfast::storage {

std::string event_key(const EventId& id);
std::optional<EventId> parse_event_key(std::string_view key);

std::string waiting_key(const EventId& id, Generation generation);
std::optional<std::pair<EventId, Generation>> parse_waiting_key(std::string_view key);

std::string due_key(const WaitingKey& key);
std::optional<WaitingKey> parse_due_key(std::string_view key);

std::string running_key(const RunningKey& key);
std::optional<RunningKey> parse_running_key(std::string_view key);

std::string attempt_key(Seq seq, AttemptNumber attempt);
std::optional<std::pair<Seq, AttemptNumber>> parse_attempt_key(std::string_view key);

// Points into the hash.
std::string_view idempotency_row_key(const KeyHash& hash);
std::optional<KeyHash> parse_idempotency_row_key(std::string_view key);

std::string history_key(Seq ending);
std::optional<Seq> parse_history_key(std::string_view key);

std::string dead_letter_key(const DeadLetterKey& key);
std::optional<DeadLetterKey> parse_dead_letter_key(std::string_view key);

std::string message_key(const MessageKey& key);
std::optional<MessageKey> parse_message_key(std::string_view key);

std::string ending_key(Seq seq);

std::string function_key(FunctionId id);
std::optional<FunctionId> parse_function_key(std::string_view key);
std::string queue_key(QueueId id);
std::optional<QueueId> parse_queue_key(std::string_view key);

inline constexpr std::string_view kStateKey = "state";
inline constexpr std::string_view kFormatKey = "format";
inline constexpr std::string_view kFunctionPrefix = "function/";  // then be32
inline constexpr std::string_view kQueuePrefix = "queue/";        // then be32

// The 128-bit hash that names (function, key) in `idempotency`, and the one that
// tells two payloads apart. Not against an adversary: the whole key is compared too.
KeyHash hash_of_key(FunctionId function, std::string_view key);
PayloadHash hash_of_payload(std::string_view payload);

// The first key after every key that begins with `prefix`; empty if there is none.
std::string prefix_end(std::string prefix);

}  // namespace holdfast::storage
