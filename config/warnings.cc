#include "config/warnings.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <optional>
#include <system_error>

#include "config/complaint.h"
#include "config/text.h"

namespace holdfast::config {
namespace {

std::optional<std::string> trouble_with(const std::string& program) {
  struct stat status {};
  if (stat(program.c_str(), &status) != 0) {
    const int reason = errno;
    if (reason == ENOENT) return "does not exist";
    return "cannot be looked at: " + std::generic_category().message(reason);
  }
  if (!S_ISREG(status.st_mode)) return "is not a file";
  // AT_EACCESS: with the rights that exec will be tried with.
  if (faccessat(AT_FDCWD, program.c_str(), X_OK, AT_EACCESS) != 0) return "is not executable";
  return std::nullopt;
}

}  // namespace

std::vector<std::string> warnings(const Settings& settings) {
  std::vector<std::string> found;
  const std::string& group = settings.socket.group;
  if (!group.empty() && getgrnam(group.c_str()) == nullptr) {
    found.push_back("socket.group: no group is called " + config::quoted(group) +
                    " here; the daemon does not start without it");
  }
  std::filesystem::path state{settings.daemon.state_directory};
  if (!state.has_filename()) state = state.parent_path();  // it ended with a slash
  const std::string parent = state.parent_path().string();
  if (access(parent.c_str(), F_OK) != 0 && errno == ENOENT) {
    found.push_back("daemon.state_directory: its parent " + config::quoted(parent) +
                    " does not exist; the daemon does not start without it");
  }
  for (const auto& [name, function] : settings.functions) {
    for (const std::string& user : function.worker_users) {
      if (getpwnam(user.c_str()) != nullptr) continue;
      found.push_back(to_text(KeyPath{"functions", name, "worker_users"}) + ": no user is called " +
                      config::quoted(user) + " here; nobody attaches under that name");
    }
    if (function.command.empty()) continue;
    const std::string& program = function.command.front();
    if (const std::optional<std::string> trouble = trouble_with(program)) {
      found.push_back(to_text(KeyPath{"functions", name, "command"}) + ": " +
                      config::quoted(program) + " " + *trouble +
                      "; attempts of this function fail until that is mended");
    }
  }
  return found;
}

}  // namespace holdfast::config
