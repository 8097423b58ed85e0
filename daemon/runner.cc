#include "daemon/runner.h"

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

Runner::Runner(uv::Loop& loop, int spawner_fd, OnFinished on_finished,
               std::function<void()> on_spawner_lost)
    : loop_(loop),
      on_finished_(std::move(on_finished)),
      on_spawner_lost_(std::move(on_spawner_lost)),
      channel_(spawner_fd),
      spawner_(loop, spawner_fd,
               [this](bool readable, bool writable) {
                 if (readable) receive();
                 if (writable) flush();
               }),
      send_pause_(loop, [this] { flush(); }),
      refusals_due_(loop, [this] { report_refused(); }) {
  spawner_.watch(true, false);
}

void Runner::start(AttemptStart start) {
  if (lost_) return;
  CHECK(!start.argv.empty());
  CHECK(!attempts_.contains(start.handle));
  const uint64_t handle = start.handle;
  const std::string program = start.argv.front();

  spawner::ToSpawner message =
      spawner::Start{handle, std::move(start.argv), std::move(start.environment),
                     std::move(start.working_directory)};
  if (spawner::encode(message).size() > spawner::kMessageBytesMax) {
    refuse(handle, program, std::strerror(E2BIG));
    return;
  }
  Result<AttemptProcess::Opened> opened =
      AttemptProcess::open(loop_, start, [this, handle](int signal) {
        send(spawner::Kill{handle, signal});
      });
  if (!opened) {
    refuse(handle, program, opened.error().what);
    return;
  }
  attempts_.emplace(handle, Attempt{std::move(opened->process), program});
  crash_point("before_start_sent");
  send(message, std::move(opened->handler_fds));
  crash_point("after_start_sent");
}

void Runner::stop(uint64_t handle) {
  const auto found = attempts_.find(handle);
  if (found != attempts_.end()) found->second.process->stop();
}

uint64_t Runner::memory_bytes() const {
  uint64_t bytes = 0;
  for (const auto& [handle, attempt] : attempts_) bytes += attempt.process->memory_bytes();
  return bytes;
}

void Runner::refuse(uint64_t handle, const std::string& program, const std::string& reason) {
  refused_.push_back({handle, {core::CannotStart{program, reason}, {}}});
  refusals_due_.arm(0ms);
}

void Runner::report_refused() {
  for (Refused& refused : std::exchange(refused_, {})) {
    on_finished_(refused.handle, std::move(refused.report));
  }
}

void Runner::send(const spawner::ToSpawner& message, std::vector<spawner::Fd> fds) {
  channel_.send(spawner::encode(message), std::move(fds));
  flush();
}

void Runner::flush() {
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

void Runner::receive() {
  spawner::Packet packet;
  for (int n = 0; n < kPacketsPerTurnMax && !lost_; ++n) {
    switch (channel_.receive(packet)) {
      case spawner::Channel::Received::nothing:
        return;
      case spawner::Channel::Received::closed:
        spawner_lost();
        return;
      case spawner::Channel::Received::packet:
        break;
    }
    const std::optional<spawner::ToDaemon> message = spawner::decode_to_daemon(packet.bytes);
    if (!message) {
      spawner_lost();
      return;
    }
    take_in(*message);
  }
}

void Runner::take_in(const spawner::ToDaemon& message) {
  std::visit(match{
                 // Said once, and heard by launch_spawner().
                 [](const spawner::Ready&) {},
                 [](const spawner::Locked&) {},
                 [](const spawner::NotReady&) {},
                 // Its time runs since it was sent off.
                 [](const spawner::Started&) {},
                 [this](const spawner::CannotStart& reason) { attempt_cannot_start(reason); },
                 [this](const spawner::Ended& ended) { attempt_ended(ended); },
             },
             message);
}

void Runner::attempt_ended(const spawner::Ended& ended) {
  auto attempt = attempts_.extract(ended.handle);
  CHECK(!attempt.empty());
  on_finished_(ended.handle, attempt.mapped().process->ended(ended));
}

void Runner::attempt_cannot_start(const spawner::CannotStart& cannot_start) {
  auto attempt = attempts_.extract(cannot_start.handle);
  CHECK(!attempt.empty());
  Attempt& known = attempt.mapped();
  on_finished_(cannot_start.handle,
               known.process->never_started({known.program, cannot_start.reason}));
}

void Runner::spawner_lost() {
  lost_ = true;
  spawner_.watch(false, false);
  send_pause_.disarm();
  refusals_due_.disarm();
  refused_.clear();
  attempts_.clear();
  // First processes die with the spawner; what they had started is ours now.
  spawner::end_all_descendants();
  on_spawner_lost_();
}

}  // namespace holdfast::daemon
