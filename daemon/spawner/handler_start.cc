#include "daemon/spawner/handler_start.h"

#include <fcntl.h>
#include <sys/prctl.h>

#include <cerrno>
#include <climits>
#include <csignal>
#include <cstring>

namespace holdfast::spawner {
namespace {

constexpr int kCannotExecStatus = 127;

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

[[noreturn]] void give_up(const Fd& exec_report, const std::string& reason) {
  // A pipe takes this much whole, or the reader has gone and nobody cares.
  if (::write(exec_report.number(), reason.data(), std::min<size_t>(reason.size(), PIPE_BUF)) < 0) {
    ::_exit(kCannotExecStatus);
  }
  ::_exit(kCannotExecStatus);
}

void reset_signals() {
  // Dispositions first: a signal that came while all were blocked then acts as if the
  // program had been running already.
  struct sigaction usual {};
  usual.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) ::sigaction(signal, &usual, nullptr);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

void close_all_but(int kept) {
  const unsigned number = static_cast<unsigned>(kept);
  if (number > 3) ::close_range(3, number - 1, 0);
  ::close_range(number + 1, ~0u, 0);
}

[[noreturn]] void become_handler(const Start& start, const std::vector<Fd>& stdio,
                                 const Fd& exec_report, pid_t spawner) {
  ::setpgid(0, 0);
  for (size_t n = 0; n < stdio.size(); ++n) {
    if (::dup2(stdio[n].number(), static_cast<int>(n)) < 0) {
      give_up(exec_report, std::strerror(errno));
    }
  }
  close_all_but(exec_report.number());
  if (::chdir(start.working_directory.c_str()) != 0) {
    give_up(exec_report,
            "working directory " + start.working_directory + ": " + std::strerror(errno));
  }
  const std::vector<char*> argv = pointers(start.argv);
  const std::vector<char*> environment = pointers(start.environment);
  reset_signals();

  // Last, because nothing in between may clear it; and asked after, because a spawner
  // that died before this line sends nothing any more.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != spawner) ::_exit(kCannotExecStatus);
  ::execve(argv[0], argv.data(), environment.data());
  give_up(exec_report, std::strerror(errno));
}

}  // namespace

Result<Forked> fork_handler(const Start& start, std::vector<Fd> stdio) {
  if (stdio.size() != kHandlerFds) return Error{Errc::full, std::strerror(EMFILE)};
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return Error{Errc::full, std::strerror(errno)};
  Fd report_read{ends[0]};
  const Fd report_write{ends[1]};

  const pid_t spawner = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return Error{Errc::full, std::strerror(errno)};
  if (pid == 0) become_handler(start, stdio, report_write, spawner);
  // Both sides make the group, so that it exists whoever of them runs first. This call
  // fails once the child has made the exec, and then it need not succeed.
  ::setpgid(pid, pid);
  return Forked{pid, std::move(report_read)};
}

}  // namespace holdfast::spawner
