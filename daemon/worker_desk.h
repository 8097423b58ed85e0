// WorkerDesk: the attached workers' side of the FrontDesk. It knows which connection is
// which worker, pushes attempts to them, and tells the core of those that have gone.
//
//    desk.push(std::move(start));   // kept until the connection takes it
//    ...
//    desk.tell_news();              // in each turn, before the engine's
//    desk.send_pushes();            // and after it, before the server flushes
//
// Rule    A push is encoded when nothing waits unread in its connection, or at most
//         kPushesUnreadMax with it.
// Reason  Until then its payload is the running attempt's, which is counted there; a
//         worker that does not read holds one payload more, and not all it could have.
//
// Rule    What comes of an effect (a connection ends, an attempt is taken back, a stop is on
//         its way) is told to the core as news, not from within.
// Reason  It happens in the middle of letting out steps, often the very one it is about.
//
// Ownership  borrows engine and server; destroyed before them. Threads  the loop's.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "daemon/api/status.h"
#include "daemon/engine.h"
#include "daemon/server.h"

namespace holdfast::daemon {

inline constexpr size_t kPushesUnreadMax = 64u << 10;

class WorkerDesk {
 public:
  explicit WorkerDesk(Engine& engine) : engine_(engine) {}

  void serve(Server& server) { server_ = &server; }

  // Why this connection may not attach; nothing if it may. A function that is not
  // there is the core's to refuse.
  std::optional<wire::CallError> refuse(SessionId session, const std::string& function) const;

  // From here on the connection is this worker, until it ends or is forgotten.
  core::WorkerId add(SessionId session);
  void forget(SessionId session);
  std::optional<core::WorkerId> worker_of(SessionId session) const;

  // It has spoken.
  void heard(SessionId session);
  void session_closed(SessionId session);

  void push(core::StartAttempt&& start);
  // One that it was not pushed yet is taken back, and has not started.
  void push(const core::StopAttempt& stop);
  // Behind what was pushed before.
  void reply(SessionId session, std::string bytes);
  void close(const core::CloseWorker& close);

  bool has_news() const { return !news_.empty(); }
  void tell_news();
  // True when the core was told of some.
  bool send_pushes();

  std::vector<api::WorkerView> views() const;

 private:
  using Push = std::variant<core::StartAttempt, core::StopAttempt, std::string>;
  struct Worker {
    SessionId session;
    uv::Peer peer;
    WallTime since;
    WallTime last_seen;
    std::deque<Push> pushes;
  };

  void queue(core::WorkerId id, Push push);
  bool has_room(SessionId session, const Push& push) const;
  void send(core::WorkerId id, SessionId to, Push push);

  Engine& engine_;
  Server* server_ = nullptr;
  std::map<core::WorkerId, Worker> workers_;
  std::unordered_map<SessionId, core::WorkerId> by_session_;
  std::vector<std::function<core::Step(core::Lifecycle&, const Moment&)>> news_;
  std::set<core::WorkerId> waiting_;  // have pushes
  std::string push_;  // the one that is being written
  core::WorkerId last_id_;
};

}  // namespace holdfast::daemon
