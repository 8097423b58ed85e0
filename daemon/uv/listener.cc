#include "daemon/uv/listener.h"

#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "storage/base/check.h"

namespace holdfast::uv {

// A bound socket: its descriptor, and its file as long as that is still ours.
struct Listener::Socket {
  int fd = -1;
  std::string path;
  struct stat file {};
  bool bound = false;

  ~Socket() {
    if (fd >= 0) ::close(fd);
    struct stat current {};
    if (bound && lstat(path.c_str(), &current) == 0 && current.st_dev == file.st_dev &&
        current.st_ino == file.st_ino) {
      unlink(path.c_str());
    }
  }
};

namespace {

Error failed(const std::string& what, const std::string& path, int reason) {
  return Error{Errc::io, what + " " + path + ": " + std::strerror(reason)};
}

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

int new_socket() { return socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); }

// The errno of an attempt to connect, 0 when somebody answered.
int connect_errno(const sockaddr_un& address) {
  const int fd = new_socket();
  if (fd < 0) return errno;
  const int connected =
      connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ? 0 : errno;
  ::close(fd);
  return connected;
}

// Removes what a crash left at the path.
Result<> clear_the_way(const std::string& path) {
  struct stat found {};
  if (lstat(path.c_str(), &found) != 0) {
    if (errno == ENOENT) return ok();
    return failed("cannot look at", path, errno);
  }
  if (!S_ISSOCK(found.st_mode)) {
    return Error{Errc::refused, path + " is in the way: it is not a socket"};
  }
  switch (const int reason = connect_errno(address_of(path))) {
    case ENOENT:
      return ok();
    case ECONNREFUSED:
      if (unlink(path.c_str()) == 0 || errno == ENOENT) return ok();
      return failed("cannot remove the abandoned socket", path, errno);
    case 0:
    case EAGAIN:  // its queue is full, so somebody does listen
    case EPROTOTYPE:
      return Error{Errc::refused, path + " is in use: another process listens there"};
    default:
      return failed("cannot tell whether somebody listens at", path, reason);
  }
}

Result<gid_t> gid_of(const std::string& group) {
  std::vector<char> text(1024);
  struct group entry {};
  struct group* found = nullptr;
  int reason = 0;
  while ((reason = getgrnam_r(group.c_str(), &entry, text.data(), text.size(), &found)) == ERANGE) {
    text.resize(text.size() * 2);
  }
  if (found != nullptr) return found->gr_gid;
  if (reason == 0) {
    return Error{Errc::invalid, "socket.group: no group is called \"" + group +
                                    "\" here; make it (groupadd --system " + group +
                                    "), or name one that exists"};
  }
  return failed("socket.group: cannot look up the group", group, reason);
}

}  // namespace

Result<std::unique_ptr<Listener>> Listener::listen(Loop& loop, const std::string& path,
                                                   uint32_t mode, const std::string& group,
                                                   OnConnection on_connection) {
  if (path.empty() || path.size() > kSocketPathBytesMax) {
    return Error{Errc::invalid, "a socket path has 1 to " + std::to_string(kSocketPathBytesMax) +
                                    " bytes, not " + std::to_string(path.size()) + ": " + path};
  }
  std::optional<gid_t> gid;
  if (!group.empty()) {
    Result<gid_t> known = gid_of(group);
    if (!known) return known.error();
    gid = *known;
  }
  if (Result<> clear = clear_the_way(path); !clear) return clear.error();

  auto socket = std::make_unique<Socket>();
  socket->path = path;
  socket->fd = new_socket();
  if (socket->fd < 0) return failed("cannot make a socket for", path, errno);
  const sockaddr_un address = address_of(path);
  if (bind(socket->fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return failed("cannot bind to", path, errno);
  }
  socket->bound = lstat(path.c_str(), &socket->file) == 0;
  if (!socket->bound) return failed("cannot look at", path, errno);
  // Before the mode: a change of owner may take rights away again.
  if (gid && chown(path.c_str(), static_cast<uid_t>(-1), *gid) != 0) {
    const Error refused = failed("cannot give the socket", path, errno);
    return Error{refused.code, "socket.group: " + refused.what +
                                   "; its user must be in the group \"" + group + "\""};
  }
  if (chmod(path.c_str(), mode) != 0) return failed("cannot set the mode of", path, errno);
  if (::listen(socket->fd, kConnectionsWaitingMax) != 0) {
    return failed("cannot listen at", path, errno);
  }
  return std::unique_ptr<Listener>{new Listener{loop, std::move(socket), std::move(on_connection)}};
}

Listener::Listener(Loop& loop, std::unique_ptr<Socket> socket, OnConnection on_connection)
    : loop_(loop),
      socket_(std::move(socket)),
      on_connection_(std::move(on_connection)),
      rested_(loop, [this] { incoming_.watch(true, false); }),
      incoming_(loop, socket_->fd, [this](bool, bool) { accept_some(); }) {
  incoming_.watch(true, false);
}

Listener::~Listener() { CHECK(!calling_out_); }

void Listener::accept_some() {
  for (uint32_t count = 0; count < kAcceptsPerTurnMax; ++count) {
    const int fd = accept4(socket_->fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == EAGAIN) return;
      if (errno == EINTR || errno == ECONNABORTED) continue;
      return rest();
    }
    Result<std::unique_ptr<Stream>> client = Stream::adopt(loop_, fd);
    if (!client) return rest();
    calling_out_ = true;
    on_connection_(std::move(*client));
    calling_out_ = false;
  }
}

void Listener::rest() {
  incoming_.watch(false, false);
  rested_.arm(kAcceptPause);
}

}  // namespace holdfast::uv
