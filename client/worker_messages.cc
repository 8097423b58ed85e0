#include "client/worker_messages.h"

#include <algorithm>
#include <utility>

#include "client/utf8.h"
#include "client/wire/limits.h"
#include "client/wire/message.h"
#include "storage/base/match.h"

namespace holdfast::client {
namespace {

constexpr size_t kErrorTypeBytesMax = 128;
constexpr size_t kErrorMessageBytesMax = 1024;
constexpr size_t kLogTailBytesMax = 4096;

std::optional<std::string> text_in(const msgpack::object& map, std::string_view key) {
  const auto* field = wire::find(map, key);
  const auto text = field == nullptr ? std::nullopt : wire::as_bytes(*field);
  if (!text) return std::nullopt;
  return std::string{*text};
}

std::optional<int64_t> number_in(const msgpack::object& map, std::string_view key) {
  const auto* field = wire::find(map, key);
  return field == nullptr ? std::nullopt : wire::as_int(*field);
}

}  // namespace

std::optional<RunAttempt> RunAttempt::unpack(const msgpack::object& map) {
  const auto function_name = text_in(map, "FunctionName");
  auto payload = text_in(map, "Payload");
  auto which = unpack_which(map);
  if (!function_name || !payload || !which) return std::nullopt;
  return RunAttempt{*function_name,
                    std::move(which->request_id),
                    which->number,
                    text_in(map, "InvocationType").value_or(""),
                    number_in(map, "DeadlineAt").value_or(0),
                    text_in(map, "IdempotencyKey"),
                    std::move(*payload)};
}

void pack_attach(wire::MapWriter& params, const WorkerOptions& options,
                 const std::map<std::string, int64_t>& held) {
  params.text("FunctionName", options.function_name).count("Concurrency", options.concurrency);
  if (held.empty()) return;
  wire::MapWriter numbers = params.map("Held");
  for (const auto& [request_id, number] : held) numbers.number(request_id, number);
}

std::optional<AttachReply> AttachReply::unpack(const msgpack::object& map) {
  const auto timeout = number_in(map, "TimeoutMs");
  if (!timeout || *timeout <= 0) return std::nullopt;
  AttachReply reply{std::min(Duration{*timeout}, kTimeoutMax), std::nullopt, {}};
  if (const auto window = number_in(map, "ReattachWindowMs")) {
    reply.reattach_window = std::clamp(Duration{*window}, Duration::zero(), kTimeoutMax);
  }
  const auto* continued = wire::find(map, "Continued");
  if (continued == nullptr || continued->type != msgpack::type::ARRAY) return reply;
  for (uint32_t n = 0; n < continued->via.array.size; ++n) {
    const auto request_id = wire::as_text(continued->via.array.ptr[n]);
    if (request_id) reply.continued.emplace(*request_id);
  }
  return reply;
}

std::optional<WorkerBook::Which> unpack_which(const msgpack::object& map) {
  auto request_id = text_in(map, "RequestId");
  const auto number = number_in(map, "Attempt");
  if (!request_id || !number) return std::nullopt;
  return WorkerBook::Which{std::move(*request_id), *number};
}

void pack_which(wire::MapWriter& params, const Attempt& attempt) {
  params.text("RequestId", attempt.request_id()).number("Attempt", attempt.number());
}

AttemptResult sendable(AttemptResult result) {
  const auto* succeeded = std::get_if<AttemptSuccess>(&result);
  if (succeeded == nullptr || succeeded->result.size() <= wire::kPayloadBytesMaxSynchronous) {
    return result;
  }
  return failure("Function.ResponseSizeTooLarge",
                 "the result has " + std::to_string(succeeded->result.size()) +
                     " bytes, but at most " + std::to_string(wire::kPayloadBytesMaxSynchronous) +
                     " can be sent");
}

std::string_view method_of(const AttemptResult& result) {
  return std::holds_alternative<AttemptSuccess>(result) ? kSendAttemptSuccess
                                                        : kSendAttemptFailure;
}

void pack_result(wire::MapWriter& params, const AttemptResult& result) {
  std::visit(match{
                 [&](const AttemptSuccess& succeeded) { params.bytes("Result", succeeded.result); },
                 [&](const AttemptFailure& failed) {
                   const auto text = [&](std::string_view key, std::string_view value, size_t max) {
                     if (!value.empty()) params.text(key, utf8_front(value, max));
                   };
                   text("ErrorType", failed.error_type, kErrorTypeBytesMax);
                   text("ErrorMessage", failed.error_message, kErrorMessageBytesMax);
                   const std::string_view log = failed.log_tail;
                   if (log.empty()) return;
                   params.bytes("LogTail", log.substr(log.size() -
                                                      std::min(log.size(), kLogTailBytesMax)));
                 },
             },
             result);
}

}  // namespace holdfast::client
