#include "daemon/memory_relief.h"

#include <optional>
#include <utility>

#include "daemon/log.h"

namespace holdfast::daemon {

void MemoryRelief::each_second(uint64_t bytes_max) {
  if (std::exchange(was_short_, is_short(bytes_max))) {
    while (is_short(bytes_max) && server_.shed_largest_input()) {
      spdlog::warn("memory_max: gave up a connection with an unfinished request");
    }
    while (is_short(bytes_max)) {
      const std::optional<uv::Peer> peer = server_.close_most_stalled();
      if (!peer) break;
      spdlog::warn("memory_max: closed the connection of pid {} (uid {}), which does not read "
                   "its replies",
                   peer->pid, peer->uid);
    }
  }
  server_.mark_progress();
}

}  // namespace holdfast::daemon
