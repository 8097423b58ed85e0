#include "daemon/attempt_process.h"

#include <algorithm>
#include <chrono>
#include <csignal>

#include "storage/base/check.h"

namespace holdfast::daemon {
namespace {

// A handler that fills its pipes waits as long at most; one that has ended by then was
// never looked at in between.
constexpr Duration kUnreadTimeMax = std::chrono::milliseconds{10};

}  // namespace

AttemptProcess::AttemptProcess(uv::Loop& loop, SpawnerLink& link, const AttemptStart& start,
                               HandlerPipes pipes, OnOver on_over)
    : result_bytes_max_(start.result_bytes_max),
      timeout_(start.timeout),
      began_(loop.monotonic()),
      kill_grace_(start.kill_grace),
      loop_(loop),
      link_(link),
      handle_(link.new_handle()),
      program_(start.argv.front()),
      on_over_(std::move(on_over)),
      timer_(loop, [this] { time_is_up(); }),
      pipes_(std::move(pipes)) {}

Result<std::unique_ptr<AttemptProcess>> AttemptProcess::start(uv::Loop& loop, SpawnerLink& link,
                                                              AttemptStart start, OnOver on_over) {
  CHECK(!start.argv.empty());
  Result<HandlerPipes::Opened> opened = HandlerPipes::open(loop);
  if (!opened) return opened.error();
  std::unique_ptr<AttemptProcess> process{
      new AttemptProcess{loop, link, start, std::move(opened->pipes), std::move(on_over)}};
  const Result<> sent =
      link.start({process->handle_, std::move(start.argv), std::move(start.environment),
                  std::move(start.working_directory)},
                 std::move(opened->handler_fds), *process);
  if (!sent) return sent.error();
  AttemptProcess* running = process.get();
  running->feed(std::move(start.payload));
  running->timer_.arm(std::min(kUnreadTimeMax, start.timeout));
  return process;
}

// A handler need not read its payload: then the pipe breaks, and nothing is wrong.
void AttemptProcess::feed(std::shared_ptr<const std::string> payload) {
  CHECK(payload != nullptr);
  if (pipes_.input.fill(*payload)) return;
  payload_bytes_ = payload->size();
  pipes_.input.stream().write_shared(std::move(payload));
  pipes_.input.stream().close_after_writes();
}

void AttemptProcess::read_outputs() {
  if (pipes_.output.has_stream()) return;
  pipes_.output.stream().read_start([this](std::string_view bytes) { take_output(bytes); },
                                    [](bool) {});
  pipes_.log.stream().read_start(
      [this](std::string_view bytes) { append_log_tail(log_tail_, bytes); }, [](bool) {});
}

void AttemptProcess::stop() { end_because(core::Stopped{}); }

void AttemptProcess::end_because(core::Outcome verdict) {
  if (verdict_) return;
  verdict_ = std::move(verdict);
  if (over_) return;
  read_outputs();
  timer_.arm(kill_grace_);
  link_.kill(handle_, SIGTERM);
}

Duration AttemptProcess::timeout_left() const {
  return timeout_ - std::chrono::floor<Duration>(loop_.monotonic() - began_);
}

void AttemptProcess::time_is_up() {
  if (verdict_) {
    link_.kill(handle_, SIGKILL);
  } else if (const Duration left = timeout_left(); left > Duration{0}) {
    read_outputs();
    timer_.arm(left);
  } else {
    end_because(core::TimedOut{timeout_});
  }
}

// Too much output is still read, and thrown away: a handler that hangs in a write could
// not see to its SIGTERM.
void AttemptProcess::take_output(std::string_view bytes) {
  if (verdict_ && std::holds_alternative<core::ResultTooLarge>(*verdict_)) return;
  if (bytes.size() > result_bytes_max_ - result_.size()) {
    std::string{}.swap(result_);  // an assignment would keep the memory
    end_because(core::ResultTooLarge{result_bytes_max_});
    return;
  }
  make_room(result_.size() + bytes.size());
  result_ += bytes;
}

// Doubles as a string does, but not beyond what may come: the attempt was started because
// so much was free. A new string, because an old one cannot be told to double no more.
void AttemptProcess::make_room(size_t result_bytes) {
  if (result_bytes <= result_.capacity()) return;
  std::string larger;
  larger.reserve(std::min<uint64_t>(std::max(result_bytes, 2 * result_.size()),
                                    result_bytes_max_));
  larger += result_;
  result_.swap(larger);
}

void AttemptProcess::process_ended(const spawner::Ended& ended) {
  over_ = true;
  timer_.disarm();
  if (pipes_.output.has_stream()) {
    pipes_.output.stream().read_stop();
    pipes_.log.stream().read_stop();
  }
  pipes_.output.drain([this](std::string_view bytes) { take_output(bytes); });
  pipes_.log.drain([this](std::string_view bytes) { append_log_tail(log_tail_, bytes); });
  core::Outcome outcome = outcome_of(ended);
  const OnOver on_over = std::move(on_over_);
  on_over({std::move(outcome), std::move(log_tail_)});
}

core::Outcome AttemptProcess::outcome_of(const spawner::Ended& ended) {
  const bool succeeded = !ended.by_signal && ended.code == 0;
  if (verdict_) {
    const bool too_large = std::holds_alternative<core::ResultTooLarge>(*verdict_);
    if (too_large || ended.kill_reached || !succeeded) return std::move(*verdict_);
  }
  if (succeeded) return core::Succeeded{std::move(result_)};
  if (ended.by_signal) return core::Signaled{ended.code};
  return core::Exited{ended.code};
}

void AttemptProcess::process_cannot_start(const std::string& reason) {
  over_ = true;
  timer_.disarm();
  core::Outcome outcome = core::CannotStart{program_, reason};
  if (verdict_) outcome = std::move(*verdict_);
  const OnOver on_over = std::move(on_over_);
  on_over({std::move(outcome), {}});
}

uint64_t AttemptProcess::memory_bytes() const {
  const uint64_t unfed = pipes_.input.bytes_unwritten() > 0 ? payload_bytes_ : 0;
  return unfed + result_.capacity() + log_tail_.capacity();
}

}  // namespace holdfast::daemon
