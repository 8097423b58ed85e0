// FrontDesk: takes the clients' requests in and gives the answers out.
//
// A request is decoded and authorised (api/), becomes a fact for the core or a question
// for the disk, and waits under a ticket until its answer may leave. A ticket is
// answered once; an answer whose client has gone is dropped, and its request stands.
//
// Ownership  borrows engine and server; destroyed before them.
// Threads    the loop's.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <unordered_map>

#include "daemon/api/answers.h"
#include "daemon/desk.h"
#include "daemon/disk_answers.h"
#include "daemon/engine.h"
#include "daemon/worker_desk.h"

namespace holdfast::daemon {

class FrontDesk final : public Desk {
 public:
  // `report` gathers what only the service knows, for GetStatus.
  FrontDesk(Engine& engine, std::function<api::StatusReport()> report);

  // The payload of this call is an attempt's now, and counts there.
  void call_started(core::Ticket ticket, size_t payload_bytes);

  void reply(core::Reply&& reply);
  void view(const core::ViewEvent& view);
  WorkerDesk& workers() { return workers_; }
  void session_closed(SessionId session) { workers_.session_closed(session); }

  // The disk has failed: nobody knows what became of the requests that wait.
  void answer_all_unknown();

  size_t waiting() const { return callers_.size(); }

 private:
  void handle(const Caller& caller, api::Call&& call) override;
  void attach(const Caller& caller, api::AttachWorker&& attach);
  void answer_attempt(const Caller& caller, api::AnswerAttempt&& answer, const Moment& now);
  void move_deadline(const Caller& caller, const api::HeartbeatAttempt& beat, const Moment& now);
  void detach(const Caller& caller, const Moment& now);
  // The worker that this connection is; if it is none, the caller is told.
  std::optional<core::WorkerId> worker(const Caller& caller);
  core::Ticket admit(const Caller& caller);
  std::optional<Caller> dismiss(core::Ticket ticket);
  void send_when_durable(const Caller& caller, std::string bytes);
  void ask(const Caller& caller, DiskQuestion question);

  Engine& engine_;
  WorkerDesk workers_;
  const std::function<api::StatusReport()> report_;
  std::unordered_map<core::Ticket, Caller> callers_;
  std::set<core::Ticket> attaching_;
  std::set<core::Ticket> detaching_;
  std::string answer_;  // the one that is being written
  core::Ticket next_ticket_{1};
};

}  // namespace holdfast::daemon
