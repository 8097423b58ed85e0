#include "daemon/desk.h"

#include <unistd.h>

#include <utility>
#include <variant>

#include "storage/base/check.h"

namespace holdfast::daemon {

void Desk::take(SessionId session, const wire::Request& request) {
  const Caller caller{session, request.msgid};
  const Session* from = server_->find(session);
  CHECK(from != nullptr);
  const api::Role role = is_admin(from->peer()) ? api::Role::admin : api::Role::group;
  auto decoded = api::decode(request, role, ledger_, payloads_);
  if (const auto* error = std::get_if<wire::CallError>(&decoded)) {
    send(caller, *error);
  } else {
    handle(caller, std::move(std::get<api::Call>(decoded)));
  }
}

void Desk::send(const Caller& caller, const std::string& bytes) {
  server_->reply(caller.session, bytes);
}

void Desk::send(const Caller& caller, const wire::CallError& error) {
  std::string bytes;
  wire::append_error_reply(bytes, caller.msgid, worded(error));
  send(caller, bytes);
}

void Desk::send(const Caller& caller, const Reply& reply) {
  std::visit([&](const auto& bytes_or_error) { send(caller, bytes_or_error); }, reply);
}

}  // namespace holdfast::daemon
