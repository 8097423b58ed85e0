#include "client/client.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "client/wire/scanner.h"
#include "storage/base/check.h"
#include "storage/base/match.h"

namespace holdfast::client {
namespace {

// A daemon that does not even accept for so long is not going to.
constexpr timeval kConnectTimeout{10, 0};
constexpr size_t kReadBytes = 64u << 10;

// The daemon answers this when the disk failed under a request: it is as unknown
// as if there had been no reply.
constexpr std::string_view kOutcomeUnknown = "OutcomeUnknownException";

Failure unreachable(const std::string& socket_path, int system_error) {
  return {FailureKind::unreachable, "",
          "cannot connect to " + socket_path + ": " + std::strerror(system_error), system_error};
}

int64_t monotonic_ms() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

}  // namespace

Answer<Client> Client::connect(const std::string& socket_path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_path.empty()) return unreachable("an empty path", ENOENT);
  if (socket_path.size() >= sizeof address.sun_path) return unreachable(socket_path, ENAMETOOLONG);
  std::memcpy(address.sun_path, socket_path.data(), socket_path.size());

  const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return unreachable(socket_path, errno);
  Client client{socket};
  ::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &kConnectTimeout, sizeof kConnectTimeout);
  while (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (errno != EINTR) return unreachable(socket_path, errno);
  }
  return client;
}

Client::Client(int socket) : socket_(socket) {}

Client::~Client() { close_socket(); }

Client::Client(Client&& other) noexcept { *this = std::move(other); }

Client& Client::operator=(Client&& other) noexcept {
  if (this == &other) return *this;
  close_socket();
  socket_ = std::exchange(other.socket_, -1);
  reply_timeout_ = other.reply_timeout_;
  last_msgid_ = other.last_msgid_;
  open_ = std::move(other.open_);
  arrived_ = std::move(other.arrived_);
  reader_ = std::move(other.reader_);
  writable_ = other.writable_;
  lost_ = std::move(other.lost_);
  told_ = std::move(other.told_);
  return *this;
}

void Client::close_socket() {
  if (socket_ >= 0) ::close(socket_);
  socket_ = -1;
}

// 0 is left out: a fault whose request the daemon could not tell is answered with it.
uint32_t Client::unused_msgid() {
  do {
    ++last_msgid_;
  } while (last_msgid_ == 0 || open_.contains(last_msgid_) || arrived_.contains(last_msgid_));
  return last_msgid_;
}

Answer<Ticket<RawReply>> Client::send(std::string_view method, const PackParams& pack_params) {
  if (open_.size() + arrived_.size() >= kTicketsMax) {
    return Failure{FailureKind::refused, "TooManyRequestsException",
                   "too many tickets are open: wait for earlier ones first"};
  }
  const uint32_t msgid = unused_msgid();
  const std::string bytes = wire::encode_request(msgid, method, pack_params);

  // The daemon would close the connection over this, and with it lose the
  // requests that are on their way.
  wire::Scanner scanner{wire::kRequestLimits};
  scanner.feed(bytes);
  if (scanner.fault() == wire::ScanFault::too_large) {
    return Failure{FailureKind::refused, std::string{wire::kRequestTooLarge},
                   "the request has " + std::to_string(bytes.size()) + " bytes, but at most " +
                       std::to_string(wire::kRequestBytesMax) + " are taken"};
  }
  if (scanner.fault() || method.empty() || method.size() > wire::kMethodBytesMax) {
    return Failure{FailureKind::refused, std::string{wire::kInvalidRequestContent},
                   "the request has too many or too deeply nested values, or a bad method name"};
  }
  return send_bytes(msgid, bytes);
}

