// A lock that says "this process has it", and tells everybody else which one: a POSIX
// record lock on a file. Two stand in the state directory: daemon.lock (one daemon), and
// handlers.lock, held by the spawner as long as handlers may be alive.
//
// A record lock, because the kernel then knows its holder by pid, a fork does not
// inherit it, and it ends with the process however that dies. The pid is written
// into the file as well, for people only.
#pragma once

#include <sys/types.h>

#include <string>

#include "daemon/spawner/fd.h"
#include "storage/base/result.h"

namespace holdfast::spawner {

struct LockTry {
  Fd held;           // empty: somebody else has it
  pid_t holder = 0;  // who; 0 if it went away meanwhile or cannot be seen from here
};

// Does not wait; makes the file. Closing the descriptor frees the lock, and so does
// closing any other descriptor of the same file in this process: open it nowhere else.
Result<LockTry> try_lock_file(const std::string& path);

// The same for those who only look: they share it with each other, not with a holder of
// the whole. Makes and writes nothing; without a file nobody holds anything.
Result<LockTry> try_share_file(const std::string& path);

}  // namespace holdfast::spawner
