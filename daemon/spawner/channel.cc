#include "daemon/spawner/channel.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "daemon/spawner/protocol.h"

namespace holdfast::spawner {
namespace {

constexpr size_t kControlBytes = CMSG_SPACE(sizeof(int) * kHandlerFds);

// Returns false with errno set, like sendmsg().
bool send_packet(int socket, const Packet& packet) {
  iovec part{const_cast<char*>(packet.bytes.data()), packet.bytes.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;

  alignas(cmsghdr) char control[kControlBytes] = {};
  if (!packet.fds.empty()) {
    int numbers[kHandlerFds];
    for (size_t n = 0; n < packet.fds.size(); ++n) numbers[n] = packet.fds[n].number();
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(sizeof(int) * packet.fds.size());
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * packet.fds.size());
    std::memcpy(CMSG_DATA(header), numbers, sizeof(int) * packet.fds.size());
  }
  return ::sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

void take_fds(msghdr& message, std::vector<Fd>& fds) {
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t n = 0; n < count; ++n) {
      int number = -1;
      std::memcpy(&number, CMSG_DATA(header) + n * sizeof(int), sizeof(int));
      fds.emplace_back(number);
    }
  }
}

bool has_room(int socket) {
  // Where the system's ceiling is lower the kernel grants less: ask what it gave.
  const int wanted = 1 << 20;
  if (::setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &wanted, sizeof wanted) != 0) return false;
  int granted = 0;
  socklen_t length = sizeof granted;
  if (::getsockopt(socket, SOL_SOCKET, SO_SNDBUF, &granted, &length) != 0) return false;
  // The kernel keeps a few bytes of the buffer for itself.
  return granted >= static_cast<int>(kMessageBytesMax + 1024);
}

}  // namespace

Result<SocketPair> make_socket_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return Error{Errc::io, std::string{"socketpair: "} + std::strerror(errno)};
  }
  SocketPair pair{Fd{ends[0]}, Fd{ends[1]}};
  for (const int end : ends) {
    if (has_room(end)) continue;
    return Error{Errc::io, "the socket buffer is too small for " +
                               std::to_string(kMessageBytesMax) +
                               " bytes: raise net.core.wmem_max"};
  }
  return pair;
}

Channel::Channel(int socket)
    : socket_(socket), arriving_(std::make_unique_for_overwrite<char[]>(kMessageBytesMax)) {}

void Channel::send(std::string bytes, std::vector<Fd> fds) {
  CHECK(!bytes.empty());
  CHECK(bytes.size() <= kMessageBytesMax);
  CHECK(fds.size() <= kHandlerFds);
  queue_.push_back({std::move(bytes), std::move(fds)});
}

Channel::Flushed Channel::flush() {
  while (!queue_.empty()) {
    if (send_packet(socket_, queue_.front())) {
      queue_.pop_front();
      continue;
    }
    switch (errno) {
      case EINTR:
        continue;
      case EAGAIN:
        return Flushed::until_writable;
      case ENOBUFS:
      case ENOMEM:
      case ETOOMANYREFS:  // too many descriptors on their way; the reader takes them out
        return Flushed::for_a_moment;
      default:
        return Flushed::closed;
    }
  }
  return Flushed::all;
}

Channel::Received Channel::receive(Packet& packet) {
  packet.fds.clear();
  packet.bytes.clear();
  iovec part{arriving_.get(), kMessageBytesMax};
  alignas(cmsghdr) char control[kControlBytes];
  for (;;) {
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t count = ::recvmsg(socket_, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (count < 0) {
      // A reset is told before the packets that had arrived, and only once.
      if (errno == EINTR || errno == ECONNRESET) continue;
      const bool later = errno == EAGAIN || errno == ENOMEM || errno == ENOBUFS;
      return later ? Received::nothing : Received::closed;
    }
    take_fds(message, packet.fds);
    packet.bytes.assign(arriving_.get(), static_cast<size_t>(count));
    // No packet is empty, so this is the end. One cut short is none of ours.
    if (count == 0 || (message.msg_flags & MSG_TRUNC) != 0) return Received::closed;
    return Received::packet;
  }
}

}  // namespace holdfast::spawner
