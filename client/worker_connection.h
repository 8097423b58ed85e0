// WorkerConnection: a worker's socket, read and written without waiting.
//
//    WorkerConnection connection;
//    if (connection.open(socket_path) != 0) ...              // errno: try again later
//    uint32_t msgid = connection.request("DetachWorker", [](wire::MapWriter&) {});
//    ... poll() for connection.events() at connection.descriptor()
//    for (WorkerConnection::Message& message : connection.exchange()) ...
//    if (!connection.is_open()) ...                          // why() tells
//
// Ownership  It owns the socket.
// Threads    One at a time.
// Failure    The connection closes itself. makes_no_sense() tells that the other
//            end is no daemon that this program understands.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "client/wire/message.h"

namespace holdfast::client {

class WorkerConnection {
 public:
  using Message = std::variant<wire::Reply, wire::Push>;
  using PackParams = std::function<void(wire::MapWriter&)>;

  WorkerConnection() = default;
  ~WorkerConnection() { close("it is over"); }
  WorkerConnection(const WorkerConnection&) = delete;
  WorkerConnection& operator=(const WorkerConnection&) = delete;

  // 0, or errno. What an earlier connection had left behind is forgotten.
  int open(const std::string& socket_path);
  void close(std::string why);
  // Closes, too: whoever speaks so cannot be talked to.
  void refuse(std::string why);

  bool is_open() const { return socket_ >= 0; }
  bool makes_no_sense() const { return makes_no_sense_; }
  const std::string& why() const { return why_; }  // it is not open

  // Puts a request in line for exchange(), and gives its msgid.
  uint32_t request(std::string_view method, const PackParams& pack_params);

  int descriptor() const { return socket_; }
  short events() const;  // that exchange() waits for

  // Writes and reads as much as can be without waiting.
  std::vector<Message> exchange();

 private:
  void write();
  void read(std::vector<Message>& messages);
  void decode(std::vector<Message>& messages);

  int socket_ = -1;
  uint32_t last_msgid_ = 0;
  std::string unwritten_;
  size_t written_ = 0;  // of unwritten_, so that not every write moves the rest
  bool writable_ = true;  // false: a write failed, messages may still come
  wire::WorkerReader reader_;
  bool makes_no_sense_ = false;
  std::string why_ = "it has not been opened";
};

}  // namespace holdfast::client
