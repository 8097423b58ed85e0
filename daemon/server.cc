#include "daemon/server.h"

#include <algorithm>
#include <string>
#include <utility>

namespace holdfast::daemon {
namespace {
constexpr size_t kInputWorthShedding = 64u << 10;
}  // namespace

Result<std::unique_ptr<Server>> Server::listen(uv::Loop& loop, const config::SocketSettings& socket,
                                               const config::LimitSettings& limits,
                                               Session::OnRequest on_request,
                                               Session::OnClosed on_closed) {
  std::unique_ptr<Server> server{new Server{loop, std::move(on_request), std::move(on_closed)}};
  server->set_limits(limits);
  Result<std::unique_ptr<uv::Listener>> listener =
      uv::Listener::listen(loop, socket.path, socket.mode, socket.group,
                           [raw = server.get()](std::unique_ptr<uv::Stream> client) {
                             raw->welcome(std::move(client));
                           });
  if (!listener) return listener.error();
  server->listener_ = std::move(*listener);
  return server;
}

Server::Server(uv::Loop& loop, Session::OnRequest on_request, Session::OnClosed on_closed)
    : on_request_(std::move(on_request)),
      on_closed_(std::move(on_closed)),
      work_(loop, [this] { work(); }) {}

Server::~Server() = default;

void Server::set_limits(const config::LimitSettings& limits) {
  connections_max_ = limits.connections_max;
  requests_in_flight_max_ = limits.requests_in_flight_max;
  for (auto& [id, entry] : sessions_) {
    entry.session->set_requests_in_flight_max(requests_in_flight_max_);
    schedule(entry);
  }
}

void Server::welcome(std::unique_ptr<uv::Stream> client) {
  const size_t most = connections_max_ + (is_admin(client->peer()) ? kAdminConnections : 0);
  if (sessions_.size() >= most) return turn_away(*client);
  last_id_ = last_id_.next();
  Entry entry{std::make_unique<Session>(
      last_id_, std::move(client), SessionLimits{requests_in_flight_max_}, on_request_,
      [this](SessionId id) { closed(id); }, memory_bytes_)};
  if (paused_) entry.session->pause();
  sessions_.emplace(last_id_, std::move(entry));
}

void Server::turn_away(uv::Stream& client) const {
  std::string reply;
  wire::append_error_reply(
      reply, 0,
      {"TooManyRequestsException",
       "all " + std::to_string(connections_max_) +
           " connections that connections_max allows are taken; close one and connect again"});
  // The empty buffer of a new connection takes it all at once.
  client.write(std::move(reply));
}

Session* Server::find(SessionId id) {
  const auto found = sessions_.find(id);
  return found == sessions_.end() ? nullptr : found->second.session.get();
}

// Null when that session is gone.
Server::Entry* Server::touch(SessionId id) {
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) return nullptr;
  Entry& entry = found->second;
  if (!entry.touched) {
    entry.touched = true;
    touched_.push_back(id);
  }
  return &entry;
}

void Server::reply(SessionId id, std::string_view bytes) {
  if (Entry* entry = touch(id)) entry->session->append_reply(bytes);
}

void Server::push(SessionId id, std::string_view bytes) {
  if (Entry* entry = touch(id)) entry->session->append_push(bytes);
}

void Server::flush_touched() {
  for (const SessionId id : std::exchange(touched_, {})) {
    if (const auto found = sessions_.find(id); found != sessions_.end()) {
      found->second.touched = false;
      schedule(found->second);
      found->second.session->flush();
    }
  }
}

void Server::pause_reading(bool paused) {
  if (paused == paused_) return;
  paused_ = paused;
  for (auto& [id, entry] : sessions_) {
    if (paused) {
      entry.session->pause();
    } else {
      entry.session->resume();
      schedule(entry);
    }
  }
}

bool Server::shed_largest_input() {
  Session* largest = nullptr;
  size_t bytes = kInputWorthShedding;
  for (auto& [id, entry] : sessions_) {
    if (entry.session->input_bytes() <= bytes) continue;
    bytes = entry.session->input_bytes();
    largest = entry.session.get();
  }
  if (largest == nullptr) return false;
  largest->shed();
  return true;
}

void Server::mark_progress() {
  for (auto& [id, entry] : sessions_) entry.session->mark_progress();
}

std::optional<uv::Peer> Server::close_most_stalled() {
  Session* most = nullptr;
  size_t bytes = 0;
  for (auto& [id, entry] : sessions_) {
    if (entry.session->unsent_bytes_stalled() <= bytes) continue;
    bytes = entry.session->unsent_bytes_stalled();
    most = entry.session.get();
  }
  if (most == nullptr) return std::nullopt;
  const uv::Peer peer = most->peer();
  most->close();
  return peer;
}

void Server::close_all() {
  listener_.reset();
  while (!sessions_.empty()) sessions_.begin()->second.session->close();
}

bool Server::all_sent() const {
  return std::all_of(sessions_.begin(), sessions_.end(), [](const auto& entry) {
    return entry.second.session->unsent_bytes() == 0;
  });
}

// Called in the middle of some call of the session, which therefore lives on until
// work().
void Server::closed(SessionId id) {
  const auto found = sessions_.find(id);
  ended_.push_back(std::move(found->second.session));
  sessions_.erase(found);
  work_.arm(Duration{0});
  on_closed_(id);
}

void Server::schedule(Entry& entry) {
  if (entry.scheduled || !entry.session->can_take_requests()) return;
  entry.scheduled = true;
  scheduled_.push_back(entry.session->id());
  work_.arm(Duration{0});
}

void Server::work() {
  ended_.clear();
  for (const SessionId id : std::exchange(scheduled_, {})) {
    if (const auto found = sessions_.find(id); found != sessions_.end()) {
      found->second.scheduled = false;
      found->second.session->take_requests();
    }
  }
}

}  // namespace holdfast::daemon
