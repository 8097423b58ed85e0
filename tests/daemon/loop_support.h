// Help for tests that play both ends of a socket: run the loop until something is
// true, and blocking ends for the client's side.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "daemon/uv/loop.h"
#include "daemon/uv/timer.h"
#include "storage/base/check.h"

namespace holdfast::testing {

// A folder of its own for each test.
struct TempFolder {
  std::string path;

  TempFolder() {
    char name[] = "/tmp/holdfast-test-XXXXXX";
    CHECK(mkdtemp(name) != nullptr);
    path = name;
  }
  ~TempFolder() { std::filesystem::remove_all(path); }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
};

inline void run_for(uv::Loop& loop, Duration length) {
  uv::Timer over{loop, [&] { loop.stop(); }};
  over.arm(length);
  loop.run();
}

// False when it is still not true after ten seconds, which on a loaded machine is
// far more than anything here takes.
inline bool run_until(uv::Loop& loop, const std::function<bool()>& is_true) {
  for (int n = 0; n < 5000 && !is_true(); ++n) run_for(loop, Duration{2});
  return is_true();
}

// The first end for the loop, the second, blocking, for the test.
inline std::pair<int, int> pair_of_sockets() {
  int ends[2];
  CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  return {ends[0], ends[1]};
}

inline sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  CHECK(path.size() < sizeof address.sun_path);
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

inline int connect_to(const std::string& path) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_un address = address_of(path);
  CHECK(connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  return fd;
}

inline void send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count <= 0) return;
    bytes.remove_prefix(static_cast<size_t>(count));
  }
}

// As many bytes as there are before the end, at most `bytes_max`. For a thread.
inline std::string read_all(int fd, size_t bytes_max) {
  std::string got;
  char buffer[1 << 16];
  while (got.size() < bytes_max) {
    const size_t wanted = std::min(sizeof buffer, bytes_max - got.size());
    const ssize_t count = read(fd, buffer, wanted);
    if (count <= 0) break;
    got.append(buffer, static_cast<size_t>(count));
  }
  return got;
}

}  // namespace holdfast::testing
