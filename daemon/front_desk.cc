#include "daemon/front_desk.h"

#include <unistd.h>

#include <chrono>
#include <utility>

#include "storage/base/check.h"
#include "storage/base/match.h"
#include "storage/views.h"

namespace holdfast::daemon {
namespace {

constexpr std::chrono::milliseconds kPageTimeMax{20};

// A page's budget; its time counts from the moment the reader begins with it.
storage::PageBudget page_budget(size_t rows_max) {
  const auto until = std::chrono::steady_clock::now() + kPageTimeMax;
  return {rows_max, [until] { return std::chrono::steady_clock::now() >= until; }};
}

std::vector<storage::FunctionId> function_ids(const core::Ledger& ledger) {
  std::vector<storage::FunctionId> ids;
  for (const auto& [id, record] : ledger.functions()) ids.push_back(id);
  return ids;
}

bool lives(const storage::EventView& view) {
  return view.state == storage::ViewState::pending || view.state == storage::ViewState::running;
}

}  // namespace

FrontDesk::FrontDesk(Engine& engine, std::function<api::StatusReport()> report)
    : engine_(engine), report_(std::move(report)) {}

void FrontDesk::take(SessionId session, const wire::Request& request) {
  const Caller caller{session, request.msgid};
  const Session* from = server_->find(session);
  CHECK(from != nullptr);
  const uid_t uid = from->peer().uid;
  const api::Role role = uid == 0 || uid == geteuid() ? api::Role::admin : api::Role::group;
  auto decoded = api::decode(request, role, engine_.core().ledger());
  if (const auto* error = std::get_if<wire::CallError>(&decoded)) {
    std::string bytes;
    wire::append_error_reply(bytes, request.msgid, *error);
    send(caller, bytes);
    return;
  }
  handle(caller, std::move(std::get<api::Call>(decoded)));
}

void FrontDesk::handle(const Caller& caller, api::Call&& call) {
  core::Lifecycle& core = engine_.core();
  const Moment now = engine_.moment();
  std::string bytes;
  std::visit(
      match{
          [&](core::Submission& submission) {
            submission.ticket = admit(caller);
            engine_.absorb(core.submitted(std::move(submission), now));
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
          [&](const api::ListEvents& list) { list_events(caller, list); },
          [&](const api::ListDeadLetters& list) { list_dead_letters(caller, list); },
          [&](const api::GetDeadLetter& get) { get_dead_letter(caller, get); },
          [&](const api::ListFunctions&) {
            api::append_functions(bytes, caller.msgid, core);
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

void FrontDesk::send(const Caller& caller, const std::string& bytes) {
  server_->reply(caller.session, bytes);
}

// What memory knows may lead the disk: such an answer waits as an effect does.
void FrontDesk::send_when_durable(const Caller& caller, std::string bytes) {
  engine_.when_durable([this, caller, bytes = std::move(bytes)] { send(caller, bytes); });
}

void FrontDesk::reply(core::Reply&& reply) {
  const std::optional<Caller> caller = dismiss(reply.ticket);
  CHECK(caller.has_value());  // every ticket is answered once
  std::string bytes;
  api::append_answer(bytes, caller->msgid, reply.answer, engine_.core().ledger());
  send(*caller, bytes);
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
        std::string bytes;
        if (found) {
          api::append_event_view(bytes, caller->msgid, *found, engine_.core().ledger());
        } else {
          wire::append_error_reply(
              bytes, caller->msgid,
              {"ResourceNotFoundException",
               "no such event: it was never accepted here, or the history no longer has it"});
        }
        send(*caller, bytes);
      });
}

void FrontDesk::list_events(const Caller& caller, const api::ListEvents& call) {
  const core::Ledger& ledger = engine_.core().ledger();
  engine_.ask(
      [&store = engine_.store(), call, ids = function_ids(ledger),
       cutoff = ledger.state().history_cutoff] {
        return storage::list_events(store, ids, call.filter, cutoff, call.marker,
                                    page_budget(call.rows_max));
      },
      [this, caller](const storage::EventList& list) {
        std::string bytes;
        api::append_event_list(bytes, caller.msgid, list, engine_.core().ledger());
        send(caller, bytes);
      });
}

void FrontDesk::list_dead_letters(const Caller& caller, const api::ListDeadLetters& call) {
  engine_.ask(
      [&store = engine_.store(), call, ids = function_ids(engine_.core().ledger())] {
        return storage::list_dead_letters(store, ids, call.function, call.marker,
                                          page_budget(call.rows_max));
      },
      [this, caller](const storage::DeadLetterList& list) {
        std::string bytes;
        api::append_dead_letter_list(bytes, caller.msgid, list, engine_.core().ledger());
        send(caller, bytes);
      });
}

void FrontDesk::get_dead_letter(const Caller& caller, const api::GetDeadLetter& call) {
  engine_.ask([&store = engine_.store(),
               id = call.event] { return storage::load_event(store, id); },
              [this, caller](const storage::LoadedEvent& loaded) {
                std::string bytes;
                if (loaded.dead_letter && loaded.event) {
                  api::append_dead_letter(bytes, caller.msgid, loaded, engine_.core().ledger());
                } else {
                  wire::append_error_reply(
                      bytes, caller.msgid,
                      {"ResourceNotFoundException", "this event is not a dead letter"});
                }
                send(caller, bytes);
              });
}

void FrontDesk::answer_all_unknown() {
  for (const auto& [ticket, caller] : std::exchange(callers_, {})) {
    std::string bytes;
    wire::append_error_reply(
        bytes, caller.msgid,
        {"OutcomeUnknownException",
         "the disk failed, and whether this was kept is unknown: repeat it with the same "
         "IdempotencyKey when the daemon is back"});
    send(caller, bytes);
  }
}

}  // namespace holdfast::daemon
