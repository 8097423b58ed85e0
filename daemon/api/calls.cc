#include "daemon/api/calls.h"

#include <array>
#include <string_view>
#include <utility>

#include "client/wire/limits.h"
#include "daemon/api/errors.h"
#include "daemon/api/handles.h"
#include "daemon/api/text.h"
#include "storage/base/check.h"
#include "storage/list_marker.h"

namespace holdfast::api {
namespace {

using std::chrono::seconds;
using storage::ListSection;
using storage::ViewState;

// The fields of a request that the table has passed, and names looked up. The first
// thing that is wrong is kept in error(); what is read after it does not matter.
class Fields {
 public:
  Fields(const msgpack::object& params, const core::Ledger& ledger,
         core::PayloadMemory& payloads)
      : params_(params), ledger_(ledger), payloads_(payloads) {}

  const core::Ledger& ledger() const { return ledger_; }
  const std::optional<wire::CallError>& error() const { return error_; }
  void fail(std::string_view type, std::string message) {
    if (!error_) error_ = call_error(type, std::move(message));
  }

  bool has(std::string_view name) const { return wire::find(params_, name) != nullptr; }
  const msgpack::object* find(std::string_view name) const { return wire::find(params_, name); }
  // Empty when the field is absent, as for the next two.
  std::optional<std::string_view> bytes(std::string_view name) const {
    const msgpack::object* value = find(name);
    return value == nullptr ? std::nullopt : wire::as_bytes(*value);
  }
  std::string payload() {
    std::string payload = payloads_.take();
    payload = bytes("Payload").value_or("");
    return payload;
  }
  std::optional<int64_t> number(std::string_view name) const {
    const msgpack::object* value = find(name);
    return value == nullptr ? std::nullopt : wire::as_int(*value);
  }
  std::optional<std::string> marker() const {
    const auto text = bytes("Marker");
    return text ? std::optional{std::string{*text}} : std::nullopt;
  }
  size_t rows_max() const {
    return static_cast<size_t>(number("MaxItems").value_or(wire::kPageItemsDefault));
  }

  storage::EventId event() { return event_named(bytes("RequestId").value_or("")); }
  storage::EventId event_named(std::string_view request_id) {
    const auto id = storage::from_request_id(request_id, ledger_.box());
    // An id that this box could not have given must not reach the core, nor a MessageId.
    if (id && is_known(*id)) return *id;
    fail(kResourceNotFound, "no event has this RequestId: it was never accepted on this box");
    return {};
  }
  bool is_known(const storage::EventId& id) const {
    return id.lane == storage::Lane{} && id.seq < ledger_.state().next_seq &&
           ledger_.functions().contains(id.function);
  }
  std::optional<storage::FunctionId> function() {
    const auto name = bytes("FunctionName");
    if (!name) return std::nullopt;
    const auto id = ledger_.find_function(*name);
    if (!id) fail(kResourceNotFound, "there is no function " + std::string{*name});
    return id;
  }
  storage::QueueId queue() {
    const std::string name{bytes("QueueName").value_or("")};
    const auto id = ledger_.find_queue(name);
    if (!id) {
      fail(kResourceNotFound, "there is no queue " + name + ": add [queues." + name +
                                  "] to the configuration and reload");
    }
    return id.value_or(storage::QueueId{});
  }

