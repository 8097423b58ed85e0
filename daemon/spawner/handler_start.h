// Turns this process's child into a handler: the part of a start that runs between
// fork and exec.
//
//    Result<Forked> forked = fork_handler(start, std::move(packet.fds));
//
// What has happened to the exec is learned from `exec_report`, without waiting, so
// that a slow disk under one program holds up no other handler: end of file means
// that the program runs (or was killed before it could), text is the reason why not.
#pragma once

#include <sys/types.h>

#include <vector>

#include "daemon/spawner/fd.h"
#include "daemon/spawner/protocol.h"
#include "storage/base/result.h"

namespace holdfast::spawner {

struct Forked {
  pid_t pid;  // leads its own process group already
  Fd exec_report;
};

// The caller has every signal blocked and descriptors 0, 1 and 2 open. `stdio` holds
// standard input, output and error of the handler.
Result<Forked> fork_handler(const Start& start, std::vector<Fd> stdio);

}  // namespace holdfast::spawner
