// The handlers that run, from clone to the end of their process group.
//
//    Result<> begun = handlers.start(std::move(start), std::move(fds));
//    for (const ToDaemon& message : handlers.look_after()) report(message);
//
// A handler goes through three states: starting (its exec not known yet),
// running, and ending (its first process is reaped, members of its group may live).
// look_after() moves every handler on as far as the kernel lets it, without blocking,
// and says what there is to report.
//
// The table reaps every child of this process, also orphans that only became ours:
// nobody else may call waitpid().
#pragma once

#include <sys/types.h>

#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

#include "daemon/spawner/fd.h"
#include "daemon/spawner/handler_start.h"
#include "daemon/spawner/protocol.h"
#include "storage/base/result.h"

namespace holdfast::spawner {

class HandlerTable {
 public:
  // An error when there is no process. Later trouble is reported by look_after().
  Result<> start(Start start, std::vector<Fd> stdio);

  // First takes note of who has ended by themselves, so that a Kill that came too late
  // does not pass for the cause.
  std::vector<ToDaemon> kill(const Kill& kill);

  std::vector<ToDaemon> look_after();

  // Every group at once; looking after the end of it is the caller's from here on.
  void kill_all();

  // Some group is being killed, and no signal will tell when it is gone: look again.
  bool any_ending() const { return !ending_.empty(); }

  // Some start has not come to its exec, and no signal will tell when it has: look again.
  bool any_starting() const { return !starting_.empty(); }

 private:
  struct Handler {
    pid_t group;
    std::optional<HandlerStart> start;  // while starting
    std::string cannot_start;           // filled when there was no exec
    bool kill_reached = false;
    bool by_signal = false;
    int code = 0;
    int looks = 0;  // at the group, since the first process ended
  };

  void note_exec(uint64_t handle, std::vector<ToDaemon>& reports);
  void reap(std::vector<ToDaemon>& reports);
  void settle_ending(std::vector<ToDaemon>& reports);

  std::map<uint64_t, Handler> handlers_;
  std::unordered_map<pid_t, uint64_t> first_processes_;  // not yet reaped
  std::set<uint64_t> starting_;
  std::set<uint64_t> ending_;
};

}  // namespace holdfast::spawner
