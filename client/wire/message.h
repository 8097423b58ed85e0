// Requests and replies as bytes.
//
//   request  [0, msgid, method, [] | [params]]
//   reply    [1, msgid, nil | {Type, Message}, result | nil]
//   push     [2, method, [params]]      from the daemon to a worker only
//
// The daemon reads requests and writes replies:
//
//    reader.feed(bytes);
//    while (true) {
//      auto next = reader.next();
//      if (auto* request = std::get_if<Request>(&next)) ...
//      else if (auto* fault = std::get_if<Fault>(&next)) ...  // one error reply, then close
//      else break;                                            // NeedMore
//    }
//
//    ReplyWriter reply{out, msgid};
//    reply.map().text("RequestId", id).number("StatusCode", 202);
//
// A client does the opposite with encode_request() and ReplyReader. Pushes are
// written with PushWriter; a worker reads them with WorkerReader, between replies.
//
// Ownership  A Request points into its reader, and is good until that is asked, fed or
//            told to let_go(); Reply and Push own what they hold. The daemon copies once
//            what it keeps, and its requests are many; a client waits for one reply at a
//            time.
// Threads    One at a time per object.
// Failure    A Fault; after it the reader gives the same Fault for ever. No
//            exception of msgpack leaves this folder.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <msgpack.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "client/wire/frame_buffer.h"
#include "client/wire/writer.h"

namespace holdfast::wire {

struct Request {
  uint32_t msgid;
  std::string_view method;
  msgpack::object params;  // always a map. Whether a key stands in it twice is not looked at
  size_t bytes;            // of the whole request
};

// Error types that the readers themselves know; the others belong to the daemon.
inline constexpr std::string_view kInvalidRequestContent = "InvalidRequestContentException";
inline constexpr std::string_view kRequestTooLarge = "RequestTooLargeException";

// An error as it stands in a reply: programs act on `type`, people read `message`.
struct CallError {
  std::string type;
  std::string message;
};

// The bytes are no request, or more than one request may have.
struct Fault {
  uint32_t msgid;  // 0 if not known
  std::string message;
  std::string_view type = kInvalidRequestContent;
};

class RequestReader {
 public:
  // What an idle connection keeps for maps and arrays: enough for most requests.
  static constexpr size_t kContainersBytes = 1024;

  void feed(std::string_view bytes) {
    if (!fault_) buffer_.feed(bytes);
  }
  std::variant<NeedMore, Request, Fault> next();

  // Keeps kContainersBytes of what the last request had, however large it was. next() does
  // so, too; this is for who does not ask again soon.
  void let_go() { containers_.clear(); }

  size_t buffered_bytes() const { return buffer_.rest_bytes(); }

 private:
  // The request that is wholly there, in one pass; empty: look at it bit by bit.
  std::optional<std::variant<NeedMore, Request, Fault>> next_at_once();

  FrameBuffer buffer_{kRequestLimits};
  msgpack::zone containers_{kContainersBytes};  // maps and arrays of the last request
  std::optional<Fault> fault_;
};

struct Reply {
  uint32_t msgid;
  std::variant<msgpack::object_handle, CallError> answer;
};

class ReplyReader {
 public:
  void feed(std::string_view bytes) {
    if (!fault_) buffer_.feed(bytes);
  }
  std::variant<NeedMore, Reply, Fault> next();

 private:
  FrameBuffer buffer_{kReplyLimits};
  std::optional<Fault> fault_;
};

// A notification of the daemon's. A plain client has asked for none and takes it for a Fault.
struct Push {
  std::string method;
  msgpack::object_handle params;  // always a map
};

// Replies and pushes mixed, as a worker gets them.
class WorkerReader {
 public:
  void feed(std::string_view bytes) {
    if (!fault_) buffer_.feed(bytes);
  }
  std::variant<NeedMore, Reply, Push, Fault> next();

 private:
  FrameBuffer buffer_{kReplyLimits};
  std::optional<Fault> fault_;
};

// The head of a request: exactly one map must follow.
void begin_request(std::string& out, uint32_t msgid, std::string_view method);

std::string encode_request(uint32_t msgid, std::string_view method, const msgpack::object& params);

// pack_params(MapWriter&) writes the fields.
template <std::invocable<MapWriter&> PackParams>
std::string encode_request(uint32_t msgid, std::string_view method, PackParams&& pack_params) {
  std::string out;
  begin_request(out, msgid, method);
  MapWriter params{out};
  std::forward<PackParams>(pack_params)(params);
  return out;
}

void append_error_reply(std::string& out, uint32_t msgid, const CallError& error);

// A reply with a result. Call map(), or append exactly one value to result().
class ReplyWriter {
 public:
  ReplyWriter(std::string& out, uint32_t msgid);

  MapWriter map() { return MapWriter{out_}; }
  std::string& result() { return out_; }

 private:
  std::string& out_;
};

// A push. Call map() once.
class PushWriter {
 public:
  PushWriter(std::string& out, std::string_view method);

  MapWriter map() { return MapWriter{out_}; }

 private:
  std::string& out_;
};

// The value of a field of a map, or null. When a key stands in the map twice it
// is the first.
const msgpack::object* find(const msgpack::object& map, std::string_view key);

// Texts and bytes as a view into the object; empty for every other type.
std::optional<std::string_view> as_text(const msgpack::object& object);   // str
std::optional<std::string_view> as_bytes(const msgpack::object& object);  // str or bin
std::optional<int64_t> as_int(const msgpack::object& object);

}  // namespace holdfast::wire
