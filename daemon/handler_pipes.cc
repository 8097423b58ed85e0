#include "daemon/handler_pipes.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <string>
#include <utility>

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

}  // namespace

bool HandlerPipes::Pipe::fill(std::string_view bytes) {
  CHECK(end_);
  if (bytes.size() > PIPE_BUF) {  // which is the least that a pipe can hold
    const int room = ::fcntl(number_, F_GETPIPE_SZ);
    if (room < 0 || bytes.size() > static_cast<size_t>(room)) return false;
  }
  // It fails if the handler is gone already, and then it need not succeed.
  while (!bytes.empty() && ::write(number_, bytes.data(), bytes.size()) < 0 && errno == EINTR) {
  }
  end_.reset();
  return true;
}

uv::Stream& HandlerPipes::Pipe::stream() {
  if (stream_ == nullptr) {
    CHECK(end_);
    Result<std::unique_ptr<uv::Stream>> adopted = uv::Stream::adopt(loop_, end_.release());
    CHECK(adopted);  // which an open end of a pipe always is
    stream_ = std::move(*adopted);
  }
  return *stream_;
}

void HandlerPipes::Pipe::drain(const std::function<void(std::string_view bytes)>& take) {
  int left_bytes = 0;
  if (::ioctl(number_, FIONREAD, &left_bytes) != 0) return;
  char piece[16u << 10];
  while (left_bytes > 0) {
    const size_t wanted = std::min(sizeof piece, static_cast<size_t>(left_bytes));
    const ssize_t count = ::read(number_, piece, wanted);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return;
    take(std::string_view{piece, static_cast<size_t>(count)});
    left_bytes -= static_cast<int>(count);
  }
}

Result<HandlerPipes::Opened> HandlerPipes::open(uv::Loop& loop) {
  Result<PipeEnds> input = make_pipe();
  if (!input) return input.error();
  Result<PipeEnds> output = make_pipe();
  if (!output) return output.error();
  Result<PipeEnds> log = make_pipe();
  if (!log) return log.error();

  Opened opened{{Pipe{loop, std::move(input->write)}, Pipe{loop, std::move(output->read)},
                 Pipe{loop, std::move(log->read)}},
                {}};
  opened.handler_fds.push_back(std::move(input->read));
  opened.handler_fds.push_back(std::move(output->write));
  opened.handler_fds.push_back(std::move(log->write));
  return opened;
}

void append_log_tail(std::string& tail, std::string_view bytes) {
  tail += bytes;
  if (tail.size() > storage::kLogTailBytesMax) {
    tail.erase(0, tail.size() - storage::kLogTailBytesMax);
  }
}

}  // namespace holdfast::daemon
