#include "daemon/free_space.h"

#include <sys/statvfs.h>

#include <cerrno>
#include <cstring>

#include "daemon/log.h"

namespace holdfast::daemon {

uint64_t free_bytes(const std::string& directory) {
  struct statvfs space {};
  if (statvfs(directory.c_str(), &space) != 0) {
    spdlog::error("cannot measure the free space of {}: {}; no new events are accepted",
                  directory, std::strerror(errno));
    return 0;
  }
  return static_cast<uint64_t>(space.f_bavail) * space.f_frsize;
}

}  // namespace holdfast::daemon
