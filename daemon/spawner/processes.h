// What /proc says about processes, and the use of it that leaves none. Only for the rare
// cases that waitpid() and kill() cannot decide; a walk costs as much as the box has
// processes.
#pragma once

#include <sys/types.h>

#include <vector>

namespace holdfast::spawner {

// Direct children of `parent`, zombies too.
std::vector<pid_t> children_of(pid_t parent);

// Whether a member of the process group lives. A zombie does not: it only waits for
// a parent that may never ask. Says true when /proc cannot be read.
bool group_lives(pid_t group);

// Kills and reaps until this process has no descendant left, wherever they escaped to.
// It has to be a subreaper, so that the children of the killed become its own. Blocks,
// usually for some milliseconds; for a process that the kernel cannot end, as long as that.
void end_all_descendants();

}  // namespace holdfast::spawner
