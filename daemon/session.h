// Session: one client connection and its buffers. It cuts what arrives into
// requests, and sends the replies.
//
//    Session session{id, std::move(stream), limits, on_request, on_closed, memory};
//    session.append_reply(bytes);  // once for each request, in any order
//    session.flush();              // once per turn: one write for all of them
//
// Rule    Beyond requests_in_flight_max nothing is decoded and the socket is not
//         read; it goes on with take_requests() when replies have left.
// Reason  The client then waits in its own write, which costs us nothing.
//
// Rule    A client behind whose current reply more than unread_bytes_max wait is
//         closed. The reply that is being sent does not count.
// Reason  Somebody who never reads must not hold our memory; yet one large reply
//         is no sign of that, and would close every connection it is sent on.
//
// Rule    unsent_bytes_stalled() tells what waits for a client that took nothing since the
//         last mark_progress().
// Reason  The rule above spares the reply that is being sent, however long that takes. A
//         few clients that stop reading may do so until memory is short, and no longer.
//
// Rule    Bytes that are no request are answered at once; the connection closes
//         when the requests before them are answered. Until then what else arrives
//         is read and thrown away.
// Reason  After garbage nobody knows where the next request begins. Reading on
//         tells when the client goes away.
//
// Rule    A client that ends its sending side is gone, and the session closes.
// Reason  A vanished client looks the same, and must not keep a connection.
//
// Rule    Closing cancels no request. Replies that come later are dropped.
// Reason  An accepted event is a promise, whether or not its client still listens.
//
// Ownership  The Server's. on_closed may come out of every call here; inside it,
//            and inside on_request, the Session must not be destroyed.
// Threads    The loop's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "client/wire/message.h"
#include "daemon/uv/stream.h"
#include "storage/base/strong.h"

namespace holdfast::daemon {

// Never used again while the daemon runs, so a late reply cannot reach a stranger.
using SessionId = Strong<struct SessionIdTag, uint64_t>;

inline constexpr size_t kUnreadBytesMax = 4u << 20;

// Root, and the daemon's own user.
bool is_admin(const uv::Peer& peer);

struct SessionLimits {
  uint32_t requests_in_flight_max;
  size_t unread_bytes_max = kUnreadBytesMax;
};

class Session {
 public:
  using OnRequest = std::function<void(SessionId, const wire::Request&)>;
  using OnClosed = std::function<void(SessionId)>;

  // Keeps its own share of memory_total up to date.
  Session(SessionId id, std::unique_ptr<uv::Stream> stream, const SessionLimits& limits,
          OnRequest on_request, OnClosed on_closed, size_t& memory_total);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  SessionId id() const { return id_; }
  const uv::Peer& peer() const { return peer_; }

  // One encoded reply: one request less in flight.
  void append_reply(std::string_view bytes);

  // One encoded push: it answers nothing.
  void append_push(std::string_view bytes);

  // Bytes of a request in flight that somebody else counts from now on.
  void hand_over(size_t bytes);

  // Sends what was appended, unless an earlier write still waits: then it follows
  // by itself.
  void flush();

  // Between pause() and resume() nothing is read or decoded.
  void pause();
  void resume();

  // Requests that came earlier wait here, or in the socket, and may be taken now.
  bool can_take_requests() const;

  // Hands them to on_request as far as the limits allow, and reads on after that.
  void take_requests();

  void set_requests_in_flight_max(uint32_t limit) { limits_.requests_in_flight_max = limit; }

  // Replies that are not wholly in the kernel's hands.
  size_t unsent_bytes() const;

  // From here on progress is measured; the bytes that wait, if none has gone out since.
  void mark_progress();
  size_t unsent_bytes_stalled() const;

  // Input of which no whole request has been made yet.
  size_t input_bytes() const { return reader_.buffered_bytes(); }

  // Gives that input up, and the connection after it, because memory is short. The
  // requests in flight are answered first.
  void shed();

  void close();
  bool closed() const { return phase_ == Phase::closed; }

  // Input not yet decoded, replies not yet sent, and requests in flight.
  size_t memory_bytes() const;

 private:
  enum class Phase : uint8_t {
    open,
    faulted,  // a Fault has been answered; ends after the last reply
    closed,
  };

  bool has_room() const;
  void receive(std::string_view bytes);
  void refuse(const wire::Fault& fault);
  void append(std::string_view bytes);
  void read_or_rest();
  uint64_t sent_bytes() const { return appended_bytes_ - unsent_bytes(); }
  bool reads_too_slowly();
  void count_memory();

  const SessionId id_;
  std::unique_ptr<uv::Stream> stream_;  // empty once closed
  const uv::Peer peer_;
  SessionLimits limits_;
  OnRequest on_request_;
  OnClosed on_closed_;

  Phase phase_ = Phase::open;
  bool paused_ = false;
  bool reading_ = true;
  bool taking_ = false;

  wire::RequestReader reader_;
  uint32_t in_flight_ = 0;
  size_t in_flight_bytes_ = 0;

  std::string output_;
  uint64_t appended_bytes_ = 0;      // in the whole life of the session
  std::deque<uint64_t> reply_ends_;  // appended_bytes_ after each reply not wholly sent
  uint64_t marked_sent_bytes_ = 0;   // sent_bytes() at the last mark_progress()
  bool marked_unsent_ = false;       // whether anything waited then

  size_t& memory_total_;
  size_t memory_counted_ = 0;  // what memory_total_ holds of this session
};

}  // namespace holdfast::daemon
