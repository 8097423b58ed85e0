#include "daemon/runner.h"

#include <utility>

#include "storage/base/check.h"

namespace holdfast::daemon {

using namespace std::chrono_literals;

Runner::Runner(uv::Loop& loop, SpawnerLink& link, OnFinished on_finished)
    : loop_(loop),
      link_(link),
      on_finished_(std::move(on_finished)),
      refusals_due_(loop, [this] { report_refused(); }) {}

void Runner::start(AttemptStart start) {
  if (link_.lost()) return;
  CHECK(!start.argv.empty());
  CHECK(!attempts_.contains(start.handle));
  const uint64_t handle = start.handle;
  const std::string program = start.argv.front();
  Result<std::unique_ptr<AttemptProcess>> process = AttemptProcess::start(
      loop_, link_, std::move(start), [this, handle](core::AttemptReport report) {
        const auto over = attempts_.extract(handle);
        on_finished_(handle, std::move(report));
      });
  if (!process) return refuse(handle, program, process.error().what);
  attempts_.emplace(handle, std::move(*process));
}

void Runner::stop(uint64_t handle) {
  const auto found = attempts_.find(handle);
  if (found != attempts_.end()) found->second->stop();
}

uint64_t Runner::memory_bytes() const {
  uint64_t bytes = 0;
  for (const auto& [handle, attempt] : attempts_) bytes += attempt->memory_bytes();
  return bytes;
}

void Runner::refuse(uint64_t handle, const std::string& program, const std::string& reason) {
  refused_.push_back({handle, {core::CannotStart{program, reason}, {}}});
  refusals_due_.arm(0ms);
}

void Runner::report_refused() {
  if (link_.lost()) return;
  for (Refused& refused : std::exchange(refused_, {})) {
    on_finished_(refused.handle, std::move(refused.report));
  }
}

}  // namespace holdfast::daemon
