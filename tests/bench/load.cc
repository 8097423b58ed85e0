// bench_load SYSTEM SOCKET CONNECTIONS IN_FLIGHT SECONDS PAYLOAD_BYTES [keyed]
//
// A closed loop: each connection has IN_FLIGHT requests under way, and sends the next when
// one is answered. Prints a line of JSON: answers a second, and how long they took. The
// first tenth of the time is not counted. SOCKET is a path, or a port of 127.0.0.1.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "tests/bench/dialect.h"

namespace {

using Clock = std::chrono::steady_clock;
using holdfast::bench::Dialect;

constexpr size_t kReadBytes = 256u << 10;

[[noreturn]] void fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

struct Connection {
  int socket = -1;
  std::unique_ptr<Dialect> dialect;
  std::string out;
  size_t sent = 0;
  std::string in;
  std::deque<Clock::time_point> asked;
};

int connect_to(const std::string& place) {
  if (place[0] == '/') {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, place.c_str(), sizeof address.sun_path - 1);
    const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      fail("connect");
    }
    return socket;
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(std::atoi(place.c_str())));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int now = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &now, sizeof now);
  if (::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    fail("connect");
  }
  return socket;
}

class Load {
 public:
  Load(int connections, size_t in_flight, double seconds) : in_flight_(in_flight) {
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    connections_.resize(static_cast<size_t>(connections));
    begun_ = Clock::now();
    counted_from_ = begun_ + std::chrono::duration_cast<Clock::duration>(
                                 std::chrono::duration<double>(seconds / 10));
    until_ = begun_ + std::chrono::duration_cast<Clock::duration>(
                          std::chrono::duration<double>(seconds));
  }

  template <class MakeDialect>
  void open(const std::string& place, MakeDialect make) {
    for (size_t n = 0; n < connections_.size(); ++n) {
      Connection& one = connections_[n];
      one.socket = connect_to(place);
      one.dialect = make();
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.u64 = n;
      ::epoll_ctl(epoll_, EPOLL_CTL_ADD, one.socket, &event);
    }
  }

  void run() {
    for (Connection& one : connections_) ask(one);
    epoll_event events[256];
    while (Clock::now() < until_) {
      const int count = ::epoll_wait(epoll_, events, 256, 100);
      for (int n = 0; n < count; ++n) hear(connections_[events[n].data.u64]);
    }
  }

  void report() {
    std::sort(took_us_.begin(), took_us_.end());
    const auto at = [&](double part) {
      if (took_us_.empty()) return 0u;
      return took_us_[std::min(took_us_.size() - 1,
                               static_cast<size_t>(part * static_cast<double>(took_us_.size())))];
    };
    const double seconds = std::chrono::duration<double>(until_ - counted_from_).count();
    std::printf("{\"per_s\": %.0f, \"p50_us\": %u, \"p99_us\": %u, \"max_us\": %u, \"answers\": %zu}\n",
                static_cast<double>(took_us_.size()) / seconds, at(0.5), at(0.99), at(1),
                answers_);
  }

 private:
  void ask(Connection& one) {
    const Clock::time_point now = Clock::now();
    while (one.asked.size() < in_flight_) {
      one.dialect->append_request(one.out);
      one.asked.push_back(now);
    }
    // A server that answers reads, too: waiting for room here is part of the loop.
    while (one.sent < one.out.size()) {
      const ssize_t count =
          ::send(one.socket, &one.out[one.sent], one.out.size() - one.sent, MSG_NOSIGNAL);
      if (count <= 0) fail("send");
      one.sent += static_cast<size_t>(count);
    }
    one.out.clear();
    one.sent = 0;
  }

  void hear(Connection& one) {
    static std::vector<char> piece(kReadBytes);
    const ssize_t count = ::recv(one.socket, piece.data(), piece.size(), 0);
    if (count <= 0) fail("recv");
    one.in.append(piece.data(), static_cast<size_t>(count));
    const Clock::time_point now = Clock::now();
    size_t taken = 0;
    while (const size_t bytes = one.dialect->reply_bytes(std::string_view{one.in}.substr(taken))) {
      taken += bytes;
      answers_ += 1;
      const auto took = now - one.asked.front();
      one.asked.pop_front();
      if (now < counted_from_ || now >= until_) continue;
      took_us_.push_back(static_cast<uint32_t>(
          std::chrono::duration_cast<std::chrono::microseconds>(took).count()));
    }
    one.in.erase(0, taken);
    ask(one);
  }

  const size_t in_flight_;
  int epoll_;
  std::vector<Connection> connections_;
  Clock::time_point begun_;
  Clock::time_point counted_from_;
  Clock::time_point until_;
  std::vector<uint32_t> took_us_;
  size_t answers_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 7) {
    std::fprintf(stderr, "usage: bench_load SYSTEM SOCKET CONNECTIONS IN_FLIGHT SECONDS "
                         "PAYLOAD_BYTES [keyed]\n");
    return 2;
  }
  const std::string system = argv[1];
  const auto payload_bytes = static_cast<size_t>(std::atoi(argv[6]));
  const bool keyed = argc > 7 && std::string{argv[7]} == "keyed";
  const auto make = [&] { return holdfast::bench::dialect_named(system, payload_bytes, keyed); };
  if (make() == nullptr) {
    std::fprintf(stderr, "there is no system %s\n", system.c_str());
    return 2;
  }
  Load load{std::atoi(argv[3]), static_cast<size_t>(std::atoi(argv[4])), std::atof(argv[5])};
  load.open(argv[2], make);
  load.run();
  load.report();
}
