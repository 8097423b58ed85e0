#include "daemon/attempt_process.h"

#include <fcntl.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "storage/base/check.h"
#include "storage/limits.h"

namespace holdfast::daemon {
namespace {

using spawner::Fd;

struct PipeEnds {
  Fd read;
  Fd write;
};

Result<PipeEnds> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return Error{Errc::full, std::strerror(errno)};
  return PipeEnds{Fd{ends[0]}, Fd{ends[1]}};
}

// Takes out what is in the pipe now and no more: a process that escaped its group may
// hold the other end open, and write, for ever.
template <class Take>
void drain(int fd, Take take) {
  int left_bytes = 0;
  if (::ioctl(fd, FIONREAD, &left_bytes) != 0) return;
  char piece[16u << 10];
  while (left_bytes > 0) {
    const size_t wanted = std::min(sizeof piece, static_cast<size_t>(left_bytes));
    const ssize_t count = ::read(fd, piece, wanted);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return;
    take(std::string_view{piece, static_cast<size_t>(count)});
    left_bytes -= static_cast<int>(count);
  }
}

}  // namespace

AttemptProcess::AttemptProcess(uv::Loop& loop, const AttemptStart& start, SendSignal send_signal)
    : result_bytes_max_(start.result_bytes_max),
      timeout_(start.timeout),
      kill_grace_(start.kill_grace),
      send_signal_(std::move(send_signal)),
      timer_(loop, [this] { time_is_up(); }) {}

Result<AttemptProcess::Pipe> AttemptProcess::adopt(uv::Loop& loop, Fd fd) {
  const int number = fd.number();
  Result<std::unique_ptr<uv::Stream>> stream = uv::Stream::adopt(loop, fd.release());
  if (!stream) return stream.error();
  return Pipe{std::move(*stream), number};
}

Result<AttemptProcess::Opened> AttemptProcess::open(uv::Loop& loop, const AttemptStart& start,
                                                    SendSignal send_signal) {
  Result<PipeEnds> input = make_pipe();
  if (!input) return input.error();
  Result<PipeEnds> output = make_pipe();
  if (!output) return output.error();
  Result<PipeEnds> log = make_pipe();
  if (!log) return log.error();

  Result<Pipe> feeding = adopt(loop, std::move(input->write));
  if (!feeding) return feeding.error();
  Result<Pipe> collecting = adopt(loop, std::move(output->read));
  if (!collecting) return collecting.error();
  Result<Pipe> logging = adopt(loop, std::move(log->read));
  if (!logging) return logging.error();

  Opened opened;
  opened.process.reset(new AttemptProcess{loop, start, std::move(send_signal)});
  opened.handler_fds.push_back(std::move(input->read));
  opened.handler_fds.push_back(std::move(output->write));
  opened.handler_fds.push_back(std::move(log->write));

  AttemptProcess* process = opened.process.get();
  process->input_ = std::move(*feeding);
  process->output_ = std::move(*collecting);
  process->log_ = std::move(*logging);
  process->output_.stream->read_start(
      [process](std::string_view bytes) { process->take_output(bytes); }, [](bool) {});
  process->log_.stream->read_start([process](std::string_view bytes) { process->take_log(bytes); },
                                   [](bool) {});
  process->feed(start.payload);
  process->timer_.arm(start.timeout);
  return opened;
}

// A handler need not read its payload: then the pipe breaks, and nothing is wrong.
void AttemptProcess::feed(std::shared_ptr<const std::string> payload) {
  CHECK(payload != nullptr);
  payload_bytes_ = payload->size();
  input_.stream->write_shared(std::move(payload));
  input_.stream->close_after_writes();
}

void AttemptProcess::stop() { end_because(core::Stopped{}); }

void AttemptProcess::end_because(core::Outcome verdict) {
  if (verdict_) return;
  verdict_ = std::move(verdict);
  if (over_) return;
  timer_.arm(kill_grace_);
  send_signal_(SIGTERM);
}

void AttemptProcess::time_is_up() {
  if (verdict_) {
    send_signal_(SIGKILL);
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

void AttemptProcess::take_log(std::string_view bytes) {
  log_tail_ += bytes;
  if (log_tail_.size() > storage::kLogTailBytesMax) {
    log_tail_.erase(0, log_tail_.size() - storage::kLogTailBytesMax);
  }
}

core::AttemptReport AttemptProcess::ended(const spawner::Ended& ended) {
  over_ = true;
  timer_.disarm();
  output_.stream->read_stop();
  log_.stream->read_stop();
  drain(output_.fd, [this](std::string_view bytes) { take_output(bytes); });
  drain(log_.fd, [this](std::string_view bytes) { take_log(bytes); });
  core::Outcome outcome = outcome_of(ended);
  return {std::move(outcome), std::move(log_tail_)};
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

core::AttemptReport AttemptProcess::never_started(core::CannotStart reason) {
  over_ = true;
  timer_.disarm();
  if (verdict_) return {std::move(*verdict_), {}};
  return {std::move(reason), {}};
}

uint64_t AttemptProcess::memory_bytes() const {
  const uint64_t unfed = input_.stream->bytes_unwritten() > 0 ? payload_bytes_ : 0;
  return unfed + result_.capacity() + log_tail_.capacity();
}

}  // namespace holdfast::daemon
