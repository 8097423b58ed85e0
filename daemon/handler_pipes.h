// HandlerPipes: standard input, output and error of a handler process, from our side.
//
//    Result<HandlerPipes::Opened> opened = HandlerPipes::open(loop);
//    link.start(handle, ..., std::move(opened->handler_fds), process);
//
// Ownership  its streams; destroying it closes them. Threads  the loop's.
// Failure    no descriptor left: an error, and nothing stays open.
#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "daemon/spawner/fd.h"
#include "daemon/uv/stream.h"
#include "storage/base/result.h"

namespace holdfast::daemon {

struct HandlerPipes {
  struct Pipe {
    std::unique_ptr<uv::Stream> stream;
    int fd = -1;  // the stream's

    // Takes out what is in it now and no more: a process that escaped its group may hold
    // the other end open, and write, for ever.
    void drain(const std::function<void(std::string_view bytes)>& take);
  };
  Pipe input;   // the handler's: we write
  Pipe output;  // we read
  Pipe log;     // we read

  struct Opened;
  static Result<Opened> open(uv::Loop& loop);
};

struct HandlerPipes::Opened {
  HandlerPipes pipes;
  std::vector<spawner::Fd> handler_fds;  // standard input, output, error
};

// The last bytes of standard error, as many as are kept.
void append_log_tail(std::string& tail, std::string_view bytes);

}  // namespace holdfast::daemon
