#include "daemon/state_directory.h"

#include <poll.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "daemon/directory_access.h"
#include "daemon/spawner/process_lock.h"

namespace holdfast::daemon {
namespace {

constexpr int kTriesMax = 20;
constexpr int kTryIntervalMs = 50;

constexpr const char* kAnotherDaemon = "another holdfastd";

std::string lock_of(const std::string& directory) { return directory + "/daemon.lock"; }

Error taken(const std::string& directory, const std::string& by, pid_t holder) {
  return Error{Errc::refused, by + ", pid " + std::to_string(holder) +
                                  ", has the state directory " + directory};
}

Result<spawner::Fd> wait_for_lock(const std::string& directory, const std::string& path,
                                  const std::string& holder) {
  for (int tries_left = kTriesMax;; --tries_left) {
    Result<spawner::LockTry> lock = spawner::try_lock_file(path);
    if (!lock) return lock.error();
    if (lock->held) return std::move(lock->held);
    if (tries_left == 0) return taken(directory, holder, lock->holder);
    poll(nullptr, 0, kTryIntervalMs);
  }
}

Result<spawner::Fd> wait_for_daemon(const std::string& directory) {
  return wait_for_lock(directory, lock_of(directory), kAnotherDaemon);
}

Result<> expect_state_directory(const std::string& directory) {
  struct stat found {};
  if (stat(database_of(directory).c_str(), &found) == 0) return ok();
  if (errno != ENOENT && errno != ENOTDIR) {
    return Error{Errc::io, "cannot look into " + directory + ": " + std::strerror(errno)};
  }
  return Error{Errc::invalid, directory + " is no state directory of holdfastd: it has no " +
                                  database_of(directory)};
}

}  // namespace

Result<spawner::Fd> take_state_directory(const std::string& directory) {
  if (Result<> prepared = prepare_state_directory(directory); !prepared) return prepared.error();
  return wait_for_daemon(directory);
}

Result<spawner::Fd> take_existing_state_directory(const std::string& directory) {
  if (const Result<> there = expect_state_directory(directory); !there) return there.error();
  return wait_for_daemon(directory);
}

Result<spawner::Fd> take_handlers_lock(const std::string& directory) {
  return wait_for_lock(directory, directory + "/handlers.lock",
                       "the handlers of another holdfastd");
}

Result<spawner::Fd> share_state_directory(const std::string& directory) {
  if (const Result<> there = expect_state_directory(directory); !there) return there.error();
  Result<spawner::LockTry> lock = spawner::try_share_file(lock_of(directory));
  if (!lock) return lock.error();
  if (!lock->held && lock->holder != 0) return taken(directory, kAnotherDaemon, lock->holder);
  return std::move(lock->held);
}

ExitCode exit_code_of(const Error& error) {
  switch (error.code) {
    case Errc::refused: return ExitCode::in_use;
    case Errc::corrupt: return ExitCode::damaged;
    case Errc::invalid: return ExitCode::config;
    case Errc::not_found:
    case Errc::io:
    case Errc::full: return ExitCode::storage_failed;
  }
  return ExitCode::storage_failed;
}

}  // namespace holdfast::daemon
