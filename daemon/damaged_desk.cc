#include "daemon/damaged_desk.h"

#include <utility>

#include "daemon/api/errors.h"
#include "storage/base/match.h"

namespace holdfast::daemon {

DamagedDesk::DamagedDesk(DamagedDeskParts parts)
    : Desk(parts.core.ledger(), payloads_),
      store_(parts.store),
      core_(parts.core),
      refusal_(std::move(parts.refusal)),
      report_(std::move(parts.report)),
      moment_(std::move(parts.moment)),
      read_done_(parts.loop,
                 [this] {
                   for (const Reader::Answer& answer : reader_.take_answers()) answer();
                 }),
      reader_([this] { read_done_.wake(); }) {}

void DamagedDesk::handle(const Caller& caller, api::Call&& call) {
  const uint32_t msgid = caller.msgid;
  std::string bytes;
  std::visit(
      match{
          [&](const core::Submission&) { refuse(caller); },
          [&](const api::CancelEvent&) { refuse(caller); },
          [&](const core::DeadLettersRequest&) { refuse(caller); },
          [&](const api::SendMessage&) { refuse(caller); },
          [&](const api::ReceiveMessage&) { refuse(caller); },
          [&](const api::DeleteMessage&) { refuse(caller); },
          [&](const api::AttachWorker&) { refuse(caller); },
          [&](const api::AnswerAttempt&) { refuse(caller); },
          [&](const api::HeartbeatAttempt&) { refuse(caller); },
          [&](const api::DetachWorker&) { refuse(caller); },
          // Nothing ends here, so there is nothing to wait for.
          [&](const api::GetEvent& get) {
            ask(caller, ask_event(store_, ledger(), msgid, get.event));
          },
          [&](const api::GetEventPayload& get) {
            ask(caller, ask_payload(store_, ledger(), msgid, get.event));
          },
          [&](const api::ListEvents& list) {
            ask(caller, ask_event_list(store_, ledger(), msgid, list));
          },
          [&](const api::ListDeadLetters& list) {
            ask(caller, ask_dead_letter_list(store_, ledger(), msgid, list));
          },
          [&](const api::GetDeadLetter& get) {
            ask(caller, ask_dead_letter(store_, ledger(), msgid, get.event));
          },
          [&](const api::ListFunctions&) {
            api::append_functions(bytes, msgid, core_, {}, {});
            send(caller, bytes);
          },
          [&](const api::ListQueues&) {
            api::append_queues(bytes, msgid, core_);
            send(caller, bytes);
          },
          [&](const api::GetStatus&) {
            api::append_status(bytes, msgid, report_(), core_, moment_());
            send(caller, bytes);
          },
      },
      call);
}

void DamagedDesk::ask(const Caller& caller, DiskQuestion question) {
  reader_.ask([this, caller, question = std::move(question)]() -> Reader::Answer {
    Result<DiskAnswer> answer = question();
    return [this, caller, answer = std::move(answer)] {
      if (answer) return send(caller, (*answer)());
      send(caller, api::call_error(api::kServiceUnavailable,
                                   "it cannot be read: " + answer.error().what + "; " + refusal_));
    };
  });
}

wire::CallError DamagedDesk::worded(wire::CallError error) const {
  if (error.type != api::kResourceNotFound) return error;
  return api::call_error(api::kServiceUnavailable,
                         "it is not in what can be read, and may be lost: " + refusal_);
}

void DamagedDesk::refuse(const Caller& caller) {
  send(caller, api::call_error(api::kServiceUnavailable, refusal_));
}

}  // namespace holdfast::daemon
