#include "daemon/api/operations.h"

#include <algorithm>
#include <array>

#include "client/wire/limits.h"

namespace holdfast::api {
namespace {

constexpr int64_t kRequestIdBytes = 36;
// Ours are shorter; how long they are is nobody's business but ours.
constexpr int64_t kMarkerBytesMax = 128;
constexpr int64_t kReceiptHandleBytesMax = 128;

constexpr std::array<std::string_view, 3> kInvocationTypes{"RequestResponse", "Event", "DryRun"};
constexpr std::array<std::string_view, 6> kStates{"pending",   "running", "succeeded",
                                                  "failed",    "cancelled", "dead"};

constexpr Field required(Field field) {
  field.required = true;
  return field;
}
constexpr Field number(std::string_view name, int64_t min, int64_t max) {
  return {.name = name, .type = FieldType::number, .min = min, .max = max};
}
constexpr Field words(std::string_view name, std::span<const std::string_view> words) {
  int64_t max = 0;
  for (const std::string_view word : words) max = std::max(max, static_cast<int64_t>(word.size()));
  return {.name = name, .min = 1, .max = max, .words = words};
}

constexpr Field kFunctionName{.name = "FunctionName",
                              .min = 1,
                              .max = wire::kFunctionNameBytesMax,
                              .alphabet = Alphabet::name};
constexpr Field kQueueName{.name = "QueueName",
                           .required = true,
                           .min = 1,
                           .max = wire::kQueueNameBytesMax,
                           .alphabet = Alphabet::name};
constexpr Field kRequestId{.name = "RequestId",
                           .min = kRequestIdBytes,
                           .max = kRequestIdBytes,
                           .alphabet = Alphabet::uuid};
constexpr Field kMaxItems = number("MaxItems", 1, wire::kPageItemsMax);
constexpr Field kMarker{.name = "Marker", .min = 1, .max = kMarkerBytesMax};

constexpr std::array kInvoke{
    required(kFunctionName),
    words("InvocationType", kInvocationTypes),
    // The bound of a synchronous call; the core knows the smaller one of events.
    Field{.name = "Payload",
          .type = FieldType::bytes,
          .max = wire::kPayloadBytesMaxSynchronous},
    Field{.name = "IdempotencyKey", .min = 1, .max = wire::kIdempotencyKeyBytesMax},
    number("DelaySeconds", 0, wire::kInvokeDelaySecondsMax),
};
constexpr std::array kGetEvent{
    required(kRequestId),
    number("WaitSeconds", 0, wire::kWaitSecondsMax),
};
constexpr std::array kListEvents{kFunctionName, words("State", kStates), kMaxItems, kMarker};
constexpr std::array kOneEvent{required(kRequestId)};
constexpr std::array kListDeadLetters{kFunctionName, kMaxItems, kMarker};
constexpr std::array kMoveDeadLetters{kRequestId, kFunctionName, kMarker};
constexpr std::array kSendMessage{
    kQueueName,
    Field{.name = "MessageBody",
          .type = FieldType::bytes,
          .required = true,
          .min = 1,
          .max = wire::kMessageBodyBytesMax},
    Field{.name = "MessageAttributes",
          .type = FieldType::texts,
          .max = wire::kMessageAttributesBytesMax},
    number("DelaySeconds", 0, wire::kMessageDelaySecondsMax),
};
constexpr std::array kReceiveMessage{
    kQueueName,
    number("MaxNumberOfMessages", 1, wire::kReceiveMessagesMax),
    number("VisibilityTimeout", 0, wire::kVisibilityTimeoutSecondsMax),
};
constexpr std::array kDeleteMessage{
    kQueueName,
    Field{.name = "ReceiptHandle", .required = true, .min = 1, .max = kReceiptHandleBytesMax},
};

constexpr std::array kAttachWorker{
    required(kFunctionName),
    required(number("Concurrency", 1, wire::kWorkerConcurrencyMax)),
    Field{.name = "Held", .type = FieldType::numbers, .max = wire::kWorkerConcurrencyMax},
};
constexpr Field kAttempt = required(number("Attempt", 1, UINT32_MAX));
constexpr std::array kSendAttemptSuccess{
    required(kRequestId),
    kAttempt,
    Field{.name = "Result", .type = FieldType::bytes, .max = wire::kPayloadBytesMaxSynchronous},
};
constexpr std::array kSendAttemptFailure{
    required(kRequestId),
    kAttempt,
    Field{.name = "ErrorType", .max = wire::kErrorTypeBytesMax},
    Field{.name = "ErrorMessage", .max = wire::kErrorMessageBytesMax},
    Field{.name = "LogTail", .type = FieldType::bytes, .max = wire::kLogTailBytesMax},
};
constexpr std::array kSendAttemptHeartbeat{required(kRequestId), kAttempt};

constexpr std::array kOperations{
    Operation{"Invoke", Role::group, kInvoke, "runs a function, or accepts an event for it"},
    Operation{"GetEvent", Role::group, kGetEvent, "shows an event, or waits for its ending"},
    Operation{"ListEvents", Role::admin, kListEvents, "lists events, newest first within a state"},
    Operation{"CancelEvent", Role::admin, kOneEvent, "ends an event that has not ended"},
    Operation{"GetEventPayload", Role::admin, kOneEvent,
              "gives the payload of an event that has not ended, or is dead"},
    Operation{"ListFunctions", Role::admin, {}, "lists the functions"},
    Operation{"GetStatus", Role::admin, {}, "tells how the daemon stands"},
    Operation{"ListDeadLetters", Role::admin, kListDeadLetters, "lists dead letters, newest first"},
    Operation{"GetDeadLetter", Role::admin, kOneEvent, "shows a dead letter with its payload"},
    Operation{"RedriveDeadLetters", Role::admin, kMoveDeadLetters,
              "returns dead letters to pending"},
    Operation{"DiscardDeadLetters", Role::admin, kMoveDeadLetters, "deletes dead letters"},
    Operation{"SendMessage", Role::group, kSendMessage, "puts a message into a queue"},
    Operation{"ReceiveMessage", Role::group, kReceiveMessage, "hands out messages of a queue"},
    Operation{"DeleteMessage", Role::group, kDeleteMessage, "deletes a message that was received"},
    Operation{"ListQueues", Role::group, {}, "lists the queues"},
    Operation{"AttachWorker", Role::group, kAttachWorker, "makes the connection a worker"},
    Operation{"SendAttemptSuccess", Role::group, kSendAttemptSuccess,
              "answers an attempt with its result"},
    Operation{"SendAttemptFailure", Role::group, kSendAttemptFailure,
              "answers an attempt with an error"},
    Operation{"SendAttemptHeartbeat", Role::group, kSendAttemptHeartbeat,
              "moves an attempt's deadline"},
    Operation{"DetachWorker", Role::group, {}, "asks for no further attempts"},
};

}  // namespace

std::span<const Operation> operations() { return kOperations; }

const Operation* find_operation(std::string_view name) {
  for (const Operation& operation : kOperations) {
    if (operation.name == name) return &operation;
  }
  return nullptr;
}

}  // namespace holdfast::api
