// bench_spawner CONCURRENCY SECONDS PAYLOAD_BYTES COMMAND [ARG...]: what the kernel would allow.
//
// Starts the command again and again, CONCURRENCY of them at once, each as an attempt gets it:
// a process group of its own, the payload on standard input, standard output and error read to
// their ends. Then it is reaped, and the next one starts. Nothing is kept or decided.
//
// Prints a line of JSON: how many a second, and in all. The first tenth is not counted. A
// command that fails ends the program; one that closes its outputs long before it ends keeps
// the others waiting.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tests/bench/connection.h"
#include "tests/bench/measure.h"

namespace {

using namespace holdfast::bench;

// What a pipe takes at once, so that the payload is in it before the command starts.
constexpr size_t kPayloadBytesMax = 64u << 10;

struct Task {
  uint64_t concurrency = 0;
  double seconds = 0;
  uint64_t payload_bytes = 0;
  char** command = nullptr;
};

std::optional<Task> parse(std::span<char*> arguments) {
  if (arguments.size() < 5) return std::nullopt;
  const auto concurrency = parse_count(arguments[1]);
  const auto seconds = parse_number(arguments[2]);
  const auto payload_bytes = parse_count(arguments[3]);
  if (!concurrency || !seconds || !payload_bytes) return std::nullopt;
  if (*concurrency == 0 || *seconds == 0 || *payload_bytes > kPayloadBytesMax) return std::nullopt;
  return Task{*concurrency, *seconds, *payload_bytes, &arguments[4]};
}

struct Pipe {
  int read = -1;
  int write = -1;
};
Pipe make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) fail_system("pipe2");
  return {ends[0], ends[1]};
}

// A command that runs: its outputs, -1 once they have ended.
struct Child {
  pid_t pid = 0;
  std::array<int, 2> outputs{-1, -1};
  Clock::time_point begun;
};

class Spawner {
 public:
  explicit Spawner(const Task& task)
      : task_(task),
        payload_(task.payload_bytes, 'x'),
        children_(task.concurrency),
        begun_(Clock::now()),
        end_(begun_ + seconds_of(task.seconds)),
        done_(begun_, {task.seconds, 0}) {
    ::posix_spawnattr_init(&attributes_);
    ::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETPGROUP);
  }

  void run() {
    for (size_t n = 0; n < children_.size(); ++n) start(n);
    while (running_ > 0) {
      for (const Readiness& ready : poller_.wait(end_ + std::chrono::hours{1})) {
        read_some(ready.tag / 2, ready.tag % 2);
      }
    }
    std::printf("{\"per_s\": %.0f, \"done\": %llu}\n", done_.per_s(),
                static_cast<unsigned long long>(done_.total()));
  }

 private:
  void start(size_t n) {
    Child& child = children_[n];
    child.begun = Clock::now();
    const Pipe input = make_pipe();
    const std::array<Pipe, 2> outputs{make_pipe(), make_pipe()};
    if (::write(input.write, payload_.data(), payload_.size()) !=
        static_cast<ssize_t>(payload_.size())) {
      fail_system("write");
    }
    child.pid = spawn(input.read, outputs[0].write, outputs[1].write);
    ::close(input.read);
    ::close(input.write);
    for (size_t which = 0; which < outputs.size(); ++which) {
      ::close(outputs[which].write);
      child.outputs[which] = outputs[which].read;
      poller_.add(outputs[which].read, 2 * n + which);
    }
    ++running_;
  }

  pid_t spawn(int input, int output, int log) {
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, log, STDERR_FILENO);
    pid_t pid = 0;
    const int error = ::posix_spawn(&pid, task_.command[0], &actions, &attributes_, task_.command,
                                    environ);
    if (error != 0) fail(std::string{task_.command[0]} + ": " + std::strerror(error));
    ::posix_spawn_file_actions_destroy(&actions);
    return pid;
  }

  void read_some(size_t n, size_t which) {
    static std::vector<char> piece(kPayloadBytesMax);
    Child& child = children_[n];
    const ssize_t count = ::read(child.outputs[which], piece.data(), piece.size());
    if (count < 0) fail_system("read");
    if (count > 0) return;
    poller_.remove(child.outputs[which]);
    ::close(child.outputs[which]);
    child.outputs[which] = -1;
    if (child.outputs == std::array{-1, -1}) reap(n);
  }

  void reap(size_t n) {
    int status = 0;
    if (::waitpid(children_[n].pid, &status, 0) < 0) fail_system("waitpid");
    if (status != 0) fail(std::string{task_.command[0]} + " has failed");
    --running_;
    const Clock::time_point now = Clock::now();
    done_.add(now, now - children_[n].begun);
    if (now < end_) start(n);
  }

  const Task task_;
  const std::string payload_;
  posix_spawnattr_t attributes_;
  Poller poller_;
  std::vector<Child> children_;
  size_t running_ = 0;
  Clock::time_point begun_;
  Clock::time_point end_;
  Tally done_;
};

}  // namespace

int main(int argc, char** argv) {
  const auto task = parse({argv, static_cast<size_t>(argc)});
  if (!task) {
    std::fprintf(stderr, "usage: bench_spawner CONCURRENCY SECONDS PAYLOAD_BYTES COMMAND [ARG...]\n"
                         "PAYLOAD_BYTES is at most 65536, COMMAND is a path\n");
    return 2;
  }
  Spawner{*task}.run();
}
