#include "daemon/worker_desk.h"

#include <pwd.h>

#include <algorithm>
#include <utility>

#include "daemon/api/answers.h"
#include "daemon/api/errors.h"
#include "storage/base/match.h"

namespace holdfast::daemon {
namespace {

// Of memory for the next push.
constexpr size_t kPushBytesKept = 64u << 10;

bool is_named(uid_t uid, const std::vector<std::string>& users) {
  return std::any_of(users.begin(), users.end(), [uid](const std::string& name) {
    const passwd* user = ::getpwnam(name.c_str());
    return user != nullptr && user->pw_uid == uid;
  });
}

WallTime wall_now() { return from_ms<WallTime>(read_kernel_clocks().wall_ms); }

}  // namespace

std::optional<wire::CallError> WorkerDesk::refuse(SessionId session,
                                                  const std::string& function) const {
  if (by_session_.contains(session)) {
    return api::call_error(api::kResourceConflict,
                           "this connection is a worker already: one serves one function, so "
                           "open another");
  }
  const Session* from = server_->find(session);
  const auto& functions = engine_.core().settings().functions;
  const auto settings = functions.find(function);
  if (from == nullptr || settings == functions.end()) return std::nullopt;
  if (is_admin(from->peer()) || is_named(from->peer().uid, settings->second.worker_users)) {
    return std::nullopt;
  }
  return api::call_error(api::kAccessDenied,
                         "only root, the daemon's own user, and those in worker_users of "
                         "[functions." + function + "] may attach workers to it");
}

core::WorkerId WorkerDesk::add(SessionId session) {
  last_id_ = last_id_.next();
  const Session* from = server_->find(session);
  workers_[last_id_] = Worker{session, from->peer(), wall_now(), wall_now(), {}};
  by_session_[session] = last_id_;
  return last_id_;
}

void WorkerDesk::forget(SessionId session) {
  const auto node = by_session_.extract(session);
  if (!node.empty()) workers_.erase(node.mapped());
}

std::optional<core::WorkerId> WorkerDesk::worker_of(SessionId session) const {
  const auto at = by_session_.find(session);
  return at == by_session_.end() ? std::nullopt : std::optional{at->second};
}

void WorkerDesk::heard(SessionId session) {
  const auto at = by_session_.find(session);
  if (at != by_session_.end()) workers_.at(at->second).last_seen = wall_now();
}

void WorkerDesk::session_closed(SessionId session) {
  const auto worker = worker_of(session);
  if (!worker) return;
  forget(session);
  news_.push_back([id = *worker](core::Lifecycle& core, const Moment& moment) {
    return core.worker_lost(id, moment);
  });
}

void WorkerDesk::tell_news() {
  for (const auto& tell : std::exchange(news_, {})) {
    engine_.absorb(tell(engine_.core(), engine_.moment()));
  }
}

// --- pushes ------------------------------------------------------------------

void WorkerDesk::queue(core::WorkerId id, Push push) {
  const auto at = workers_.find(id);
  if (at == workers_.end()) return;  // it has gone, and the core knows or is about to
  waiting_.insert(id);
  at->second.pushes.push_back(std::move(push));
}

void WorkerDesk::push(core::StartAttempt&& start) {
  const core::WorkerId id = *start.worker;
  queue(id, std::move(start));
}

void WorkerDesk::push(const core::StopAttempt& stop) {
  const auto at = workers_.find(*stop.worker);
  if (at == workers_.end()) return;
  const auto of_it = [&](const Push& push) {
    const auto* start = std::get_if<core::StartAttempt>(&push);
    return start != nullptr && start->event == stop.event && start->attempt == stop.attempt;
  };
  if (std::erase_if(at->second.pushes, of_it) > 0) {
    news_.push_back([stop](core::Lifecycle& core, const Moment& moment) {
      return core.attempt_finished(stop.event, stop.attempt, {core::NotStarted{}, {}}, moment);
    });
    return;
  }
  queue(*stop.worker, stop);
  news_.push_back([stop](core::Lifecycle& core, const Moment& moment) {
    return core.stop_forwarded(*stop.worker, stop.event, stop.attempt, moment);
  });
}

void WorkerDesk::reply(SessionId session, std::string bytes) {
  if (const auto worker = worker_of(session)) queue(*worker, std::move(bytes));
}

void WorkerDesk::close(const core::CloseWorker& close) {
  const auto at = workers_.find(close.worker);
  if (at == workers_.end()) return;
  if (Session* session = server_->find(at->second.session)) session->close();
}

bool WorkerDesk::has_room(SessionId session, const Push& push) const {
  const auto* start = std::get_if<core::StartAttempt>(&push);
  const size_t unsent = server_->find(session)->unsent_bytes();
  return unsent == 0 ||
         unsent + (start == nullptr ? 0 : start->payload->size()) <= kPushesUnreadMax;
}

void WorkerDesk::send(core::WorkerId id, SessionId to, Push push) {
  const storage::BoxTag box = engine_.core().ledger().box();
  push_.clear();
  std::visit(match{
                 [&](core::StartAttempt& start) {
                   const Moment now = engine_.moment();
                   start.deadline_wall = now.wall + start.settings->timeout;
                   engine_.absorb(
                       engine_.core().attempt_pushed(id, start.event, start.attempt, now));
                   api::append_push(push_, start, box);
                   server_->push(to, push_);
                 },
                 [&](const core::StopAttempt& stop) {
                   api::append_push(push_, stop, box);
                   server_->push(to, push_);
                 },
                 [&](const std::string& reply) { server_->reply(to, reply); },
             },
             push);
  if (push_.capacity() > kPushBytesKept) push_ = {};
}

bool WorkerDesk::send_pushes() {
  bool told = false;
  for (const core::WorkerId id : std::exchange(waiting_, {})) {
    // A push may end the connection, and with it the worker.
    for (auto at = workers_.find(id); at != workers_.end() && !at->second.pushes.empty();
         at = workers_.find(id)) {
      const SessionId to = at->second.session;
      if (server_->find(to) == nullptr || !has_room(to, at->second.pushes.front())) break;
      Push push = std::move(at->second.pushes.front());
      at->second.pushes.pop_front();
      send(id, to, std::move(push));
      told = true;
    }
    const auto at = workers_.find(id);
    if (at != workers_.end() && !at->second.pushes.empty()) waiting_.insert(id);
  }
  return told;
}

std::vector<api::WorkerView> WorkerDesk::views() const {
  std::vector<api::WorkerView> views;
  for (const auto& [id, worker] : workers_) {
    views.push_back({id, worker.peer.pid, worker.peer.uid, worker.since, worker.last_seen});
  }
  return views;
}

}  // namespace holdfast::daemon
