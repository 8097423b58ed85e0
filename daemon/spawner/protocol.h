// What the daemon and its spawner say to each other, one message per packet of a
// SOCK_SEQPACKET socket pair (channel.h carries them).
//
//    daemon                            spawner
//             <------------- Ready | Locked | NotReady     once, first
//      Start, Kill ------------->
//             <------------- Started, then Ended           for each Start that ran
//             <------------- CannotStart                   for each Start that did not
//
// The daemon chooses the handle of a Start and never uses it twice. A Start
// travels with three descriptors: standard input, output and error.
//
// Both ends are one program, so there are no versions. A decoder returns nothing
// for bytes that are no message: then the other end is not ours.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace holdfast::spawner {

// A command with its environment is at most 64 KiB by configuration; the rest is
// room for the variables the daemon adds, a working directory and the lengths.
inline constexpr size_t kMessageBytesMax = 160u << 10;
inline constexpr size_t kHandlerFds = 3;
// With which a child ends that could not become its program, as a shell has it.
inline constexpr int kCannotExecStatus = 127;

// --- to the spawner ----------------------------------------------------------

struct Start {
  uint64_t handle;
  std::vector<std::string> argv;         // argv[0] is the path of the program
  std::vector<std::string> environment;  // NAME=VALUE, nothing is added
  std::string working_directory;
};
// To the whole process group. Ignored if its first process has ended: the group is
// being killed then anyway.
struct Kill {
  uint64_t handle;
  int signal;
};
using ToSpawner = std::variant<Start, Kill>;

// --- to the daemon -----------------------------------------------------------

struct Ready {};
// Another spawner still holds the handlers of an earlier daemon.
struct Locked {
  pid_t holder;
};
struct NotReady {
  std::string reason;
};
struct Started {
  uint64_t handle;
  pid_t pid;  // also the number of its process group
};
struct CannotStart {
  uint64_t handle;
  std::string reason;
};
// The first process has ended so, and nothing of its process group lives any more.
struct Ended {
  uint64_t handle;
  bool by_signal;
  int code;           // the exit status, or the signal
  bool kill_reached;  // a Kill found the first process alive
};
using ToDaemon = std::variant<Ready, Locked, NotReady, Started, CannotStart, Ended>;

std::string encode(const ToSpawner& message);
std::string encode(const ToDaemon& message);
std::optional<ToSpawner> decode_to_spawner(std::string_view bytes);
std::optional<ToDaemon> decode_to_daemon(std::string_view bytes);

}  // namespace holdfast::spawner
