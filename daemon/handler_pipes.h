// HandlerPipes: standard input, output and error of a handler process, from our side.
//
//    Result<HandlerPipes::Opened> opened = HandlerPipes::open(loop);
//    link.start(handle, ..., std::move(opened->handler_fds), process);
//    if (!pipes.input.fill(*payload)) pipes.input.stream().write_shared(payload);
//
// A pipe holds some 64 KiB, so a handler can begin, and a short one end, without the loop
// looking at its pipes: what needs no stream() costs a write, a read and two closes.
//
// Ownership  its ends; destroying it closes them. Threads  the loop's.
// Failure    no descriptor left: an error, and nothing stays open.
#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/spawner/fd.h"
#include "daemon/uv/stream.h"
#include "storage/base/result.h"

namespace holdfast::daemon {

struct HandlerPipes {
  class Pipe {
   public:
    Pipe(uv::Loop& loop, spawner::Fd end)
        : loop_(loop), number_(end.number()), end_(std::move(end)) {}

    // Puts in all of it and closes, if it is sure that nobody has to wait for that; else
    // false, and nothing is done. Only while nothing was written.
    bool fill(std::string_view bytes);

    // On the loop, from the first call on.
    uv::Stream& stream();
    bool has_stream() const { return stream_ != nullptr; }
    size_t bytes_unwritten() const { return stream_ ? stream_->bytes_unwritten() : 0; }

    // Takes out what is in it now and no more: a process that escaped its group may hold
    // the other end open, and write, for ever.
    void drain(const std::function<void(std::string_view bytes)>& take);

   private:
    uv::Loop& loop_;
    int number_;
    spawner::Fd end_;  // until the stream has it
    std::unique_ptr<uv::Stream> stream_;
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
