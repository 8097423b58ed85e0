#include "daemon/directory_access.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

namespace holdfast::daemon {
namespace {

std::string user_name(uid_t uid) {
  const passwd* entry = getpwuid(uid);
  return entry == nullptr ? "uid " + std::to_string(uid) : std::string{entry->pw_name};
}

Error unusable(const std::string& directory, int reason) {
  std::string what = "daemon.state_directory: cannot use " + directory + ": ";
  what += std::strerror(reason);
  switch (reason) {
    case ENOENT:
      return {Errc::io, what + " (its parent must exist)"};
    case ENOTDIR:
    case EACCES:
    case EPERM:
      return {Errc::invalid, what + "; holdfastd runs as user " + user_name(geteuid()) +
                                 ", who must own a directory there"};
    default:
      return {Errc::io, what};
  }
}

// Only what is there is looked at, with the rights that it will be opened with.
Result<> check_access(const std::string& path, const std::string& directory) {
  struct stat found {};
  if (stat(path.c_str(), &found) != 0) return ok();
  const int wanted = S_ISDIR(found.st_mode) ? R_OK | W_OK | X_OK : R_OK | W_OK;
  if (faccessat(AT_FDCWD, path.c_str(), wanted, AT_EACCESS) == 0 || errno != EACCES) return ok();
  const std::string user = user_name(geteuid());
  return Error{Errc::invalid, "daemon.state_directory: " + path + " belongs to user " +
                                  user_name(found.st_uid) + " and holdfastd runs as user " + user +
                                  ", who must own all of it: chown -R " + user + " " + directory};
}

}  // namespace

Result<> prepare_state_directory(const std::string& directory) {
  if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) return unusable(directory, errno);
  struct stat found {};
  if (stat(directory.c_str(), &found) != 0) return unusable(directory, errno);
  if (!S_ISDIR(found.st_mode)) return unusable(directory, ENOTDIR);
  for (const char* name : {"", "/daemon.lock", "/handlers.lock", "/db"}) {
    if (Result<> access = check_access(directory + name, directory); !access) return access;
  }
  // Whoever ran the daemon once as root left files that its own user cannot open.
  std::error_code over;
  std::filesystem::directory_iterator entry{directory + "/db", over};
  for (; !over && entry != std::filesystem::directory_iterator{}; entry.increment(over)) {
    if (Result<> access = check_access(entry->path(), directory); !access) return access;
  }
  return ok();
}

}  // namespace holdfast::daemon
