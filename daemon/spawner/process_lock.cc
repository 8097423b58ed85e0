#include "daemon/spawner/process_lock.h"

#include <fcntl.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace holdfast::spawner {
namespace {

struct flock whole_file(short type) {
  struct flock range {};
  range.l_type = type;
  range.l_whence = SEEK_SET;
  return range;
}

// A full disk must not keep the daemon from starting: the lock holds without it.
void write_pid(int file) {
  const std::string text = std::to_string(::getpid()) + "\n";
  if (::ftruncate(file, 0) != 0) return;
  if (::pwrite(file, text.data(), text.size(), 0) < 0) return;
}

Error failed(const std::string& path) {
  return Error{Errc::io, path + ": " + std::strerror(errno)};
}

Result<LockTry> try_lock(Fd file, const std::string& path, short type) {
  struct flock range = whole_file(type);
  if (::fcntl(file.number(), F_SETLK, &range) == 0) return LockTry{std::move(file), 0};
  if (errno != EAGAIN && errno != EACCES) return failed(path);
  range = whole_file(type);
  if (::fcntl(file.number(), F_GETLK, &range) != 0) return failed(path);
  return LockTry{Fd{}, range.l_type == F_UNLCK ? 0 : range.l_pid};
}

}  // namespace

Result<LockTry> try_lock_file(const std::string& path) {
  Fd file{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!file) return failed(path);
  Result<LockTry> lock = try_lock(std::move(file), path, F_WRLCK);
  if (lock && lock->held) write_pid(lock->held.number());
  return lock;
}

Result<LockTry> try_share_file(const std::string& path) {
  Fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
  if (!file && errno == ENOENT) return LockTry{};
  if (!file) return failed(path);
  return try_lock(std::move(file), path, F_RDLCK);
}

}  // namespace holdfast::spawner
