#include "daemon/api/answers.h"

#include <string_view>

#include "client/wire/message.h"
#include "daemon/api/errors.h"
#include "daemon/api/handles.h"
#include "daemon/api/text.h"
#include "daemon/core/invocation_record.h"
#include "storage/base/check.h"
#include "storage/base/match.h"

namespace holdfast::api {
namespace {

using storage::AttemptRecord;

std::string_view word(storage::ViewState state) {
  switch (state) {
    case storage::ViewState::pending: return "pending";
    case storage::ViewState::running: return "running";
    case storage::ViewState::dead: return "dead";
    case storage::ViewState::succeeded: return "succeeded";
    case storage::ViewState::failed: return "failed";
    case storage::ViewState::cancelled: return "cancelled";
  }
  CHECK(!"a state without a word");
  return {};
}

std::string_view word(storage::EndState state) {
  switch (state) {
    case storage::EndState::succeeded: return "succeeded";
    case storage::EndState::failed: return "failed";
    case storage::EndState::cancelled: return "cancelled";
  }
  CHECK(!"an ending without a word");
  return {};
}

std::string_view word(storage::InvocationType type) {
  return type == storage::InvocationType::event ? "Event" : "RequestResponse";
}

std::string_view word(storage::Failure failure) {
  switch (failure) {
    case storage::Failure::exited: return "exited";
    case storage::Failure::signaled: return "signaled";
    case storage::Failure::timed_out: return "timed_out";
    case storage::Failure::result_too_large: return "result_too_large";
    case storage::Failure::cannot_start: return "cannot_start";
    case storage::Failure::interrupted: return "interrupted";
    case storage::Failure::failed: return "failed";
    case storage::Failure::worker_lost: return "worker_lost";
  }
  CHECK(!"a failure without a word");
  return {};
}

// --- answers of the core ---------------------------------------------------

// A result, or its size where it was too large to be kept.
void add_result(wire::MapWriter& map, const std::optional<std::string>& result, uint64_t bytes) {
  if (result) {
    map.bytes("Payload", *result);
  } else if (bytes == 0) {
    map.bytes("Payload", "");
  } else {
    map.count("PayloadBytes", bytes);
  }
}

void add_error(wire::MapWriter& map, const std::string& type, const std::string& message) {
  if (!type.empty()) map.text("ErrorType", mended(type));
  if (!message.empty()) map.text("ErrorMessage", mended(message));
}

void add_ending(wire::MapWriter& map, const storage::StoredAnswer& answer) {
  wire::MapWriter ending = map.map("Ending");
  ending.text("State", word(answer.state))
      .text("Condition", core::name(answer.condition))
      .number("EndedAt", to_ms(answer.ended_wall));
  add_result(ending, answer.result, answer.result_bytes);
  add_error(ending, answer.error_type, answer.error_message);
}

void append(wire::MapWriter map, const core::Accepted& accepted, storage::BoxTag box) {
  map.number("StatusCode", 202).text("RequestId", storage::to_request_id(accepted.event, box));
  if (accepted.duplicate) map.boolean("Duplicate", true);
  if (accepted.ending) add_ending(map, *accepted.ending);
}

void append(wire::MapWriter map, const core::Returned& returned, storage::BoxTag box) {
  const std::string id = storage::to_request_id(returned.event, box);
  const storage::StoredAnswer& answer = returned.answer;
  map.number("StatusCode", 200).text("RequestId", id);
  if (returned.duplicate) map.boolean("Duplicate", true);
  if (answer.state == storage::EndState::succeeded) {
    add_result(map, answer.result, answer.result_bytes);
    return;
  }
  map.text("FunctionError", "Unhandled");
  map.bytes("Payload", core::error_object(answer.error_type, answer.error_message, id));
}

// An event that failed lies as a dead letter: whoever cancels it is told that word.
void append(wire::MapWriter map, const core::CancelAnswer& cancelled, storage::BoxTag box) {
  const bool died = cancelled.state == storage::EndState::failed;
  map.text("RequestId", storage::to_request_id(cancelled.event, box))
      .text("State", died ? word(storage::ViewState::dead) : word(cancelled.state));
}

void append(wire::MapWriter map, const core::DeadLettersMoved& moved) {
  const bool redriven = moved.verb == core::DeadLetterVerb::redrive;
  map.count(redriven ? "Redriven" : "Discarded", moved.count);
  if (moved.next) map.text("NextMarker", to_page_marker(*moved.next));
}

void append(wire::MapWriter map, const core::Received& received, storage::BoxTag box) {
  wire::ArrayWriter messages = map.array("Messages");
  for (const core::ReceivedMessage& message : received.messages) {
    wire::MapWriter row = messages.map();
    row.text("MessageId", to_message_id(message.key.seq, box))
        .text("ReceiptHandle", to_receipt(message.key, box))
        .bytes("Body", message.record->body);
    {
      wire::MapWriter attributes = row.map("MessageAttributes");
      for (const auto& [name, value] : message.record->attributes) {
        attributes.text(mended(name), mended(value));
      }
    }
    row.number("SentAt", to_ms(message.record->sent_wall))
        .count("ReceiveCount", message.record->receive_count);
  }
}

void append(wire::MapWriter map, const core::Attached& attached, storage::BoxTag box) {
  map.count("WorkerId", attached.worker.value)
      .number("TimeoutMs", attached.timeout.count())
      .number("ReattachWindowMs", attached.reattach_window.count());
  const auto add = [&](const char* name, const std::vector<storage::EventId>& ids) {
    wire::ArrayWriter rows = map.array(name);
    for (const storage::EventId& id : ids) rows.text(storage::to_request_id(id, box));
  };
  add("Continued", attached.continued);
  add("Lost", attached.lost);
}

// --- events and dead letters -----------------------------------------------

void add_attempts(wire::MapWriter& map, const std::vector<AttemptRecord>& attempts) {
  wire::ArrayWriter rows = map.array("Attempts");
  for (const AttemptRecord& attempt : attempts) {
    wire::MapWriter row = rows.map();
    row.count("Attempt", attempt.attempt.value)
        .text("Outcome", word(attempt.failure))
        .text("ErrorType", mended(attempt.error_type))
        .text("ErrorMessage", mended(attempt.error_message))
        .number("StartedAt", to_ms(attempt.started_wall))
        .number("EndedAt", to_ms(attempt.ended_wall));
    if (attempt.exit_status) row.number("ExitStatus", *attempt.exit_status);
    if (attempt.signal) row.number("Signal", *attempt.signal);
    row.text("LogTail", mended(attempt.log_tail));
  }
}

// All of an event but its attempts and its result.
void add_event(wire::MapWriter& map, const storage::EventView& view, const core::Ledger& ledger) {
  map.text("RequestId", storage::to_request_id(view.id, ledger.box()))
      .text("FunctionName", ledger.function(view.id.function).name)
      .text("State", word(view.state))
      .text("InvocationType", word(view.type))
      .count("PayloadBytes", view.payload_bytes)
      .count("Attempt", view.spent.attempt.value)
      .count("Failures", view.spent.failures)
      .count("Interruptions", view.spent.interruptions)
      .number("AcceptedAt", to_ms(view.accepted_wall));
  if (view.due_at) map.number("DueAt", to_ms(*view.due_at));
  if (view.running) {
    map.number("StartedAt", to_ms(view.running->first))
        .number("DeadlineAt", to_ms(view.running->second));
  }
  if (!view.ending) return;
  map.number("EndedAt", to_ms(view.ending->ended_wall))
      .text("Condition", core::name(view.ending->condition));
  if (view.ending->state == storage::EndState::succeeded) {
    map.count("ResultBytes", view.ending->result_bytes);
  }
  add_error(map, view.ending->error_type, view.ending->error_message);
}

void add_dead_letter(wire::MapWriter& map, const storage::DeadLetterKey& key,
                     const storage::DeadLetterRecord& record, const core::Ledger& ledger) {
  map.text("RequestId",
           storage::to_request_id({key.function, record.lane, key.seq}, ledger.box()))
      .text("FunctionName", ledger.function(key.function).name)
      .number("DiedAt", to_ms(record.died_wall))
      .text("Condition", core::name(record.condition))
      .count("Attempt", record.spent.attempt.value)
      .text("ErrorType", mended(record.error_type))
      .text("ErrorMessage", mended(record.error_message))
      .count("PayloadBytes", record.payload_bytes);
}

}  // namespace

void append_answer(std::string& out, uint32_t msgid, const core::Answer& answer,
                   const core::Ledger& ledger) {
  if (const auto* refused = std::get_if<core::Refused>(&answer)) {
    wire::append_error_reply(out, msgid,
                             call_error(error_type(refused->refusal), mended(refused->message)));
    return;
  }
  const storage::BoxTag box = ledger.box();
  wire::ReplyWriter reply{out, msgid};
  std::visit(
      match{
          [](const core::Refused&) { CHECK(!"an error is no result"); },
          [&](const core::Accepted& accepted) { append(reply.map(), accepted, box); },
          [&](const core::DryRunPassed&) { reply.map().number("StatusCode", 204); },
          [&](const core::Returned& returned) { append(reply.map(), returned, box); },
          [&](const core::CancelAnswer& cancelled) { append(reply.map(), cancelled, box); },
          [&](const core::DeadLettersMoved& moved) { append(reply.map(), moved); },
          [&](const core::Sent& sent) {
            reply.map().text("MessageId", to_message_id(sent.message, box));
          },
          [&](const core::Received& received) { append(reply.map(), received, box); },
          [&](const core::Deleted&) { reply.map(); },
          [&](const core::Attached& attached) { append(reply.map(), attached, box); },
          [&](const core::Noted&) { reply.map(); },
          [&](const core::DeadlineMoved& moved) {
            reply.map().number("DeadlineAt", to_ms(moved.deadline));
          },
      },
      answer);
}

void append_push(std::string& out, const core::StartAttempt& start, storage::BoxTag box) {
  wire::PushWriter push{out, "RunAttempt"};
  wire::MapWriter map = push.map();
  map.text("FunctionName", start.function)
      .text("RequestId", storage::to_request_id(start.event, box))
      .count("Attempt", start.attempt.value)
      .text("InvocationType", word(start.type))
      .number("DeadlineAt", to_ms(start.deadline_wall));
  if (!start.idempotency_key.empty()) map.text("IdempotencyKey", start.idempotency_key);
  map.bytes("Payload", *start.payload);
}

void append_push(std::string& out, const core::StopAttempt& stop, storage::BoxTag box) {
  std::string_view reason = "TimedOut";
  if (stop.reason == core::StopReason::cancelled) reason = "Cancelled";
  if (stop.reason == core::StopReason::draining) reason = "Stopping";
  wire::PushWriter push{out, "StopAttempt"};
  push.map()
      .text("RequestId", storage::to_request_id(stop.event, box))
      .count("Attempt", stop.attempt.value)
      .text("Reason", reason);
}

void append_event_view(std::string& out, uint32_t msgid, const storage::EventView& view,
                       const core::Ledger& ledger) {
  wire::ReplyWriter reply{out, msgid};
  wire::MapWriter map = reply.map();
  add_event(map, view, ledger);
  if (view.ending && view.ending->result) map.bytes("Result", *view.ending->result);
  add_attempts(map, view.attempts);
}

void append_event_list(std::string& out, uint32_t msgid, const storage::EventList& list,
                       const core::Ledger& ledger) {
  wire::ReplyWriter reply{out, msgid};
  wire::MapWriter map = reply.map();
  {
    wire::ArrayWriter events = map.array("Events");
    for (const storage::EventView& view : list.rows) {
      wire::MapWriter row = events.map();
      add_event(row, view, ledger);
    }
  }
  if (list.next_marker) map.text("NextMarker", *list.next_marker);
}

void append_payload(std::string& out, uint32_t msgid, const storage::EventRecord& event,
                    const core::Ledger& ledger) {
  wire::ReplyWriter reply{out, msgid};
  reply.map()
      .text("RequestId", storage::to_request_id(event.id, ledger.box()))
      .text("FunctionName", ledger.function(event.id.function).name)
      .bytes("Payload", event.payload);
}

void append_dead_letter_list(std::string& out, uint32_t msgid, const storage::DeadLetterList& list,
                             const core::Ledger& ledger) {
  wire::ReplyWriter reply{out, msgid};
  wire::MapWriter map = reply.map();
  {
    wire::ArrayWriter rows = map.array("DeadLetters");
    for (const storage::DeadLetterRow& dead_letter : list.rows) {
      wire::MapWriter row = rows.map();
      add_dead_letter(row, dead_letter.key, dead_letter.record, ledger);
    }
  }
  if (list.next_marker) map.text("NextMarker", *list.next_marker);
}

void append_dead_letter(std::string& out, uint32_t msgid, const storage::LoadedEvent& loaded,
                        const core::Ledger& ledger) {
  CHECK(loaded.event);
  CHECK(loaded.dead_letter);
  wire::ReplyWriter reply{out, msgid};
  wire::MapWriter map = reply.map();
  add_dead_letter(map, loaded.dead_letter->key, loaded.dead_letter->record, ledger);
  map.bytes("Payload", loaded.event->payload);
  add_attempts(map, loaded.dead_letter->record.attempts);
}

}  // namespace holdfast::api
