#include "client/worker_connection.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "storage/base/check.h"
#include "storage/base/match.h"

namespace holdfast::client {
namespace {

constexpr size_t kWorkerReadBytes = 64u << 10;

}  // namespace

// A Unix socket connects at once or not at all; EAGAIN is a daemon with too many at its door.
int WorkerConnection::open(const std::string& socket_path) {
  CHECK(!is_open());
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_path.empty()) return ENOENT;
  if (socket_path.size() >= sizeof address.sun_path) return ENAMETOOLONG;
  std::memcpy(address.sun_path, socket_path.data(), socket_path.size());

  const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (socket < 0) return errno;
  if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const int system_error = errno;
    ::close(socket);
    return system_error;
  }
  socket_ = socket;
  unwritten_.clear();
  written_ = 0;
  writable_ = true;
  reader_ = wire::WorkerReader{};
  makes_no_sense_ = false;
  return 0;
}

void WorkerConnection::close(std::string why) {
  if (!is_open()) return;
  ::close(socket_);
  socket_ = -1;
  why_ = std::move(why);
}

void WorkerConnection::refuse(std::string why) {
  makes_no_sense_ = true;
  close("the daemon's words make no sense: " + why);
}

// 0 is left out: a fault whose request the daemon could not tell is answered with it.
uint32_t WorkerConnection::request(std::string_view method, const PackParams& pack_params) {
  if (++last_msgid_ == 0) ++last_msgid_;
  unwritten_ += wire::encode_request(last_msgid_, method, pack_params);
  return last_msgid_;
}

short WorkerConnection::events() const {
  const bool writes = writable_ && written_ < unwritten_.size();
  return writes ? POLLIN | POLLOUT : POLLIN;
}

std::vector<WorkerConnection::Message> WorkerConnection::exchange() {
  std::vector<Message> messages;
  if (is_open()) write();
  if (is_open()) read(messages);
  return messages;
}

void WorkerConnection::write() {
  while (writable_ && written_ < unwritten_.size()) {
    const ssize_t count = ::send(socket_, unwritten_.data() + written_,
                                 unwritten_.size() - written_, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return;
    if (count < 0) {
      writable_ = false;  // it may have said why it closes
      return;
    }
    written_ += static_cast<size_t>(count);
  }
  unwritten_.clear();
  written_ = 0;
}

void WorkerConnection::read(std::vector<Message>& messages) {
  char bytes[kWorkerReadBytes];
  while (is_open()) {
    const ssize_t count = ::recv(socket_, bytes, sizeof bytes, MSG_DONTWAIT);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return;
    if (count < 0) return close(std::string{"the connection broke: "} + std::strerror(errno));
    if (count == 0) return close("the daemon closed the connection");
    reader_.feed({bytes, static_cast<size_t>(count)});
    decode(messages);
  }
}

void WorkerConnection::decode(std::vector<Message>& messages) {
  bool more = true;
  while (more && is_open()) {
    auto next = reader_.next();
    std::visit(match{
                   [&](wire::NeedMore) { more = false; },
                   [&](wire::Reply& reply) { messages.emplace_back(std::move(reply)); },
                   [&](wire::Push& push) { messages.emplace_back(std::move(push)); },
                   [&](wire::Fault& fault) { refuse(fault.message); },
               },
               next);
  }
}

}  // namespace holdfast::client
