// Channel: packets with descriptors over one end of a SOCK_SEQPACKET pair, never
// blocking and never dropping: what the kernel does not take yet is kept here.
//
//    Channel channel{fd};
//    channel.send(encode(start), std::move(fds));
//    if (channel.flush() == Channel::Flushed::until_writable) watch_for_writing();
//
// Ownership  borrows the socket. Owns the descriptors of a queued packet until it
//            is sent, and gives those that arrive to the receiver.
// Bounds     a packet is at most kMessageBytesMax. The queue is bounded by the
//            attempts that run: a few packets each.
// Failure    `closed` when the other end is gone; it stays so.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "daemon/spawner/fd.h"
#include "storage/base/result.h"

namespace holdfast::spawner {

struct Packet {
  std::string bytes;
  std::vector<Fd> fds;
};

// A connected pair whose buffers take the largest packet; both ends close on exec.
struct SocketPair {
  Fd here;
  Fd there;
};
Result<SocketPair> make_socket_pair();

class Channel {
 public:
  explicit Channel(int socket);

  enum class Flushed {
    all,             // nothing is queued
    until_writable,  // the socket is full: call again when it is writable
    for_a_moment,    // the kernel is short of something that no poll reports: call again soon
    closed,
  };
  void send(std::string bytes, std::vector<Fd> fds = {});
  Flushed flush();
  bool idle() const { return queue_.empty(); }

  // Descriptors that this process had no room for are missing from the packet.
  enum class Received { packet, nothing, closed };
  Received receive(Packet& packet);

 private:
  int socket_;
  std::deque<Packet> queue_;
  std::unique_ptr<char[]> arriving_;  // kMessageBytesMax bytes
};

}  // namespace holdfast::spawner
