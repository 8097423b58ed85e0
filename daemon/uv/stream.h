// Stream: one end of a connected Unix socket or of a pipe, and what waits to be
// written to it.
//
//    stream->read_start([&](std::string_view bytes) { reader.feed(bytes); },
//                       [&](bool clean) { close_session(); });
//    stream->write(std::move(replies));
//
// Writing goes out at once as far as the kernel takes it; the rest is kept here
// until it does. Nothing bounds that rest: look at bytes_unwritten().
//
// Ownership  Its own descriptor. Destroying it closes at once: what was not
//            written is dropped, no callback comes any more. Allowed in its own
//            callbacks.
// Threads    The loop's.
// Failure    on_end, at most once, and always from the loop, never from inside a
//            call: clean when the other end finished writing, not clean when
//            reading or writing failed. From a failure on, bytes to write are
//            dropped in silence.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "daemon/uv/loop.h"
#include "storage/base/result.h"

namespace holdfast::uv {

// Who is at the other end, as the kernel saw it when they connected.
struct Peer {
  uid_t uid;
  gid_t gid;
  pid_t pid;

  bool operator==(const Peer&) const = default;
};

class Stream {
 public:
  using OnBytes = std::function<void(std::string_view bytes)>;
  using OnEnd = std::function<void(bool clean)>;

  // Takes over a connected socket or a pipe end, and closes it if that fails.
  static Result<std::unique_ptr<Stream>> adopt(Loop& loop, int fd);

  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // Hands out what arrives, in pieces that live until on_bytes returns.
  void read_start(OnBytes on_bytes, OnEnd on_end);

  // No on_bytes until read_resume(); the other end soon cannot write any more.
  // Its going away is not noticed meanwhile, unless by a failing write.
  void read_stop();
  void read_resume();

  // For a stream that is only written to.
  void on_end(OnEnd on_end);

  // Called when everything has been written that had to wait, so not after a
  // write() that went out at once.
  void on_drained(std::function<void()> on_drained);

  void write(std::string bytes);
  // Leaves `bytes` empty, with their memory if the socket took them all at once.
  void write_out(std::string& bytes);

  // The same bytes to one reader or to several, without a copy.
  void write_shared(std::shared_ptr<const std::string> bytes);

  size_t bytes_unwritten() const;

  // Closes when everything is written: the other end of a pipe reads it all, then
  // end of file. Nothing more is read or written, and no callback comes any more.
  void close_after_writes();

  // Sockets only.
  Peer peer() const;

 private:
  struct State;
  struct PendingWrite;
  explicit Stream(State* state) : state_(state) {}

  State* state_;
};

}  // namespace holdfast::uv
