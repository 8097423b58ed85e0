#include "client/operations.h"

#include "client/wire/message.h"

namespace holdfast::client {
namespace {

// Reads the fields of an answer. A required field that is missing or of another
// type makes the whole answer unreadable; complete() tells, once, at the end.
class Fields {
 public:
  explicit Fields(const msgpack::object& map)
      : map_(map), complete_(map.type == msgpack::type::MAP) {}

  std::string text(std::string_view key) {
    const auto* field = wire::find(map_, key);
    const auto text = field == nullptr ? std::nullopt : wire::as_text(*field);
    if (!text) complete_ = false;
    return std::string{text.value_or("")};
  }
  int64_t number(std::string_view key) {
    const auto number = optional_number(key);
    if (!number) complete_ = false;
    return number.value_or(0);
  }
  std::optional<int64_t> optional_number(std::string_view key) const {
    const auto* field = wire::find(map_, key);
    return field == nullptr ? std::nullopt : wire::as_int(*field);
  }
  std::optional<std::string> optional_bytes(std::string_view key) const {
    const auto* field = wire::find(map_, key);
    const auto bytes = field == nullptr ? std::nullopt : wire::as_bytes(*field);
    if (!bytes) return std::nullopt;
    return std::string{*bytes};
  }
  std::string optional_text(std::string_view key) const { return optional_bytes(key).value_or(""); }
  bool is_true(std::string_view key) const {
    const auto* field = wire::find(map_, key);
    return field != nullptr && field->type == msgpack::type::BOOLEAN && field->via.boolean;
  }
  std::map<std::string, std::string> texts(std::string_view key) const {
    std::map<std::string, std::string> texts;
    const auto* field = wire::find(map_, key);
    if (field == nullptr || field->type != msgpack::type::MAP) return texts;
    for (uint32_t n = 0; n < field->via.map.size; ++n) {
      const msgpack::object_kv& entry = field->via.map.ptr[n];
      const auto name = wire::as_text(entry.key);
      const auto value = wire::as_text(entry.val);
      if (name && value) texts.emplace(*name, *value);
    }
    return texts;
  }

  bool complete() const { return complete_; }

