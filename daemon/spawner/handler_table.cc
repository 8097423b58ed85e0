#include "daemon/spawner/handler_table.h"

#include <sys/wait.h>

#include <cerrno>
#include <csignal>
#include <utility>

#include "daemon/spawner/processes.h"
#include "storage/base/check.h"
#include "storage/base/crash_point.h"

namespace holdfast::spawner {
namespace {

// A killed group is nearly always gone at the first look. What is still there at every
// eighth may be a zombie whose parent left the group, and only /proc can tell.
constexpr int kLooksPerWalk = 8;

bool group_gone(pid_t group, int looks) {
  // Again and again, because a process can join a group later.
  if (::kill(-group, SIGKILL) != 0 && errno == ESRCH) return true;
  return looks % kLooksPerWalk == 0 && !group_lives(group);
}

}  // namespace

Result<> HandlerTable::start(Start start, std::vector<Fd> stdio) {
  const uint64_t handle = start.handle;
  CHECK(!handlers_.contains(handle));
  crash_point("spawner_before_fork");
  Result<HandlerStart> begun = HandlerStart::begin(std::move(start), std::move(stdio));
  crash_point("spawner_after_fork");
  if (!begun) return begun.error();
  Handler handler{};
  handler.group = begun->pid();
  handler.start.emplace(std::move(*begun));
  first_processes_.emplace(handler.group, handle);
  handlers_.emplace(handle, std::move(handler));
  starting_.insert(handle);
  return ok();
}

std::vector<ToDaemon> HandlerTable::kill(const Kill& kill) {
  std::vector<ToDaemon> reports;
  reap(reports);
  const auto found = handlers_.find(kill.handle);
  if (found != handlers_.end() && !ending_.contains(kill.handle)) {
    Handler& handler = found->second;
    handler.kill_reached = true;
    ::kill(-handler.group, kill.signal);
  }
  return reports;
}

std::vector<ToDaemon> HandlerTable::look_after() {
  std::vector<ToDaemon> reports;
  const std::set<uint64_t> starting = starting_;
  for (const uint64_t handle : starting) note_exec(handle, reports);
  reap(reports);
  settle_ending(reports);
  return reports;
}

void HandlerTable::kill_all() {
  for (const auto& [handle, handler] : handlers_) ::kill(-handler.group, SIGKILL);
}

void HandlerTable::note_exec(uint64_t handle, std::vector<ToDaemon>& reports) {
  Handler& handler = handlers_.at(handle);
  if (!handler.start->over()) return;
  handler.cannot_start = handler.start->failure();
  handler.start.reset();
  starting_.erase(handle);
  if (handler.cannot_start.empty()) reports.push_back(Started{handle, handler.group});
}

void HandlerTable::reap(std::vector<ToDaemon>& reports) {
  for (;;) {
    // Looks first and reaps after: until then the number of the group is not free, and
    // the kill below cannot hit a stranger.
    siginfo_t info{};
    if (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) != 0) return;
    const pid_t pid = info.si_pid;
    if (pid == 0) return;
    if (const auto first = first_processes_.find(pid); first != first_processes_.end()) {
      const uint64_t handle = first->second;
      ::kill(-pid, SIGKILL);
      if (starting_.contains(handle)) {
        handlers_.at(handle).start->child_died();
        note_exec(handle, reports);
      }
      Handler& handler = handlers_.at(handle);
      handler.by_signal = info.si_code != CLD_EXITED;
      handler.code = info.si_status;
      first_processes_.erase(first);
      ending_.insert(handle);
    }
    ::waitpid(pid, nullptr, __WALL);
  }
}

void HandlerTable::settle_ending(std::vector<ToDaemon>& reports) {
  for (auto it = ending_.begin(); it != ending_.end();) {
    const uint64_t handle = *it;
    Handler& handler = handlers_.at(handle);
    if (!group_gone(handler.group, ++handler.looks)) {
      ++it;
      continue;
    }
    if (handler.cannot_start.empty()) {
      reports.push_back(Ended{handle, handler.by_signal, handler.code, handler.kill_reached});
    } else {
      reports.push_back(CannotStart{handle, std::move(handler.cannot_start)});
    }
    crash_point("spawner_before_ended");
    handlers_.erase(handle);
    it = ending_.erase(it);
  }
}

}  // namespace holdfast::spawner
