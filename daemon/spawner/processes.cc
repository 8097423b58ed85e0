#include "daemon/spawner/processes.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "daemon/spawner/fd.h"

namespace holdfast::spawner {
namespace {

constexpr int kRoundPauseMsMax = 64;

struct Process {
  pid_t pid;
  pid_t parent;
  pid_t group;
  char state;
  int threads;

  // The first thread may be a zombie while others go on.
  bool lives() const { return (state != 'Z' && state != 'X') || threads > 1; }
};

// stat := pid "(" name ")" state parent group 14-others threads ...; the name may hold
// anything, so the fields are counted from its last parenthesis.
bool read_process(pid_t pid, Process& process) {
  const Fd file{::open(("/proc/" + std::to_string(pid) + "/stat").c_str(), O_RDONLY | O_CLOEXEC)};
  if (!file) return false;
  char text[512];
  const ssize_t count = ::read(file.number(), text, sizeof text - 1);
  if (count <= 0) return false;
  const std::string stat(text, static_cast<size_t>(count));
  const size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) return false;
  process.pid = pid;
  return std::sscanf(stat.c_str() + name_end + 1,
                     " %c %d %d %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %d",
                     &process.state, &process.parent, &process.group, &process.threads) == 4;
}

// Calls visit(process) for every process there is; false: there is no /proc.
template <class Visit>
bool visit_processes(Visit visit) {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory{::opendir("/proc"), ::closedir};
  if (directory == nullptr) return false;
  bool any = false;
  while (const dirent* entry = ::readdir(directory.get())) {
    const pid_t pid = std::atoi(entry->d_name);
    Process process{};
    if (pid <= 0 || !read_process(pid, process)) continue;
    any = true;
    visit(process);
  }
  return any;
}

}  // namespace

std::vector<pid_t> children_of(pid_t parent) {
  std::vector<pid_t> children;
  visit_processes([&](const Process& process) {
    if (process.parent == parent) children.push_back(process.pid);
  });
  return children;
}

bool group_lives(pid_t group) {
  bool lives = false;
  const bool readable = visit_processes([&](const Process& process) {
    if (process.group == group && process.lives()) lives = true;
  });
  return lives || !readable;
}

void end_all_descendants() {
  // Children only, because their pids cannot pass to strangers before we reap them; the
  // children of a killed one become ours and are met in the next round.
  for (int pause_ms = 1;; pause_ms = std::min(2 * pause_ms, kRoundPauseMsMax)) {
    for (const pid_t child : children_of(::getpid())) ::kill(child, SIGKILL);
    ::poll(nullptr, 0, pause_ms);
    pid_t reaped = 0;
    while ((reaped = ::waitpid(-1, nullptr, WNOHANG | __WALL)) > 0) continue;
    if (reaped < 0 && errno == ECHILD) return;
  }
}

}  // namespace holdfast::spawner
