#include "tests/bench/connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace holdfast::bench {
namespace {

constexpr size_t kReadBytes = 256u << 10;
constexpr size_t kEventsMax = 1024;

int connect_to_path(const std::string& path) {
  sockaddr_un address{};
  if (path.size() >= sizeof address.sun_path) fail(path + " is too long for a socket");
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, path.size());
  const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    fail_system("connect");
  }
  return socket;
}

int connect_to_port(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int now = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &now, sizeof now);
  if (::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    fail_system("connect");
  }
  return socket;
}

epoll_event event_of(uint64_t tag, uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = tag;
  return event;
}

}  // namespace

void fail_system(const char* what) {
  std::perror(what);
  std::exit(1);
}

void fail(const std::string& what) {
  std::fprintf(stderr, "%s\n", what.c_str());
  std::exit(1);
}

Poller::Poller() : epoll_(::epoll_create1(EPOLL_CLOEXEC)), events_(kEventsMax) {
  if (epoll_ < 0) fail_system("epoll_create1");
}

void Poller::add(int fd, uint64_t tag) {
  epoll_event event = event_of(tag, EPOLLIN);
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) fail_system("epoll_ctl");
}

void Poller::remove(int fd) {
  if (::epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr) != 0) fail_system("epoll_ctl");
}

void Poller::want_writable(int fd, uint64_t tag, bool wanted) {
  epoll_event event = event_of(tag, wanted ? EPOLLIN | EPOLLOUT : EPOLLIN);
  if (::epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event) != 0) fail_system("epoll_ctl");
}

std::span<const Readiness> Poller::wait(Clock::time_point until) {
  const auto left = std::max(until - Clock::now(), Clock::duration::zero());
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
  const timespec timeout{seconds.count(), std::chrono::nanoseconds{left - seconds}.count()};
  const int count =
      ::epoll_pwait2(epoll_, events_.data(), static_cast<int>(kEventsMax), &timeout, nullptr);
  if (count < 0 && errno != EINTR) fail_system("epoll_pwait2");
  ready_.clear();
  for (int n = 0; n < count; ++n) {
    const epoll_event& event = events_[static_cast<size_t>(n)];
    // An end or an error of the connection is found by reading.
    ready_.push_back({event.data.u64, (event.events & ~uint32_t{EPOLLOUT}) != 0,
                      (event.events & EPOLLOUT) != 0});
  }
  return ready_;
}

Connection::Connection(Poller& poller, uint64_t tag, const std::string& place)
    : poller_(poller),
      tag_(tag),
      socket_(place.find('/') == place.npos ? connect_to_port(std::atoi(place.c_str()))
                                            : connect_to_path(place)) {
  poller_.add(socket_, tag_);
}

Connection::Connection(Connection&& other) noexcept
    : poller_(other.poller_),
      tag_(other.tag_),
      socket_(std::exchange(other.socket_, -1)),
      out_(std::move(other.out_)),
      sent_(other.sent_),
      waits_for_room_(other.waits_for_room_),
      rest_(std::move(other.rest_)) {}

Connection::~Connection() {
  if (socket_ >= 0) ::close(socket_);
}

void Connection::flush() {
  while (sent_ < out_.size()) {
    const ssize_t count = ::send(socket_, out_.data() + sent_, out_.size() - sent_,
                                 MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno != EAGAIN) fail_system("send");
    if (count < 0) break;
    sent_ += static_cast<size_t>(count);
  }
  const bool full = sent_ < out_.size();
  if (!full) {
    out_.clear();
    sent_ = 0;
  }
  if (full != waits_for_room_) poller_.want_writable(socket_, tag_, full);
  waits_for_room_ = full;
}

std::string_view Connection::receive() {
  static std::vector<char> piece(kReadBytes);
  const ssize_t count = ::recv(socket_, piece.data(), piece.size(), MSG_DONTWAIT);
  if (count == 0) fail("the server has closed a connection");
  if (count < 0 && errno != EAGAIN && errno != EINTR) fail_system("recv");
  return {piece.data(), count < 0 ? 0 : static_cast<size_t>(count)};
}

}  // namespace holdfast::bench
