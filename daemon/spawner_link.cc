#include "daemon/spawner_link.h"

#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "daemon/spawner/processes.h"
#include "storage/base/check.h"
#include "storage/base/crash_point.h"
#include "storage/base/match.h"

namespace holdfast::daemon {
namespace {

using namespace std::chrono_literals;

constexpr Duration kSendPause = 10ms;    // while the kernel is short of something
constexpr int kPacketsPerTurnMax = 256;  // then sessions have their turn

}  // namespace

SpawnerLink::SpawnerLink(uv::Loop& loop, int spawner_fd, std::function<void()> on_lost)
    : on_lost_(std::move(on_lost)),
      channel_(spawner_fd),
      spawner_(loop, spawner_fd,
               [this](bool readable, bool writable) {
                 if (readable) receive();
                 if (writable) flush();
               }),
      send_pause_(loop, [this] { flush(); }) {
  spawner_.watch(true, false);
}

Result<> SpawnerLink::start(spawner::Start start, std::vector<spawner::Fd> fds,
                            SpawnedProcess& process) {
  CHECK(!start.argv.empty());
  const uint64_t handle = start.handle;
  const spawner::ToSpawner message = std::move(start);
  std::string packet = spawner::encode(message);
  if (packet.size() > spawner::kMessageBytesMax) return Error{Errc::full, std::strerror(E2BIG)};
  const bool first = processes_.emplace(handle, &process).second;
  CHECK(first);
  crash_point("before_start_sent");
  channel_.send(std::move(packet), std::move(fds));
  flush();
  crash_point("after_start_sent");
  return ok();
}

void SpawnerLink::kill(uint64_t handle, int signal) {
  channel_.send(spawner::encode(spawner::Kill{handle, signal}));
  flush();
}

void SpawnerLink::flush() {
  if (lost_) return;
  switch (channel_.flush()) {
    case spawner::Channel::Flushed::all:
    case spawner::Channel::Flushed::closed:  // receive() comes to know it from the loop
      spawner_.watch(true, false);
      return;
    case spawner::Channel::Flushed::until_writable:
      spawner_.watch(true, true);
      return;
    case spawner::Channel::Flushed::for_a_moment:
      spawner_.watch(true, false);
      send_pause_.arm(kSendPause);
      return;
  }
}

void SpawnerLink::receive() {
  spawner::Packet packet;
  for (int n = 0; n < kPacketsPerTurnMax && !lost_; ++n) {
    switch (channel_.receive(packet)) {
      case spawner::Channel::Received::nothing:
        return;
      case spawner::Channel::Received::closed:
        lose();
        return;
      case spawner::Channel::Received::packet:
        break;
    }
    const std::optional<spawner::ToDaemon> message = spawner::decode_to_daemon(packet.bytes);
    if (!message) {
      lose();
      return;
    }
    take_in(*message);
  }
}

SpawnedProcess& SpawnerLink::take(uint64_t handle) {
  const auto process = processes_.extract(handle);
  CHECK(!process.empty());
  return *process.mapped();
}

void SpawnerLink::take_in(const spawner::ToDaemon& message) {
  std::visit(match{
                 // Said once, and heard by launch_spawner().
                 [](const spawner::Ready&) {},
                 [](const spawner::Locked&) {},
                 [](const spawner::NotReady&) {},
                 [this](const spawner::Started& started) {
                   processes_.at(started.handle)->process_started(started.pid);
                 },
                 [this](const spawner::CannotStart& cannot) {
                   take(cannot.handle).process_cannot_start(cannot.reason);
                 },
                 [this](const spawner::Ended& ended) { take(ended.handle).process_ended(ended); },
             },
             message);
}

void SpawnerLink::lose() {
  lost_ = true;
  spawner_.watch(false, false);
  send_pause_.disarm();
  processes_.clear();
  // First processes die with the spawner; what they had started is ours now.
  spawner::end_all_descendants();
  on_lost_();
}

}  // namespace holdfast::daemon
