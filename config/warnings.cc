#include "config/warnings.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
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
  for (const auto& [name, function] : settings.functions) {
    if (function.command.empty()) continue;
    const std::string& program = function.command.front();
    if (const std::optional<std::string> trouble = trouble_with(program)) {
      found.push_back(to_text(KeyPath{"functions", name, "command"}) + ": " + quoted(program) +
                      " " + *trouble + "; attempts of this function fail until that is mended");
    }
  }
  return found;
}

}  // namespace holdfast::config
