// Connection: one socket of the load generator, which never blocks it, and the Poller that
// tells which of them has something to say.
//
//    Poller poller;
//    Connection one{poller, tag, "/run/holdfast/holdfast.sock"};
//    one.out() += request;
//    one.flush();                             // what the socket does not take stays in out()
//    for (const Readiness& ready : poller.wait(until)) {
//      connections[ready.tag].serve(ready, [&](std::string_view in) { return bytes_taken; });
//    }
//
// A place is a path, or a port of 127.0.0.1.
//
// Ownership  the Poller outlives its connections. Threads  one.
// Failure    ends the program: a measurement with a broken connection is none.
#pragma once

#include <sys/epoll.h>

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::bench {

using Clock = std::chrono::steady_clock;

// Says what did not work, and why the kernel thinks so, and ends the program.
[[noreturn]] void fail_system(const char* what);
[[noreturn]] void fail(const std::string& what);

struct Readiness {
  uint64_t tag;
  bool readable;
  bool writable;
};

class Poller {
 public:
  Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  void add(int fd, uint64_t tag);
  // Before it is closed: another process may hold the same pipe a moment longer.
  void remove(int fd);
  void want_writable(int fd, uint64_t tag, bool wanted);

  // Good until the next call.
  std::span<const Readiness> wait(Clock::time_point until);

 private:
  int epoll_;
  std::vector<epoll_event> events_;
  std::vector<Readiness> ready_;
};

class Connection {
 public:
  Connection(Poller& poller, uint64_t tag, const std::string& place);
  ~Connection();
  Connection(Connection&& other) noexcept;
  Connection& operator=(Connection&&) = delete;

  std::string& out() { return out_; }
  void flush();

  // Sends what waits, and gives what has arrived to `take`, which tells how many bytes from
  // the front it has dealt with; 0 if all of it is not there yet.
  template <class Take>
  void serve(const Readiness& ready, Take take) {
    if (ready.writable) flush();
    if (ready.readable) hear(take);
  }

 private:
  template <class Take>
  void hear(Take& take) {
    std::string_view arrived = receive();
    if (!rest_.empty()) arrived = rest_.append(arrived);
    size_t taken = 0;
    while (taken < arrived.size()) {
      const size_t bytes = take(arrived.substr(taken));
      if (bytes == 0) break;
      taken += bytes;
    }
    if (rest_.empty()) {
      rest_.assign(arrived.substr(taken));
    } else {
      rest_.erase(0, taken);
    }
  }
  std::string_view receive();

  Poller& poller_;
  uint64_t tag_;
  int socket_;
  std::string out_;
  size_t sent_ = 0;  // of out_
  bool waits_for_room_ = false;
  std::string rest_;  // the beginning of what has not arrived whole
};

}  // namespace holdfast::bench
