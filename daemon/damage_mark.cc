#include "daemon/damage_mark.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "daemon/log.h"
#include "daemon/spawner/fd.h"

namespace holdfast::daemon {
namespace {

using spawner::Fd;

constexpr size_t kMarkBytesMax = 4096;

std::string path_of(const std::string& directory) { return directory + "/damage_met"; }

bool write_synced(const std::string& directory, const std::string& text) {
  const Fd file{::open(path_of(directory).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)};
  if (!file) return false;
  const ssize_t written = ::write(file.number(), text.data(), text.size());
  if (written != static_cast<ssize_t>(text.size()) || ::fsync(file.number()) != 0) return false;
  const Fd folder{::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  return folder && ::fsync(folder.number()) == 0;
}

}  // namespace

void leave_damage_mark(const std::string& state_directory, const std::string& what) {
  if (write_synced(state_directory, what.substr(0, kMarkBytesMax))) return;
  spdlog::error("cannot write {}: {}; the next start will not look at the tables",
                path_of(state_directory), std::strerror(errno));
}

std::optional<std::string> damage_mark(const std::string& state_directory) {
  const Fd file{::open(path_of(state_directory).c_str(), O_RDONLY | O_CLOEXEC)};
  if (!file) return std::nullopt;
  std::array<char, kMarkBytesMax> text{};
  const ssize_t bytes = ::read(file.number(), text.data(), text.size());
  return std::string(text.data(), bytes > 0 ? static_cast<size_t>(bytes) : 0);
}

void remove_damage_mark(const std::string& state_directory) {
  if (::unlink(path_of(state_directory).c_str()) == 0 || errno == ENOENT) return;
  spdlog::warn("cannot remove {}: {}", path_of(state_directory), std::strerror(errno));
}

}  // namespace holdfast::daemon
