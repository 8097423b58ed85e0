// Requests as the daemon's own structs: checked, authorised, their names resolved.
//
//    auto decoded = decode(request, role, ledger, payloads);
//    if (const auto* error = std::get_if<wire::CallError>(&decoded)) ...  // one error reply
//    std::visit(match{...}, std::get<Call>(decoded));
//
// What the table of operations.h can say is checked there; here is what concerns two
// fields, or needs the ledger. Nothing decoded can harm the disk: markers are ones
// that our lists understand, ids belong to this box.
//
// Ownership  values; the payload is copied once, out of the request, into memory of `payloads`.
// Threads    the loop's.
// Failure    a CallError that names the field, what came and what is allowed.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "client/wire/message.h"
#include "daemon/api/operations.h"
#include "daemon/core/ledger.h"
#include "daemon/core/lifecycle.h"
#include "daemon/core/payload_memory.h"
#include "storage/views.h"

namespace holdfast::api {

struct GetEvent {
  storage::EventId event;
  Duration wait{0};
};
struct ListEvents {
  storage::EventFilter filter;
  std::optional<std::string> marker;  // one that list_events() takes with this filter
  size_t rows_max = 0;
};
struct CancelEvent {
  storage::EventId event;
};
struct ListFunctions {};
struct GetStatus {};
struct ListDeadLetters {
  std::optional<storage::FunctionId> function;
  std::optional<std::string> marker;  // one that list_dead_letters() takes
  size_t rows_max = 0;
};
struct GetDeadLetter {
  storage::EventId event;
};
struct GetEventPayload {
  storage::EventId event;
};
struct SendMessage {
  storage::QueueId queue;
  // `sent_wall` is not in the request: whoever accepts the message fills it in.
  std::shared_ptr<storage::MessageRecord> message;
  Duration delay{0};
};
struct ReceiveMessage {
  storage::QueueId queue;
  uint32_t messages_max = 1;
  std::optional<Duration> visibility_timeout;
};
struct DeleteMessage {
  storage::MessageKey receipt;
};
struct ListQueues {};
struct AttachWorker {
  std::string function;
  uint32_t concurrency = 1;
  std::map<storage::EventId, storage::AttemptNumber> held;
  std::vector<storage::EventId> unknown;  // held, and of this box, but not known here
};
struct AnswerAttempt {
  storage::EventId event;
  storage::AttemptNumber attempt;
  core::AttemptReport report;
};
struct HeartbeatAttempt {
  storage::EventId event;
  storage::AttemptNumber attempt;
};
struct DetachWorker {};

// Submission and DeadLettersRequest come without a ticket: the desk gives it.
using Call = std::variant<core::Submission, GetEvent, ListEvents, CancelEvent, ListFunctions,
                          GetStatus, ListDeadLetters, GetDeadLetter, core::DeadLettersRequest,
                          SendMessage, ReceiveMessage, DeleteMessage, ListQueues, GetEventPayload,
                          AttachWorker, AnswerAttempt, HeartbeatAttempt, DetachWorker>;

std::variant<Call, wire::CallError> decode(const wire::Request& request, Role role,
                                           const core::Ledger& ledger,
                                           core::PayloadMemory& payloads);

}  // namespace holdfast::api
