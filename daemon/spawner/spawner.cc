#include "daemon/spawner/spawner.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <iterator>
#include <optional>

#include "daemon/spawner/channel.h"
#include "daemon/spawner/handler_table.h"
#include "daemon/spawner/process_lock.h"
#include "daemon/spawner/processes.h"
#include "daemon/spawner/protocol.h"
#include "storage/base/crash_point.h"
#include "storage/base/match.h"
#include "storage/base/mutant.h"

namespace holdfast::spawner {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr auto kLockWaitMax = 10s;
constexpr int kLockPauseMs = 50;
constexpr int kEndingPauseMs = 2;       // between two looks at a group that is being killed
constexpr int kStartingPauseMs = 5;     // between two looks at a start before its exec
constexpr int kSendPauseMs = 10;        // after the kernel was short of memory
constexpr int kPacketsPerTurnMax = 64;  // then the dead are looked after again

// How it went on the way to Ready.
enum class Prepared { ready, refused, abandoned };

void become_spawner(int socket_fd) {
  ::fcntl(socket_fd, F_SETFD, FD_CLOEXEC);
  ::prctl(PR_SET_NAME, "holdfast-spawn");
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  // Away from the daemon's terminal and process group: no key stroke and no group kill
  // reaches it. Fails where the process leads a group already, which is as good.
  ::setsid();
  // Blocked, not ignored: a signal for a child that still has our mask is then kept for
  // it instead of being lost, and the pending ones of this process harm nobody.
  sigset_t all;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  // Exec sets back all but what is ignored, and no child needs to do it.
  for (int signal = 1; signal < NSIG; ++signal) {
    struct sigaction action {};
    if (::sigaction(signal, nullptr, &action) != 0 || action.sa_handler != SIG_IGN) continue;
    action.sa_handler = SIG_DFL;
    ::sigaction(signal, &action, nullptr);
  }
  // A child receives its descriptors above these three, wherever we were started from.
  while (true) {
    const int null = ::open("/dev/null", O_RDWR);
    if (null < 0) return;
    if (null > STDERR_FILENO) {
      ::close(null);
      return;
    }
  }
}

bool other_end_gone(int socket_fd, int wait_ms) {
  pollfd watched{socket_fd, 0, 0};
  return ::poll(&watched, 1, wait_ms) > 0 && (watched.revents & (POLLHUP | POLLERR)) != 0;
}

Prepared refuse(int socket_fd, const ToDaemon& message) {
  Channel channel{socket_fd};
  channel.send(encode(message));
  channel.flush();
  return Prepared::refused;
}

// Waits for the spawner of an earlier daemon, which is still killing its handlers.
Prepared take_lock(int socket_fd, const std::string& state_directory, Fd& lock) {
  const Clock::time_point give_up_at = Clock::now() + kLockWaitMax;
  for (;;) {
    Result<LockTry> attempt = try_lock_file(state_directory + "/handlers.lock");
    if (!attempt) return refuse(socket_fd, NotReady{attempt.error().what});
    if (attempt->held) {
      lock = std::move(attempt->held);
      return Prepared::ready;
    }
    if (Clock::now() >= give_up_at) return refuse(socket_fd, Locked{attempt->holder});
    if (other_end_gone(socket_fd, kLockPauseMs)) return Prepared::abandoned;
  }
}

// One turn after the other until the daemon's end of the socket closes.
class Spawner {
 public:
  Spawner(int socket_fd, int child_signals)
      : socket_fd_(socket_fd), child_signals_(child_signals), channel_(socket_fd) {}

  void run() {
    report(Ready{});
    while (turn()) continue;
    if (!broken(Mutant::handlers_outlive)) handlers_.kill_all();
  }

 private:
  bool turn();
  int wait_ms_max() const;
  bool receive_packets();
  void carry_out(ToSpawner message, std::vector<Fd> fds);
  void report(const ToDaemon& message) { channel_.send(encode(message)); }
  void report_all(const std::vector<ToDaemon>& messages) {
    for (const ToDaemon& message : messages) report(message);
  }

  const int socket_fd_;
  const int child_signals_;
  Channel channel_;
  Channel::Flushed flushed_ = Channel::Flushed::all;
  HandlerTable handlers_;
};

int Spawner::wait_ms_max() const {
  if (handlers_.any_ending()) return kEndingPauseMs;
  if (handlers_.any_starting()) return kStartingPauseMs;
  return flushed_ == Channel::Flushed::for_a_moment ? kSendPauseMs : -1;
}

bool Spawner::turn() {
  flushed_ = channel_.flush();
  if (flushed_ == Channel::Flushed::closed) return false;

  const bool full = flushed_ == Channel::Flushed::until_writable;
  pollfd watched[] = {{socket_fd_, static_cast<short>(full ? POLLIN | POLLOUT : POLLIN), 0},
                      {child_signals_, POLLIN, 0}};
  // Only the waiting is wanted: nothing below blocks, so it may be done for no reason.
  ::poll(watched, std::size(watched), wait_ms_max());

  signalfd_siginfo ignored[16];
  while (::read(child_signals_, ignored, sizeof ignored) > 0) continue;
  report_all(handlers_.look_after());
  return receive_packets();
}

bool Spawner::receive_packets() {
  Packet packet;
  for (int n = 0; n < kPacketsPerTurnMax; ++n) {
    // Asked each time: what a daemon that died still had in its queue is not started.
    if (other_end_gone(socket_fd_, 0)) return false;
    switch (channel_.receive(packet)) {
      case Channel::Received::nothing:
        return true;
      case Channel::Received::closed:
        return false;
      case Channel::Received::packet:
        break;
    }
    std::optional<ToSpawner> message = decode_to_spawner(packet.bytes);
    if (!message) return false;  // whoever speaks there, it is not our daemon
    carry_out(std::move(*message), std::move(packet.fds));
  }
  return true;
}

void Spawner::carry_out(ToSpawner message, std::vector<Fd> fds) {
  std::visit(match{
                 [&](Start& start) {
                   const uint64_t handle = start.handle;
                   if (Result<> begun = handlers_.start(std::move(start), std::move(fds)); !begun) {
                     report(CannotStart{handle, begun.error().what});
                   }
                 },
                 [&](Kill& kill) { report_all(handlers_.kill(kill)); },
             },
             message);
}

}  // namespace

int spawner_main(int socket_fd, const std::string& state_directory) {
  become_spawner(socket_fd);
  Fd lock;
  switch (take_lock(socket_fd, state_directory, lock)) {
    case Prepared::ready:
      break;
    case Prepared::refused:
      return 1;
    case Prepared::abandoned:
      return 0;
  }

  sigset_t child_ended;
  ::sigemptyset(&child_ended);
  ::sigaddset(&child_ended, SIGCHLD);
  const Fd child_signals{::signalfd(-1, &child_ended, SFD_CLOEXEC | SFD_NONBLOCK)};
  if (!child_signals) {
    refuse(socket_fd, NotReady{std::string{"signalfd: "} + std::strerror(errno)});
    return 1;
  }
  crash_point("spawner_before_ready");
  Spawner spawner{socket_fd, child_signals.number()};
  spawner.run();
  // Before it goes, because a start that is not over still needs what is in there.
  if (!broken(Mutant::handlers_outlive)) end_all_descendants();
  return 0;  // the lock goes last, with `lock`
}

}  // namespace holdfast::spawner
