// How the daemon gets its spawner, as the first thing it does.
//
//    Result<Launched> spawner = launch_spawner("/var/lib/holdfast");
//    if (!spawner) return spawner.error();       // refused: names the pid in the way
//    ... the daemon's life; the runner talks over spawner->socket ...
//    end_spawner(std::move(*spawner));           // returns when no handler is left
//
// Success means: no handler of an earlier daemon lives, and none will.
//
// Threads    call launch_spawner() before any other thread exists and before anything
//            large is in memory: it forks.
// Death      of the spawner shows as end of file on `socket`. This process is a subreaper
//            from here on and inherits what the handlers had started: call
//            end_all_descendants() (processes.h), then stop.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <optional>
#include <string>

#include "daemon/spawner/fd.h"
#include "storage/base/result.h"

namespace holdfast::spawner {

struct Launched {
  Fd socket;
  pid_t pid = 0;
};

// What to run as the spawner. It is given two more arguments, the number of its end of
// the socket and the state directory, and calls spawner_main() with them.
struct SpawnerProgram {
  std::string path = "/proc/self/exe";
  std::string name = "holdfastd";
  std::string option = "--spawner";
  // RLIMIT_NOFILE of it and of the handlers; the caller's own if not said.
  std::optional<rlimit> descriptors = std::nullopt;
};

Result<Launched> launch_spawner(const std::string& state_directory,
                                const SpawnerProgram& program = {});

// Closes the socket and waits until the spawner has killed what still ran and is gone.
void end_spawner(Launched spawner);

}  // namespace holdfast::spawner