// A request of which a part was not written cannot have been understood, so it
// is unreachable and not unknown. While there is no room to write, replies are
// read: the daemon may be waiting for us to do so.
Answer<Ticket<RawReply>> Client::send_bytes(uint32_t msgid, std::string_view bytes) {
  const Moment until = timeout_from_now();
  while (!bytes.empty() && writable_ && !lost_) {
    const ssize_t written =
        ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (written >= 0) {
      bytes.remove_prefix(static_cast<size_t>(written));
    } else if (errno == EAGAIN) {
      if (!wait_for_socket(POLLIN | POLLOUT, until)) lose("the daemon took nothing in time");
      read_replies();
    } else if (errno != EINTR) {
      writable_ = false;
      read_replies();  // it may have said why it closes
    }
  }
  if (!bytes.empty()) {
    if (told_) {
      return Failure{FailureKind::unreachable, told_->type,
                     "the request was not sent: " + told_->message, EPIPE};
    }
    return Failure{FailureKind::unreachable, "",
                   "the connection is lost, the request was not sent: " +
                       lost_.value_or("the daemon has closed it"),
                   EPIPE};
  }
  open_.insert(msgid);
  return Ticket<RawReply>{msgid};
}

Answer<RawReply> Client::wait(Ticket<RawReply> ticket) {
  CHECK(open_.contains(ticket.msgid) || arrived_.contains(ticket.msgid));
  const Moment until = timeout_from_now();
  while (open_.contains(ticket.msgid) && !lost_) {
    if (!wait_for_socket(POLLIN, until)) lose("no reply came in time");
    read_replies();
  }
  if (open_.erase(ticket.msgid) > 0) {
    return Failure{FailureKind::unknown, "",
                   "it is unknown whether the request was carried out: " + *lost_};
  }
  auto found = arrived_.find(ticket.msgid);
  Answer<RawReply> answer = std::move(found->second);
  arrived_.erase(found);
  return answer;
}

Answer<RawReply> Client::call(std::string_view method, const PackParams& pack_params) {
  auto ticket = send(method, pack_params);
  if (!ticket) return ticket.error();
  return wait(*ticket);
}

Client::Moment Client::timeout_from_now() const {
  if (reply_timeout_.count() == 0) return std::nullopt;
  return monotonic_ms() + reply_timeout_.count();
}

// False when the time is over. What makes poll() itself fail also makes the read
// fail that follows, and that one is reported.
bool Client::wait_for_socket(short events, Moment until) {
  while (true) {
    int timeout_ms = -1;
    if (until) {
      timeout_ms = static_cast<int>(std::clamp<int64_t>(*until - monotonic_ms(), 0, INT32_MAX));
    }
    pollfd watched{socket_, events, 0};
    const int ready = ::poll(&watched, 1, timeout_ms);
    if (ready == 0) return false;
    if (ready > 0 || errno != EINTR) return true;
  }
}

void Client::read_replies() {
  char bytes[kReadBytes];
  while (!lost_) {
    const ssize_t count = ::recv(socket_, bytes, sizeof bytes, MSG_DONTWAIT);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return;
    if (count < 0) return lose(std::string{"the connection broke: "} + std::strerror(errno));
    if (count == 0) return lose("the daemon closed the connection");
    reader_.feed({bytes, static_cast<size_t>(count)});
    bool more = true;
    while (more && !lost_) {
      auto next = reader_.next();
      std::visit(match{
                     [&](wire::NeedMore) { more = false; },
                     [&](wire::Reply& reply) { take_reply(std::move(reply)); },
                     [&](wire::Fault& fault) { lose("a reply makes no sense: " + fault.message); },
                 },
                 next);
    }
  }
}

void Client::take_reply(wire::Reply reply) {
  auto* error = std::get_if<wire::CallError>(&reply.answer);
  if (open_.erase(reply.msgid) == 0) {
    if (error == nullptr) return lose("a reply came that nobody asked for");
    told_ = *error;
    return lose("the daemon closed the connection: " + error->type + ": " + error->message);
  }
  if (error == nullptr) {
    arrived_.emplace(reply.msgid, std::move(*std::get_if<RawReply>(&reply.answer)));
    return;
  }
  const bool unknown = error->type == kOutcomeUnknown;
  arrived_.emplace(reply.msgid, Failure{unknown ? FailureKind::unknown : FailureKind::refused,
                                        std::move(error->type), std::move(error->message)});
}

void Client::lose(std::string reason) {
  if (!lost_) lost_ = std::move(reason);
  close_socket();
}

Failure Client::unreadable() {
  return {FailureKind::unknown, "",
          "the daemon's answer lacks a field: it may be of another version than this program"};
}

}  // namespace holdfast::client
