// Server: the socket, everybody connected to it, and their limits together.
//
//    Result<std::unique_ptr<Server>> server = Server::listen(
//        loop, settings.socket, settings.limits,
//        [&](SessionId session, const wire::Request& request) { ... },
//        [&](SessionId session) { ... });
//    server->reply(session, bytes);  // when it may be spoken of
//    server->flush_touched();        // once per turn
//
// Rule    Requests that waited for room are handed out in a turn of their own,
//         never inside reply(), flush_touched() or pause_reading().
// Reason  The caller of these is in the middle of something, often of the very
//         step that a new request would change.
//
// Rule    A connection beyond connections_max gets one error and is closed.
// Reason  A client that waits unanswered cannot tell a full daemon from a dead one.
//
// Rule    Root and the daemon's own user get kAdminConnections more than that.
// Reason  Whoever has to find out why all connections are taken must get in.
//
// Ownership  main()'s, destroyed before the loop. Not to be destroyed, nor asked to
//            close_all(), inside its own callbacks.
// Threads    The loop's.
// Failure    listen() tells why the socket cannot be had. After that, whatever a
//            client does ends in a reply or in the end of its session.
#pragma once

#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "config/settings.h"
#include "daemon/session.h"
#include "daemon/uv/listener.h"
#include "daemon/uv/timer.h"

namespace holdfast::daemon {

inline constexpr uint32_t kAdminConnections = 8;

class Server {
 public:
  static Result<std::unique_ptr<Server>> listen(uv::Loop& loop,
                                                const config::SocketSettings& socket,
                                                const config::LimitSettings& limits,
                                                Session::OnRequest on_request,
                                                Session::OnClosed on_closed);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Null when that session is gone.
  Session* find(SessionId id);

  // Keeps one encoded reply for the next flush; dropped when the session is gone.
  void reply(SessionId id, std::string_view bytes);

  // The same for bytes that answer nothing.
  void push(SessionId id, std::string_view bytes);

  // Sends the replies kept, one write per session.
  void flush_touched();

  // No requests from anybody until told otherwise; replies go on.
  void pause_reading(bool paused);

  // Gives up the largest unfinished request of all and the connection it came by;
  // false when none is larger than a small one.
  bool shed_largest_input();

  // Closes the connection for which most waits of those that took nothing since
  // mark_progress(), and tells whose it was; nothing when there is none.
  void mark_progress();
  std::optional<uv::Peer> close_most_stalled();

  // Holds for present connections as well, but closes none of them.
  void set_limits(const config::LimitSettings& limits);

  // Ends the socket and all sessions. What has not been sent by then is lost: see
  // all_sent().
  void close_all();
  bool all_sent() const;

  size_t connections_count() const { return sessions_.size(); }
  size_t memory_bytes() const { return memory_bytes_; }

 private:
  struct Entry {
    std::unique_ptr<Session> session;
    bool touched = false;    // stands in touched_
    bool scheduled = false;  // stands in scheduled_
  };

  Server(uv::Loop& loop, Session::OnRequest on_request, Session::OnClosed on_closed);

  Entry* touch(SessionId id);
  void welcome(std::unique_ptr<uv::Stream> client);
  void turn_away(uv::Stream& client) const;
  void closed(SessionId id);
  void schedule(Entry& entry);
  void work();

  Session::OnRequest on_request_;
  Session::OnClosed on_closed_;
  uint32_t connections_max_ = 0;
  uint32_t requests_in_flight_max_ = 0;
  bool paused_ = false;

  size_t memory_bytes_ = 0;  // before the sessions, which keep it
  SessionId last_id_;
  std::unordered_map<SessionId, Entry> sessions_;
  std::vector<std::unique_ptr<Session>> ended_;  // freed when none of their calls is running
  std::vector<SessionId> touched_;
  std::vector<SessionId> scheduled_;
  uv::Timer work_;
  std::unique_ptr<uv::Listener> listener_;
};

}  // namespace holdfast::daemon
