#include "daemon/handler_pipes.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

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

Result<HandlerPipes::Pipe> adopt(uv::Loop& loop, Fd fd) {
  const int number = fd.number();
  Result<std::unique_ptr<uv::Stream>> stream = uv::Stream::adopt(loop, fd.release());
  if (!stream) return stream.error();
  return HandlerPipes::Pipe{std::move(*stream), number};
}

}  // namespace

void HandlerPipes::Pipe::drain(const std::function<void(std::string_view bytes)>& take) {
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

Result<HandlerPipes::Opened> HandlerPipes::open(uv::Loop& loop) {
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

  Opened opened{{std::move(*feeding), std::move(*collecting), std::move(*logging)}, {}};
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
