#include "daemon/front_desk.h"

#include <utility>

#include "daemon/api/errors.h"
#include "storage/base/check.h"
#include "storage/base/match.h"
#include "storage/views.h"

namespace holdfast::daemon {
namespace {

constexpr size_t kAnswerBytesKept = 4096;  // of memory, from one answer to the next

bool lives(const storage::EventView& view) {
  return view.state == storage::ViewState::pending || view.state == storage::ViewState::running;
}

}  // namespace

FrontDesk::FrontDesk(Engine& engine, std::function<api::StatusReport()> report)
    : Desk(engine.core().ledger(), engine.payloads()),
      engine_(engine),
      workers_(engine),
      report_(std::move(report)) {}

void FrontDesk::handle(const Caller& caller, api::Call&& call) {
  core::Lifecycle& core = engine_.core();
  const Moment now = engine_.moment();
  workers_.heard(caller.session);
  std::string bytes;
  std::visit(
      match{
          [&](core::Submission& submission) {
            submission.ticket = admit(caller);
            engine_.submit(std::move(submission), now);
          },
          [&](const api::GetEvent& get) {
            engine_.absorb(core.event_awaited(admit(caller), get.event, get.wait, now));
          },
          [&](const api::CancelEvent& cancel) {
            engine_.absorb(core.cancel_requested(admit(caller), cancel.event, now));
          },
          [&](core::DeadLettersRequest& request) {
            request.ticket = admit(caller);
            engine_.absorb(core.dead_letters_requested(request, now));
          },
          [&](api::SendMessage& sent) {
            sent.message->sent_wall = now.wall;
            engine_.absorb(core.message_sent(admit(caller), sent.queue, std::move(sent.message),
                                             sent.delay, now));
          },
          [&](const api::ReceiveMessage& receive) {
            engine_.absorb(core.messages_requested(admit(caller), receive.queue,
                                                   receive.messages_max,
                                                   receive.visibility_timeout, now));
          },
          [&](const api::DeleteMessage& erase) {
            engine_.absorb(core.message_deleted(admit(caller), erase.receipt, now));
          },
          [&](api::AttachWorker& wanted) { attach(caller, std::move(wanted)); },
          [&](api::AnswerAttempt& answer) { answer_attempt(caller, std::move(answer), now); },
          [&](const api::HeartbeatAttempt& beat) { move_deadline(caller, beat, now); },
          [&](const api::DetachWorker&) { detach(caller, now); },
          [&](const api::ListEvents& list) {
            ask(caller, ask_event_list(engine_.store(), ledger(), caller.msgid, list));
          },
          [&](const api::ListDeadLetters& list) {
            ask(caller, ask_dead_letter_list(engine_.store(), ledger(), caller.msgid, list));
          },
          [&](const api::GetDeadLetter& get) {
            ask(caller, ask_dead_letter(engine_.store(), ledger(), caller.msgid, get.event));
          },
          [&](const api::GetEventPayload& get) {
            ask(caller, ask_payload(engine_.store(), ledger(), caller.msgid, get.event));
          },
          [&](const api::ListFunctions&) {
            api::append_functions(bytes, caller.msgid, core, workers_.views(), report_().pools);
            send_when_durable(caller, std::move(bytes));
          },
          [&](const api::ListQueues&) {
            api::append_queues(bytes, caller.msgid, core);
            send_when_durable(caller, std::move(bytes));
          },
          [&](const api::GetStatus&) {
            api::append_status(bytes, caller.msgid, report_(), core, now);
            send_when_durable(caller, std::move(bytes));
          },
      },
      call);
}

void FrontDesk::answer_attempt(const Caller& caller, api::AnswerAttempt&& answer,
                               const Moment& now) {
  const auto from = worker(caller);
  if (!from) return;
  engine_.absorb(engine_.core().attempt_answered(admit(caller), *from, answer.event,
                                                 answer.attempt, std::move(answer.report), now));
}

void FrontDesk::move_deadline(const Caller& caller, const api::HeartbeatAttempt& beat,
                              const Moment& now) {
  const auto from = worker(caller);
  if (!from) return;
  engine_.absorb(engine_.core().attempt_heartbeat(admit(caller), *from, beat.event, beat.attempt,
                                                  now));
}

void FrontDesk::detach(const Caller& caller, const Moment& now) {
  const auto from = worker(caller);
  if (!from) return;
  const core::Ticket ticket = admit(caller);
  detaching_.insert(ticket);
  engine_.absorb(engine_.core().worker_detached(ticket, *from, now));
}

void FrontDesk::attach(const Caller& caller, api::AttachWorker&& attach) {
  if (auto refused = workers_.refuse(caller.session, attach.function)) {
    return send(caller, *refused);
  }
  core::Attachment attachment;
  attachment.ticket = admit(caller);
  attachment.worker = workers_.add(caller.session);
  attachment.function = std::move(attach.function);
  attachment.concurrency = attach.concurrency;
  attachment.held = std::move(attach.held);
  attachment.unknown = std::move(attach.unknown);
  attaching_.insert(attachment.ticket);
  engine_.absorb(engine_.core().worker_attached(std::move(attachment), engine_.moment()));
}

std::optional<core::WorkerId> FrontDesk::worker(const Caller& caller) {
  const auto found = workers_.worker_of(caller.session);
  if (!found) {
    send(caller, api::call_error(api::kResourceConflict,
                                 "this connection is no worker: call AttachWorker first"));
  }
  return found;
}

core::Ticket FrontDesk::admit(const Caller& caller) {
  const core::Ticket ticket = std::exchange(next_ticket_, next_ticket_.next());
  callers_.emplace(ticket, caller);
  return ticket;
}

std::optional<FrontDesk::Caller> FrontDesk::dismiss(core::Ticket ticket) {
  auto node = callers_.extract(ticket);
  if (node.empty()) return std::nullopt;
  return node.mapped();
}

// What memory knows may lead the disk: such an answer waits as an effect does.
void FrontDesk::send_when_durable(const Caller& caller, std::string bytes) {
  engine_.when_durable([this, caller, bytes = std::move(bytes)] { send(caller, bytes); });
}

void FrontDesk::call_started(core::Ticket ticket, size_t payload_bytes) {
  const auto caller = callers_.find(ticket);
  if (caller == callers_.end()) return;
  if (Session* session = server().find(caller->second.session)) session->hand_over(payload_bytes);
}

void FrontDesk::reply(core::Reply&& reply) {
  const std::optional<Caller> caller = dismiss(reply.ticket);
  CHECK(caller.has_value());  // every ticket is answered once
  if (attaching_.erase(reply.ticket) > 0 && std::holds_alternative<core::Refused>(reply.answer)) {
    workers_.forget(caller->session);
  }
  api::append_answer(answer_, caller->msgid, reply.answer, engine_.core().ledger());
  // Nothing is pushed after the reply to DetachWorker.
  if (detaching_.erase(reply.ticket) > 0 && workers_.worker_of(caller->session)) {
    workers_.reply(caller->session, answer_);
  } else {
    send(*caller, answer_);
  }
  answer_.clear();
  if (answer_.capacity() > kAnswerBytesKept) answer_.shrink_to_fit();
}

void FrontDesk::view(const core::ViewEvent& view) {
  const storage::Seq cutoff = engine_.core().ledger().state().history_cutoff;
  engine_.ask(
      [&store = engine_.store(), id = view.event, cutoff] {
        return storage::view_event(store, id, cutoff);
      },
      [this, view](const std::optional<storage::EventView>& found) {
        // Still living: the core speaks up again when it has ended, or the wait is over.
        if (view.only_ended && found && lives(*found)) return;
        engine_.core().event_viewed(view.ticket);
        const std::optional<Caller> caller = dismiss(view.ticket);
        if (!caller) return;  // a second look, which came after the first had answered
        send(*caller, event_reply(caller->msgid, found, ledger()));
      });
}

void FrontDesk::ask(const Caller& caller, DiskQuestion question) {
  engine_.ask(std::move(question),
              [this, caller](const DiskAnswer& answer) { send(caller, answer()); });
}

void FrontDesk::answer_all_unknown() {
  for (const auto& [ticket, caller] : std::exchange(callers_, {})) {
    send(caller,
         wire::CallError{"OutcomeUnknownException",
                         "the disk failed, and whether this was kept is unknown: repeat it with "
                         "the same IdempotencyKey when the daemon is back"});
  }
}

}  // namespace holdfast::daemon
