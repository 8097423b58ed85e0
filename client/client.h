// Client: one connection to holdfastd. Calls block; tickets pipeline.
//
//    auto client = Client::connect("/run/holdfast/holdfast.sock");
//    if (!client) return complain(client.error().message);
//
//    InvokeEvent event{.function_name = "resize", .payload = "cat.png", .idempotency_key =
//    "cat-1"}; auto reply = client->call(event); if (!reply && reply.error().kind ==
//    FailureKind::unknown) ...  // connect again, send it again
//
//    auto first = client->send(event);                 // many may be on their way;
//    auto second = client->send(GetEvent{id});         // the replies come in any order
//    auto answer = client->wait(*second);              // each ticket is waited for once
//
// Ownership  A Client owns its socket. A Client that was moved from may only be
//            destroyed or assigned to.
// Threads    One at a time.
// Failure    A Failure, never an exception. Once the connection is lost every
//            later send() is unreachable and every open ticket is unknown, but
//            for the replies that had arrived. Nothing is ever sent again by
//            itself: only the caller knows whether a request has a key.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <msgpack.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "client/answer.h"
#include "client/operations.h"
#include "client/wire/message.h"
#include "storage/base/time.h"

namespace holdfast::client {

inline constexpr std::string_view kSocketPathDefault = "/run/holdfast/holdfast.sock";

// Tickets that have been sent and not been waited for. send() refuses beyond it,
// because their replies would gather here without a bound.
inline constexpr size_t kTicketsMax = 65536;

// A request on its way, whose answer is a Reply.
template <class Reply>
struct Ticket {
  uint32_t msgid;
};

using RawReply = msgpack::object_handle;

template <class T>
concept Operation = requires(const T& operation, wire::MapWriter& params) {
  typename T::Reply;
  operation.pack(params);
  T::kMethod;
};

class Client {
 public:
  static Answer<Client> connect(const std::string& socket_path);
  // Takes a connected stream socket.
  explicit Client(int socket);
  ~Client();
  Client(Client&& other) noexcept;
  Client& operator=(Client&& other) noexcept;

  // The longest time wait() and call() go without their answer; then the
  // connection is given up. Zero, the default: for ever.
  void set_reply_timeout(Duration timeout) { reply_timeout_ = timeout; }

  template <Operation T>
  Answer<Ticket<typename T::Reply>> send(const T& operation) {
    auto ticket = send(T::kMethod, [&](wire::MapWriter& params) { operation.pack(params); });
    if (!ticket) return ticket.error();
    return Ticket<typename T::Reply>{ticket->msgid};
  }

  template <class Reply>
  Answer<Reply> wait(Ticket<Reply> ticket) {
    Answer<RawReply> raw = wait(Ticket<RawReply>{ticket.msgid});
    if (!raw) return raw.error();
    std::optional<Reply> reply = Reply::unpack(raw->get());
    if (!reply) return unreadable();
    return std::move(*reply);
  }

  template <Operation T>
  Answer<typename T::Reply> call(const T& operation) {
    auto ticket = send(operation);
    if (!ticket) return ticket.error();
    return wait(*ticket);
  }

  // Any operation, also one that this library does not know.
  using PackParams = std::function<void(wire::MapWriter&)>;
  Answer<Ticket<RawReply>> send(std::string_view method, const PackParams& pack_params);
  Answer<RawReply> wait(Ticket<RawReply> ticket);
  Answer<RawReply> call(std::string_view method, const PackParams& pack_params);

 private:
  using Moment = std::optional<int64_t>;  // by CLOCK_MONOTONIC, in milliseconds; empty: never

  uint32_t unused_msgid();
  Answer<Ticket<RawReply>> send_bytes(uint32_t msgid, std::string_view bytes);
  bool wait_for_socket(short events, Moment until);
  void read_replies();
  void take_reply(wire::Reply reply);
  void lose(std::string reason);
  void close_socket();
  Moment timeout_from_now() const;
  static Failure unreadable();

  int socket_ = -1;
  Duration reply_timeout_{0};
  uint32_t last_msgid_ = 0;
  std::set<uint32_t> open_;                       // sent, no reply yet
  std::map<uint32_t, Answer<RawReply>> arrived_;  // replied, not waited for
  wire::ReplyReader reader_;
  bool writable_ = true;             // false: a write failed, replies may still come
  std::optional<std::string> lost_;  // why no further reply can come
  std::optional<wire::CallError> told_;  // what the daemon said of it, to no request
};

}  // namespace holdfast::client
