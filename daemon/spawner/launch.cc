#include "daemon/spawner/launch.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>

#include "daemon/spawner/channel.h"
#include "daemon/spawner/protocol.h"
#include "storage/base/match.h"

namespace holdfast::spawner {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

// Longer than the spawner itself waits for the lock.
constexpr auto kAnswerWaitMax = 12s;

[[noreturn]] void become_spawner_program(int socket_fd, const std::string& state_directory,
                                         const SpawnerProgram& program) {
  // Above the standard three, and without the mark that closes it at exec.
  const int kept = ::fcntl(socket_fd, F_DUPFD, STDERR_FILENO + 1);
  if (kept < 0) ::_exit(kCannotExecStatus);
  // Nothing else goes along: a listening socket that lived on in the spawner would
  // take in clients whom nobody serves.
  const unsigned number = static_cast<unsigned>(kept);
  if (number > 3) ::close_range(3, number - 1, 0);
  ::close_range(number + 1, ~0u, 0);

  if (program.descriptors) ::setrlimit(RLIMIT_NOFILE, &*program.descriptors);
  const std::string kept_text = std::to_string(kept);
  char* const argv[] = {
      const_cast<char*>(program.name.c_str()), const_cast<char*>(program.option.c_str()),
      const_cast<char*>(kept_text.c_str()), const_cast<char*>(state_directory.c_str()), nullptr};
  ::execv(program.path.c_str(), argv);
  ::_exit(kCannotExecStatus);
}

// Its first message, or nothing if it went away or kept silent.
std::optional<ToDaemon> await_answer(int socket_fd) {
  const Clock::time_point give_up_at = Clock::now() + kAnswerWaitMax;
  Channel channel{socket_fd};
  Packet packet;
  for (;;) {
    switch (channel.receive(packet)) {
      case Channel::Received::packet:
        return decode_to_daemon(packet.bytes);
      case Channel::Received::closed:
        return std::nullopt;
      case Channel::Received::nothing:
        break;
    }
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(give_up_at - Clock::now());
    if (left <= 0ms) return std::nullopt;
    pollfd watched{socket_fd, POLLIN, 0};
    ::poll(&watched, 1, static_cast<int>(left.count()));
  }
}

Result<> judge(const std::optional<ToDaemon>& answer) {
  const Error strange{Errc::io, "the spawner did not start"};
  if (!answer) return strange;
  return std::visit(
      match{
          [](const Ready&) { return ok(); },
          [](const Locked& locked) -> Result<> {
            // A holder in another pid namespace has no number here.
            const std::string who = locked.holder > 0 ? "pid " + std::to_string(locked.holder)
                                                      : "a process that is not visible here";
            return Error{Errc::refused, "handlers of an earlier daemon still run under " + who +
                                            ": wait for them to end, or kill that process"};
          },
          [](const NotReady& not_ready) -> Result<> {
            return Error{Errc::io, not_ready.reason};
          },
          [&](const Started&) -> Result<> { return strange; },
          [&](const CannotStart&) -> Result<> { return strange; },
          [&](const Ended&) -> Result<> { return strange; },
      },
      *answer);
}

void reap(pid_t pid) {
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) continue;
}

}  // namespace

Result<Launched> launch_spawner(const std::string& state_directory, const SpawnerProgram& program) {
  Result<SocketPair> pair = make_socket_pair();
  if (!pair) return pair.error();
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) {
    return Error{Errc::io, std::string{"prctl: "} + std::strerror(errno)};
  }
  const pid_t pid = ::fork();
  if (pid < 0) return Error{Errc::io, std::string{"fork: "} + std::strerror(errno)};
  if (pid == 0) become_spawner_program(pair->there.number(), state_directory, program);
  pair->there.reset();

  Launched launched{std::move(pair->here), pid};
  if (Result<> judged = judge(await_answer(launched.socket.number())); !judged) {
    end_spawner(std::move(launched));
    return judged.error();
  }
  return launched;
}

void end_spawner(Launched spawner) {
  spawner.socket.reset();
  reap(spawner.pid);
}

}  // namespace holdfast::spawner
