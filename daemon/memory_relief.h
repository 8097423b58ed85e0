// MemoryRelief: what the connections of a server may hold, and what is done when that is
// too much.
//
//    server.pause_reading(relief.is_short());   // after every turn
//    relief.each_second();
//
// Rule    While memory is short nobody is read from. When that has lasted a second, the
//         largest of what clients left unfinished is given up with its connection: first
//         requests that came in part, then replies of which nobody took anything.
// Reason  Both can hold memory for ever, and then nobody is served, operators included.
//
// Ownership  borrows the server. Threads  the loop's. Failure  none.
#pragma once

#include <cstdint>

#include "daemon/server.h"

namespace holdfast::daemon {

class MemoryRelief {
 public:
  explicit MemoryRelief(Server& server) : server_(server) {}

  bool is_short(uint64_t bytes_max) const { return server_.memory_bytes() > bytes_max; }
  void each_second(uint64_t bytes_max);

 private:
  Server& server_;
  bool was_short_ = false;  // a second ago
};

// Connections have one half of memory_max. Attempts have the other, and the core starts
// none that would not fit: they must not stop the reading for as long as they run.
inline uint64_t connections_bytes_max(const config::LimitSettings& limits) {
  return limits.memory_max / 2;
}

}  // namespace holdfast::daemon
