#include "daemon/uv/stream.h"

#include <sys/socket.h>
#include <unistd.h>

#include <optional>
#include <utility>

#include "daemon/uv/handles.h"
#include "storage/base/check.h"

namespace holdfast::uv {

struct Stream::State : HandleState<uv_pipe_t> {
  Loop::State* loop = nullptr;
  std::optional<Peer> peer;
  OnBytes on_bytes;
  OnEnd on_end;
  std::function<void()> on_drained;
  bool ended = false;           // on_end has been called
  bool write_failed = false;    // nothing written can arrive any more
  bool closes_drained = false;  // close_after_writes() waits for the last write
  bool closed = false;          // the close callback has come
  bool released = false;        // the Stream is gone

  uv_stream_t* stream() { return reinterpret_cast<uv_stream_t*>(&handle); }
  bool closing() { return uv_is_closing(base()) != 0; }

  void end(bool clean);
  void read_start();
  void close();
  bool drops(std::string_view bytes) {
    return bytes.empty() || write_failed || closes_drained || closing();
  }
  size_t write_now(std::string_view bytes);
  void write_later(std::unique_ptr<PendingWrite> pending, size_t taken_bytes);
  void write_finished(int status);
};

// The bytes of one write that libuv could not finish at once, until it has.
struct Stream::PendingWrite {
  uv_write_t request;
  std::string own;
  std::shared_ptr<const std::string> shared;
  State* state = nullptr;

  std::string_view bytes() const { return shared ? *shared : own; }
};

namespace {

// libuv only reads what it writes; its buffers are not const for reading's sake.
uv_buf_t buffer_of(std::string_view bytes) {
  return uv_buf_init(const_cast<char*>(bytes.data()), static_cast<unsigned>(bytes.size()));
}

}  // namespace

void Stream::State::end(bool clean) {
  // After a failed read libuv refuses writes too.
  if (!clean) write_failed = true;
  if (ended || released || closing()) return;
  ended = true;
  uv_read_stop(stream());
  if (on_end) on_end(clean);
}

void Stream::State::read_start() {
  if (ended || closing()) return;
  const auto lend = [](uv_handle_t* reader, size_t, uv_buf_t* buffer) noexcept {
    auto& lent = static_cast<State*>(reader->data)->loop->read_buffer;
    *buffer = uv_buf_init(lent.data(), static_cast<unsigned>(lent.size()));
  };
  const auto arrived = [](uv_stream_t* reader, ssize_t count, const uv_buf_t* buffer) noexcept {
    auto* state = static_cast<State*>(reader->data);
    if (count > 0) {
      state->on_bytes(std::string_view{buffer->base, static_cast<size_t>(count)});
    } else if (count < 0) {
      state->end(count == UV_EOF);
    }
  };
  // Already reading is fine; anything else means that this end cannot be read.
  const int started = uv_read_start(stream(), lend, arrived);
  CHECK(started == 0 || started == UV_EALREADY);
}

void Stream::State::close() {
  if (closing()) return;
  uv_close(base(), [](uv_handle_t* closing_handle) noexcept {
    auto* state = static_cast<State*>(closing_handle->data);
    state->closed = true;
    if (state->released) delete state;
  });
}

// Refuses to overtake what waits already. Another failure comes back from
// uv_write() through its callback, so that on_end never runs inside a call.
size_t Stream::State::write_now(std::string_view bytes) {
  const uv_buf_t all = buffer_of(bytes);
  const int taken = uv_try_write(stream(), &all, 1);
  return taken > 0 ? static_cast<size_t>(taken) : 0;
}

void Stream::State::write_later(std::unique_ptr<PendingWrite> pending, size_t taken_bytes) {
  PendingWrite* given = pending.release();
  given->state = this;
  given->request.data = given;
  const uv_buf_t rest = buffer_of(given->bytes().substr(taken_bytes));
  const auto written = [](uv_write_t* request, int status) noexcept {
    const std::unique_ptr<PendingWrite> done{static_cast<PendingWrite*>(request->data)};
    done->state->write_finished(status);
  };
  // Refused at once is only an end that was never writable.
  CHECK(uv_write(&given->request, stream(), &rest, 1, written) == 0);
}

void Stream::State::write_finished(int status) {
  if (status < 0) {
    if (closes_drained) close();
    end(false);
    return;
  }
  if (uv_stream_get_write_queue_size(stream()) != 0) return;
  if (closes_drained) {
    close();
  } else if (!released && on_drained) {
    on_drained();
  }
}

Result<std::unique_ptr<Stream>> Stream::adopt(Loop& loop, int fd) {
  auto* state = new State;
  CHECK(uv_pipe_init(raw(loop), &state->handle, 0) == 0);
  state->handle.data = state;
  state->loop = &loop.state();
  std::unique_ptr<Stream> stream{new Stream{state}};
  if (const int opened = uv_pipe_open(&state->handle, fd); opened != 0) {
    ::close(fd);
    return Error{Errc::io, std::string{"cannot use a connection: "} + uv_strerror(opened)};
  }
  ucred credentials{};
  socklen_t bytes = sizeof credentials;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &bytes) == 0) {
    state->peer = Peer{credentials.uid, credentials.gid, credentials.pid};
  }
  return stream;
}

Stream::~Stream() {
  state_->released = true;
  if (state_->closed) {
    delete state_;
  } else {
    state_->close();
  }
}

void Stream::read_start(OnBytes on_bytes, OnEnd on_end) {
  CHECK(on_bytes != nullptr);
  state_->on_bytes = std::move(on_bytes);
  state_->on_end = std::move(on_end);
  state_->read_start();
}

void Stream::read_stop() { uv_read_stop(state_->stream()); }

void Stream::read_resume() {
  CHECK(state_->on_bytes != nullptr);
  state_->read_start();
}

void Stream::on_end(OnEnd on_end) { state_->on_end = std::move(on_end); }

void Stream::on_drained(std::function<void()> on_drained) {
  state_->on_drained = std::move(on_drained);
}

void Stream::write(std::string bytes) { write_out(bytes); }

void Stream::write_out(std::string& bytes) {
  const size_t taken_bytes = state_->drops(bytes) ? bytes.size() : state_->write_now(bytes);
  if (taken_bytes < bytes.size()) {
    auto pending = std::make_unique<PendingWrite>();
    pending->own = std::exchange(bytes, {});
    state_->write_later(std::move(pending), taken_bytes);
  }
  bytes.clear();
}

void Stream::write_shared(std::shared_ptr<const std::string> bytes) {
  if (state_->drops(*bytes)) return;
  const size_t taken_bytes = state_->write_now(*bytes);
  if (taken_bytes == bytes->size()) return;
  auto pending = std::make_unique<PendingWrite>();
  pending->shared = std::move(bytes);
  state_->write_later(std::move(pending), taken_bytes);
}

size_t Stream::bytes_unwritten() const {
  return state_->closing() ? 0 : uv_stream_get_write_queue_size(state_->stream());
}

void Stream::close_after_writes() {
  read_stop();
  if (bytes_unwritten() == 0 || state_->write_failed) {
    state_->close();
  } else {
    state_->closes_drained = true;
  }
}

Peer Stream::peer() const {
  CHECK(state_->peer.has_value());
  return *state_->peer;
}

}  // namespace holdfast::uv
