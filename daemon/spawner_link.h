// SpawnerLink: the daemon's end of the socket to the spawner. It sends starts and kills,
// and tells each process's owner how it ended.
//
//    SpawnerLink link{loop, spawner->socket.number(), on_lost};
//    const uint64_t handle = link.new_handle();
//    if (auto sent = link.start(handle, {.argv = ...}, std::move(fds), process); !sent) ...
//    link.kill(handle, SIGTERM);
//
// Ownership  borrows loop, socket, and the processes, which stay until they were told of
//            their end. Threads  the loop's.
// Failure    A start that does not fit in a packet is refused. When the spawner is gone,
//            every handler is ended first, then on_lost comes once; nobody is told anything
//            after that, and the daemon must stop. Until then this process has no children
//            but the spawner.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "daemon/spawner/channel.h"
#include "daemon/spawner/protocol.h"
#include "daemon/uv/loop.h"
#include "daemon/uv/poll.h"
#include "daemon/uv/timer.h"

namespace holdfast::daemon {

// What a process is to the link: it hears one of the two last of all, from the loop, and
// may be destroyed in it.
class SpawnedProcess {
 public:
  virtual ~SpawnedProcess() = default;
  // When nothing of its process group lives any more.
  virtual void process_ended(const spawner::Ended& ended) = 0;
  virtual void process_cannot_start(const std::string& reason) = 0;
  virtual void process_started(pid_t /*pid*/) {}
};

class SpawnerLink {
 public:
  SpawnerLink(uv::Loop& loop, int spawner_fd, std::function<void()> on_lost);
  SpawnerLink(const SpawnerLink&) = delete;
  SpawnerLink& operator=(const SpawnerLink&) = delete;

  uint64_t new_handle() { return next_handle_++; }

  // `start.handle` is a new one.
  Result<> start(spawner::Start start, std::vector<spawner::Fd> fds, SpawnedProcess& process);
  // To the whole process group; nothing if it has ended.
  void kill(uint64_t handle, int signal);

  bool lost() const { return lost_; }

 private:
  void flush();
  void receive();
  void take_in(const spawner::ToDaemon& message);
  SpawnedProcess& take(uint64_t handle);
  void lose();

  const std::function<void()> on_lost_;
  spawner::Channel channel_;
  uv::Poll spawner_;
  uv::Timer send_pause_;
  std::map<uint64_t, SpawnedProcess*> processes_;
  uint64_t next_handle_ = 1;
  bool lost_ = false;
};

}  // namespace holdfast::daemon
