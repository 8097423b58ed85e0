#include "daemon/spawner/process_lock.h"

#include <fcntl.h>

#include <cerrno>
#include <cstring>

namespace holdfast::spawner {
namespace {

struct flock whole_file() {
  struct flock range {};
  range.l_type = F_WRLCK;
  range.l_whence = SEEK_SET;
  return range;
}

// A full disk must not keep the daemon from starting: the lock holds without it.
void write_pid(int file) {
  const std::string text = std::to_string(::getpid()) + "\n";
  if (::ftruncate(file, 0) != 0) return;
  if (::pwrite(file, text.data(), text.size(), 0) < 0) return;
}

}  // namespace

Result<LockTry> try_lock_file(const std::string& path) {
  Fd file{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!file) return Error{Errc::io, path + ": " + std::strerror(errno)};

  struct flock range = whole_file();
  if (::fcntl(file.number(), F_SETLK, &range) == 0) {
    write_pid(file.number());
    return LockTry{std::move(file), 0};
  }
  if (errno != EAGAIN && errno != EACCES) {
    return Error{Errc::io, path + ": " + std::strerror(errno)};
  }
  range = whole_file();
  if (::fcntl(file.number(), F_GETLK, &range) != 0) {
    return Error{Errc::io, path + ": " + std::strerror(errno)};
  }
  return LockTry{Fd{}, range.l_type == F_UNLCK ? 0 : range.l_pid};
}

}  // namespace holdfast::spawner