 private:
  const msgpack::object& map_;
  bool complete_;
};

uint64_t result_bytes(const Fields& fields, const std::optional<std::string>& payload) {
  if (payload) return payload->size();
  return static_cast<uint64_t>(fields.optional_number("PayloadBytes").value_or(0));
}

Ending unpack_ending(const msgpack::object& map) {
  const Fields fields{map};
  Ending ending;
  ending.state = fields.optional_text("State");
  ending.condition = fields.optional_text("Condition");
  ending.ended_at_ms = fields.optional_number("EndedAt").value_or(0);
  ending.payload = fields.optional_bytes("Payload");
  ending.payload_bytes = result_bytes(fields, ending.payload);
  ending.error_type = fields.optional_text("ErrorType");
  ending.error_message = fields.optional_text("ErrorMessage");
  return ending;
}

void pack_key(wire::MapWriter& params, const std::string& idempotency_key) {
  if (!idempotency_key.empty()) params.text("IdempotencyKey", idempotency_key);
}

}  // namespace

std::optional<InvokeReply> InvokeReply::unpack(const msgpack::object& map) {
  Fields fields{map};
  InvokeReply reply;
  reply.status_code = fields.number("StatusCode");
  if (reply.status_code != 204) reply.request_id = fields.text("RequestId");
  reply.duplicate = fields.is_true("Duplicate");
  if (const auto* ending = wire::find(map, "Ending")) reply.ending = unpack_ending(*ending);
  reply.payload = fields.optional_text("Payload");
  reply.payload_bytes = static_cast<uint64_t>(
      fields.optional_number("PayloadBytes").value_or(static_cast<int64_t>(reply.payload.size())));
  if (wire::find(map, "FunctionError") != nullptr) {
    reply.function_error = fields.text("FunctionError");
  }
  if (!fields.complete()) return std::nullopt;
  return reply;
}

void InvokeEvent::pack(wire::MapWriter& params) const {
  params.text("FunctionName", function_name).text("InvocationType", "Event");
  params.bytes("Payload", payload);
  pack_key(params, idempotency_key);
  if (delay_seconds > 0) params.count("DelaySeconds", delay_seconds);
}

void Invoke::pack(wire::MapWriter& params) const {
  params.text("FunctionName", function_name).text("InvocationType", "RequestResponse");
  params.bytes("Payload", payload);
  pack_key(params, idempotency_key);
}

std::optional<EventReply> EventReply::unpack(const msgpack::object& map) {
  Fields fields{map};
  EventReply reply;
  reply.request_id = fields.text("RequestId");
  reply.function_name = fields.text("FunctionName");
  reply.state = fields.text("State");
  reply.attempt = fields.optional_number("Attempt").value_or(0);
  reply.failures = fields.optional_number("Failures").value_or(0);
  reply.interruptions = fields.optional_number("Interruptions").value_or(0);
  reply.accepted_at_ms = fields.optional_number("AcceptedAt").value_or(0);
  reply.ended_at_ms = fields.optional_number("EndedAt");
  reply.condition = fields.optional_text("Condition");
  reply.payload_bytes = static_cast<uint64_t>(fields.optional_number("PayloadBytes").value_or(0));
  reply.result = fields.optional_bytes("Result");
  reply.result_bytes = static_cast<uint64_t>(fields.optional_number("ResultBytes").value_or(0));
  reply.error_type = fields.optional_text("ErrorType");
  reply.error_message = fields.optional_text("ErrorMessage");
  if (!fields.complete()) return std::nullopt;
  return reply;
}

void GetEvent::pack(wire::MapWriter& params) const {
  params.text("RequestId", request_id);
  if (wait_seconds > 0) params.count("WaitSeconds", wait_seconds);
}

std::optional<CancelReply> CancelReply::unpack(const msgpack::object& map) {
  Fields fields{map};
  CancelReply reply{fields.text("RequestId"), fields.text("State")};
  if (!fields.complete()) return std::nullopt;
  return reply;
}

void CancelEvent::pack(wire::MapWriter& params) const { params.text("RequestId", request_id); }

std::optional<SendMessageReply> SendMessageReply::unpack(const msgpack::object& map) {
  Fields fields{map};
  SendMessageReply reply{fields.text("MessageId")};
  if (!fields.complete()) return std::nullopt;
  return reply;
}

void SendMessage::pack(wire::MapWriter& params) const {
  params.text("QueueName", queue_name).bytes("MessageBody", body);
  if (!attributes.empty()) {
    wire::MapWriter texts = params.map("MessageAttributes");
    for (const auto& [name, value] : attributes) texts.text(name, value);
  }
  if (delay_seconds > 0) params.count("DelaySeconds", delay_seconds);
}

std::optional<ReceiveMessageReply> ReceiveMessageReply::unpack(const msgpack::object& map) {
  const auto* list = wire::find(map, "Messages");
  if (list == nullptr || list->type != msgpack::type::ARRAY) return std::nullopt;
  ReceiveMessageReply reply;
  for (uint32_t n = 0; n < list->via.array.size; ++n) {
    Fields fields{list->via.array.ptr[n]};
    Message message;
    message.message_id = fields.text("MessageId");
    message.receipt_handle = fields.text("ReceiptHandle");
    message.body = fields.optional_text("Body");
    message.attributes = fields.texts("MessageAttributes");
    message.sent_at_ms = fields.optional_number("SentAt").value_or(0);
    message.receive_count = fields.optional_number("ReceiveCount").value_or(0);
    if (!fields.complete()) return std::nullopt;
    reply.messages.push_back(std::move(message));
  }
  return reply;
}

void ReceiveMessage::pack(wire::MapWriter& params) const {
  params.text("QueueName", queue_name).count("MaxNumberOfMessages", messages_max);
  if (visibility_timeout_seconds) params.count("VisibilityTimeout", *visibility_timeout_seconds);
}

std::optional<DeleteMessageReply> DeleteMessageReply::unpack(const msgpack::object& map) {
  if (map.type != msgpack::type::MAP) return std::nullopt;
  return DeleteMessageReply{};
}

void DeleteMessage::pack(wire::MapWriter& params) const {
  params.text("QueueName", queue_name).text("ReceiptHandle", receipt_handle);
}

}  // namespace holdfast::client
