// Listener: a Unix socket in the file system that clients connect to.
//
//    Result<std::unique_ptr<Listener>> listener = Listener::listen(
//        loop, "/run/holdfast/holdfast.sock", 0660, "holdfast",
//        [&](std::unique_ptr<Stream> client) { server.welcome(std::move(client)); });
//
// Rule    The socket answers only when owner, group and mode are as asked.
// Reason  Until listen() the kernel refuses every connect, so no moment exists in
//         which somebody else could get in; and no umask is touched, which all
//         threads of a process share.
//
// Rule    A socket file that nobody answers is removed; one that is answered, or a
//         file that is no socket, is an error.
// Reason  A crash leaves its socket behind. Taking the path from a daemon that is
//         alive would cut it off from its clients without a word.
//
// Rule    Out of descriptors or memory, accepting rests for kAcceptPause.
// Reason  Clients keep waiting in the kernel's queue, which is kinder than closing
//         them, and the loop does not spin on what it cannot take.
//
// Ownership  The socket file is removed with the Listener, unless somebody has put
//            another one in its place. Not to be destroyed inside on_connection.
// Threads    The loop's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "daemon/uv/loop.h"
#include "daemon/uv/poll.h"
#include "daemon/uv/stream.h"
#include "daemon/uv/timer.h"
#include "storage/base/result.h"

namespace holdfast::uv {

inline constexpr size_t kSocketPathBytesMax = 107;  // sun_path less its final zero
inline constexpr int kConnectionsWaitingMax = 511;  // the kernel's queue
inline constexpr uint32_t kAcceptsPerTurnMax = 64;  // other work gets its turn, too
inline constexpr Duration kAcceptPause{100};

class Listener {
 public:
  using OnConnection = std::function<void(std::unique_ptr<Stream> client)>;

  // An empty group leaves the socket to the group of this process.
  static Result<std::unique_ptr<Listener>> listen(Loop& loop, const std::string& path,
                                                  uint32_t mode, const std::string& group,
                                                  OnConnection on_connection);

  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

 private:
  struct Socket;
  Listener(Loop& loop, std::unique_ptr<Socket> socket, OnConnection on_connection);

  void accept_some();
  void rest();

  Loop& loop_;
  std::unique_ptr<Socket> socket_;
  OnConnection on_connection_;
  bool calling_out_ = false;
  Timer rested_;
  Poll incoming_;  // goes before the socket that it watches
};

}  // namespace holdfast::uv
