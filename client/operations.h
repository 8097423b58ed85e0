// The main operations as plain structs: what to ask, and what is answered.
// client/PROTOCOL.md, section 4, tells what the fields mean; instants are
// milliseconds since 1970 by the daemon's clock.
//
// Every operation names its answer as `Reply`, its method as `kMethod`, and has
// pack() and, for the answer, unpack(), which gives nothing when the answer lacks
// a required field. Client::call() needs no more than that.
#pragma once

#include <cstdint>
#include <map>
#include <msgpack.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/wire/writer.h"

namespace holdfast::client {

// How an event ended, as its idempotency key remembers it.
struct Ending {
  std::string state;
  std::string condition;
  int64_t ended_at_ms = 0;
  std::optional<std::string> payload;  // the result, unless it was too large to be stored
  uint64_t payload_bytes = 0;
  std::string error_type;
  std::string error_message;
};

struct InvokeReply {
  int64_t status_code = 0;                    // 200, 202 or 204
  std::string request_id;                     // empty for a dry run
  bool duplicate = false;                     // the key was known: request_id is the first one's
  std::optional<Ending> ending;               // of a duplicate that has ended
  std::string payload;                        // 200: the result, or a description of the error
  uint64_t payload_bytes = 0;                 // of a duplicate's result that was not kept, too
  std::optional<std::string> function_error;  // 200: the function failed
  static std::optional<InvokeReply> unpack(const msgpack::object& map);
};

struct InvokeEvent {
  using Reply = InvokeReply;
  static constexpr std::string_view kMethod = "Invoke";

  std::string function_name;
  std::string payload;
  std::string idempotency_key;  // empty: none
  uint32_t delay_seconds = 0;
  void pack(wire::MapWriter& params) const;
};

// The synchronous call: runs the function at once and waits for its result.
struct Invoke {
  using Reply = InvokeReply;
  static constexpr std::string_view kMethod = "Invoke";

  std::string function_name;
  std::string payload;
  std::string idempotency_key;  // empty: none
  void pack(wire::MapWriter& params) const;
};

struct EventReply {
  std::string request_id;
  std::string function_name;
  std::string state;
  int64_t attempt = 0;
  int64_t failures = 0;
  int64_t interruptions = 0;
  int64_t accepted_at_ms = 0;
  std::optional<int64_t> ended_at_ms;
  std::string condition;               // ended only
  uint64_t payload_bytes = 0;
  std::optional<std::string> result;  // when succeeded and small enough to be kept
  uint64_t result_bytes = 0;
  std::string error_type;
  std::string error_message;

  bool ended() const { return state != "pending" && state != "running"; }
  static std::optional<EventReply> unpack(const msgpack::object& map);
};

struct GetEvent {
  using Reply = EventReply;
  static constexpr std::string_view kMethod = "GetEvent";

  std::string request_id;
  uint32_t wait_seconds = 0;  // at most 20: answer when the event ends, or then
  void pack(wire::MapWriter& params) const;
};

struct CancelReply {
  std::string request_id;
  std::string state;
  static std::optional<CancelReply> unpack(const msgpack::object& map);
};

struct CancelEvent {
  using Reply = CancelReply;
  static constexpr std::string_view kMethod = "CancelEvent";

  std::string request_id;
  void pack(wire::MapWriter& params) const;
};

struct SendMessageReply {
  std::string message_id;
  static std::optional<SendMessageReply> unpack(const msgpack::object& map);
};

struct SendMessage {
  using Reply = SendMessageReply;
  static constexpr std::string_view kMethod = "SendMessage";

  std::string queue_name;
  std::string body;
  std::map<std::string, std::string> attributes;
  uint32_t delay_seconds = 0;
  void pack(wire::MapWriter& params) const;
};

struct Message {
  std::string message_id;
  std::string receipt_handle;
  std::string body;
  std::map<std::string, std::string> attributes;
  int64_t sent_at_ms = 0;
  int64_t receive_count = 0;
};

struct ReceiveMessageReply {
  std::vector<Message> messages;
  static std::optional<ReceiveMessageReply> unpack(const msgpack::object& map);
};

struct ReceiveMessage {
  using Reply = ReceiveMessageReply;
  static constexpr std::string_view kMethod = "ReceiveMessage";

  std::string queue_name;
  uint32_t messages_max = 1;                           // at most 10
  std::optional<uint32_t> visibility_timeout_seconds;  // absent: the queue's own
  void pack(wire::MapWriter& params) const;
};

struct DeleteMessageReply {
  static std::optional<DeleteMessageReply> unpack(const msgpack::object& map);
};

struct DeleteMessage {
  using Reply = DeleteMessageReply;
  static constexpr std::string_view kMethod = "DeleteMessage";

  std::string queue_name;
  std::string receipt_handle;
  void pack(wire::MapWriter& params) const;
};

}  // namespace holdfast::client