 private:
  const msgpack::object& params_;
  const core::Ledger& ledger_;
  core::PayloadMemory& payloads_;
  std::optional<wire::CallError> error_;
};

Call decode_invoke(Fields& fields) {
  const std::string_view type = fields.bytes("InvocationType").value_or("RequestResponse");
  core::Submission submission;
  submission.function = fields.bytes("FunctionName").value_or("");
  // A dry run makes the checks of an event.
  submission.type = type == "RequestResponse" ? storage::InvocationType::synchronous
                                              : storage::InvocationType::event;
  submission.dry_run = type == "DryRun";
  submission.idempotency_key = fields.bytes("IdempotencyKey").value_or("");
  submission.delay = seconds{fields.number("DelaySeconds").value_or(0)};
  if (submission.type == storage::InvocationType::synchronous &&
      submission.delay > Duration::zero()) {
    fields.fail(kInvalidParameterValue,
                "DelaySeconds is " + std::to_string(*fields.number("DelaySeconds")) +
                    "; a RequestResponse runs at once: leave it out, or invoke as Event");
    return submission;
  }
  submission.payload = fields.payload();
  return submission;
}

Call decode_get_event(Fields& fields) {
  return GetEvent{fields.event(), seconds{fields.number("WaitSeconds").value_or(0)}};
}

std::optional<ViewState> state_named(std::string_view name) {
  if (name == "pending") return ViewState::pending;
  if (name == "running") return ViewState::running;
  if (name == "succeeded") return ViewState::succeeded;
  if (name == "failed") return ViewState::failed;
  if (name == "cancelled") return ViewState::cancelled;
  if (name == "dead") return ViewState::dead;
  return std::nullopt;
}

// Whether a list of this state goes through the section: what list_events() asks of a
// marker. It is asked here because a reader's error stops the daemon.
bool goes_through(std::optional<ViewState> state, ListSection section) {
  if (section == ListSection::dead_letters) return false;
  if (!state) return true;
  switch (*state) {
    case ViewState::pending: return section == ListSection::pending;
    case ViewState::running: return section == ListSection::running;
    case ViewState::dead: return section == ListSection::dead;
    case ViewState::succeeded:
    case ViewState::failed:
    case ViewState::cancelled: return section == ListSection::history;
  }
  CHECK(!"a state without a section");
  return false;
}

void fail_marker(Fields& fields, std::string_view marker) {
  fields.fail(kInvalidParameterValue,
              "Marker is " + shown(marker) +
                  "; it must be the NextMarker of an answer to this operation with the same "
                  "other fields, or be left out to begin anew");
}

Call decode_list_events(Fields& fields) {
  ListEvents call;
  call.filter.function = fields.function();
  call.filter.state = state_named(fields.bytes("State").value_or(""));
  call.rows_max = fields.rows_max();
  call.marker = fields.marker();
  if (call.marker) {
    const auto marker = storage::parse_marker(*call.marker);
    if (!marker || !goes_through(call.filter.state, marker->section)) {
      fail_marker(fields, *call.marker);
    }
  }
  return call;
}

Call decode_cancel_event(Fields& fields) { return CancelEvent{fields.event()}; }
Call decode_list_functions(Fields&) { return ListFunctions{}; }
Call decode_get_status(Fields&) { return GetStatus{}; }

Call decode_list_dead_letters(Fields& fields) {
  ListDeadLetters call{fields.function(), fields.marker(), fields.rows_max()};
  if (call.marker) {
    const auto marker = storage::parse_marker(*call.marker);
    if (!marker || marker->section != ListSection::dead_letters) fail_marker(fields, *call.marker);
  }
  return call;
}

Call decode_get_dead_letter(Fields& fields) { return GetDeadLetter{fields.event()}; }

Call decode_get_event_payload(Fields& fields) { return GetEventPayload{fields.event()}; }

Call decode_move(Fields& fields, core::DeadLetterVerb verb) {
  core::DeadLettersRequest request;
  request.verb = verb;
  const bool one = fields.has("RequestId");
  if (one == fields.has("FunctionName")) {
    fields.fail(kInvalidParameterValue,
                one ? "RequestId and FunctionName are given; it must be one of them"
                    : "RequestId and FunctionName are missing; one of them must be given");
    return request;
  }
  const std::optional<std::string> marker = fields.marker();
  if (one) {
    if (marker) {
      fields.fail(kInvalidParameterValue,
                  "Marker is given with a RequestId; it goes with FunctionName only");
    }
    request.one = fields.event();
    request.function = request.one->function;
    return request;
  }
  request.function = fields.function().value_or(storage::FunctionId{});
  if (marker) {
    request.page = from_page_marker(*marker);
    if (!request.page) fail_marker(fields, *marker);
  }
  return request;
}

Call decode_redrive(Fields& fields) { return decode_move(fields, core::DeadLetterVerb::redrive); }
Call decode_discard(Fields& fields) { return decode_move(fields, core::DeadLetterVerb::discard); }

Call decode_send_message(Fields& fields) {
  SendMessage call{fields.queue(), std::make_shared<storage::MessageRecord>(),
                   seconds{fields.number("DelaySeconds").value_or(0)}};
  if (fields.error()) return call;
  call.message->body = fields.bytes("MessageBody").value_or("");
  if (const msgpack::object* texts = fields.find("MessageAttributes")) {
    for (const auto& entry : std::span{texts->via.map.ptr, texts->via.map.size}) {
      call.message->attributes.emplace(wire::as_text(entry.key).value_or(""),
                                       wire::as_text(entry.val).value_or(""));
    }
  }
  return call;
}

Call decode_receive_message(Fields& fields) {
  ReceiveMessage call;
  call.queue = fields.queue();
  call.messages_max = static_cast<uint32_t>(fields.number("MaxNumberOfMessages").value_or(1));
  if (const auto timeout = fields.number("VisibilityTimeout")) {
    call.visibility_timeout = seconds{*timeout};
  }
  return call;
}

Call decode_delete_message(Fields& fields) {
  const storage::QueueId queue = fields.queue();
  const auto key =
      from_receipt(fields.bytes("ReceiptHandle").value_or(""), fields.ledger().box());
  if (!key || key->queue != queue) {
    fields.fail(kReceiptHandleIsInvalid, "ReceiptHandle is none that ReceiveMessage gave for this "
                                         "queue on this box");
  }
  return DeleteMessage{key.value_or(storage::MessageKey{})};
}

Call decode_list_queues(Fields&) { return ListQueues{}; }

storage::AttemptNumber attempt_of(int64_t number) {
  return storage::AttemptNumber{static_cast<uint32_t>(number)};
}

Call decode_attach_worker(Fields& fields) {
  AttachWorker call;
  call.function = fields.bytes("FunctionName").value_or("");
  call.concurrency = static_cast<uint32_t>(fields.number("Concurrency").value_or(1));
  if (const msgpack::object* held = fields.find("Held")) {
    for (const auto& entry : std::span{held->via.map.ptr, held->via.map.size}) {
      // A worker may know of more than this box does: of one that has lost something, or of
      // another one. What is of another is in neither list of the answer.
      const auto text = wire::as_text(entry.key).value_or("");
      const auto id = storage::from_request_id(text, fields.ledger().box());
      if (!id) continue;
      if (fields.is_known(*id)) {
        call.held[*id] = attempt_of(wire::as_int(entry.val).value_or(0));
      } else {
        call.unknown.push_back(*id);
      }
    }
  }
  return call;
}

Call decode_attempt_success(Fields& fields) {
  core::Succeeded succeeded{std::string{fields.bytes("Result").value_or("")}};
  return AnswerAttempt{fields.event(), attempt_of(fields.number("Attempt").value_or(0)),
                       {std::move(succeeded), {}}};
}

Call decode_attempt_failure(Fields& fields) {
  core::Failed failed{std::string{fields.bytes("ErrorType").value_or("")},
                      std::string{fields.bytes("ErrorMessage").value_or("")}};
  return AnswerAttempt{fields.event(), attempt_of(fields.number("Attempt").value_or(0)),
                       {std::move(failed), std::string{fields.bytes("LogTail").value_or("")}}};
}

Call decode_attempt_heartbeat(Fields& fields) {
  return HeartbeatAttempt{fields.event(), attempt_of(fields.number("Attempt").value_or(0))};
}

Call decode_detach_worker(Fields&) { return DetachWorker{}; }

struct Decoder {
  std::string_view operation;
  Call (*decode)(Fields&);
};
constexpr std::array kDecoders{
    Decoder{"Invoke", decode_invoke},
    Decoder{"GetEvent", decode_get_event},
    Decoder{"ListEvents", decode_list_events},
    Decoder{"CancelEvent", decode_cancel_event},
    Decoder{"ListFunctions", decode_list_functions},
    Decoder{"GetStatus", decode_get_status},
    Decoder{"ListDeadLetters", decode_list_dead_letters},
    Decoder{"GetDeadLetter", decode_get_dead_letter},
    Decoder{"GetEventPayload", decode_get_event_payload},
    Decoder{"RedriveDeadLetters", decode_redrive},
    Decoder{"DiscardDeadLetters", decode_discard},
    Decoder{"SendMessage", decode_send_message},
    Decoder{"ReceiveMessage", decode_receive_message},
    Decoder{"DeleteMessage", decode_delete_message},
    Decoder{"ListQueues", decode_list_queues},
    Decoder{"AttachWorker", decode_attach_worker},
    Decoder{"SendAttemptSuccess", decode_attempt_success},
    Decoder{"SendAttemptFailure", decode_attempt_failure},
    Decoder{"SendAttemptHeartbeat", decode_attempt_heartbeat},
    Decoder{"DetachWorker", decode_detach_worker},
};

const Decoder& decoder_of(const Operation& operation) {
  for (const Decoder& decoder : kDecoders) {
    if (decoder.operation == operation.name) return decoder;
  }
  CHECK(!"an operation of the table without a decoder");
  return kDecoders.front();
}

}  // namespace

std::variant<Call, wire::CallError> decode(const wire::Request& request, Role role,
                                           const core::Ledger& ledger,
                                           core::PayloadMemory& payloads) {
  const Operation* operation = find_operation(request.method);
  if (operation == nullptr) {
    return call_error(kUnknownOperation, "there is no operation " + shown(request.method));
  }
  if (operation->role == Role::admin && role != Role::admin) {
    return call_error(kAccessDenied, std::string{operation->name} +
                                         " is for root and the daemon's own user only");
  }
  if (auto error = check_params(*operation, request.params)) return std::move(*error);
  Fields fields{request.params, ledger, payloads};
  Call call = decoder_of(*operation).decode(fields);
  if (fields.error()) return *fields.error();
  return call;
}

}  // namespace holdfast::api
