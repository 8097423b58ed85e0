// FakeDaemon: the other end of a socket pair, played by a thread that follows a
// script written in the test. It speaks the wire and knows no rules.
//
//    FakeDaemon daemon{[](FakeDaemon::Session& session) {
//      test::OwnedRequest request = session.request();
//      session.reply(request.msgid, [](wire::MapWriter& map) { map.text("RequestId", "r"); });
//    }};
//    Client client{daemon.take_socket()};
//
// When the script returns, the connection is closed.
//
// FakeServer: the same behind a path, for clients that connect by themselves. Its
// n-th script plays the n-th connection; after the last one nobody listens any more.
//
//    FakeServer server{{first_connection, second_connection}};
//    serve({.function_name = "f", .socket_path = server.path()}, handler);
#pragma once

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "client/wire/message.h"
#include "storage/base/check.h"
#include "tests/support/owned_request.h"

namespace holdfast::client {

class FakeDaemon {
 public:
  class Session {
   public:
    explicit Session(int socket) : socket_(socket) {}

    // The next request; an empty method when the client has gone.
    test::OwnedRequest request() {
      while (true) {
        auto next = reader_.next();
        if (auto* request = std::get_if<wire::Request>(&next)) return test::OwnedRequest{*request};
        CHECK(std::holds_alternative<wire::NeedMore>(next));
        char bytes[65536];
        const ssize_t count = ::read(socket_, bytes, sizeof bytes);
        if (count <= 0) return {};
        reader_.feed({bytes, static_cast<size_t>(count)});
      }
    }

    void reply(uint32_t msgid, const std::function<void(wire::MapWriter&)>& pack) {
      std::string bytes;
      {
        wire::ReplyWriter writer{bytes, msgid};
        wire::MapWriter map = writer.map();
        pack(map);
      }
      write(bytes);
    }

    void refuse(uint32_t msgid, const std::string& type, const std::string& message) {
      std::string bytes;
      wire::append_error_reply(bytes, msgid, {type, message});
      write(bytes);
    }

    void push(std::string_view method, const std::function<void(wire::MapWriter&)>& pack) {
      std::string bytes;
      {
        wire::PushWriter writer{bytes, method};
        wire::MapWriter map = writer.map();
        pack(map);
      }
      write(bytes);
    }

    void write(std::string_view bytes) {
      while (!bytes.empty()) {
        const ssize_t count = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (count <= 0) return;
        bytes.remove_prefix(static_cast<size_t>(count));
      }
    }

   private:
    int socket_;
    wire::RequestReader reader_;
  };

  using Script = std::function<void(Session&)>;

  explicit FakeDaemon(Script script) {
    int sockets[2];
    CHECK(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) == 0);
    client_socket_ = sockets[0];
    thread_ = std::thread{[script = std::move(script), socket = sockets[1]] {
      Session session{socket};
      script(session);
      ::close(socket);
    }};
  }
  ~FakeDaemon() {
    if (client_socket_ >= 0) ::close(client_socket_);
    thread_.join();
  }
  FakeDaemon(const FakeDaemon&) = delete;
  FakeDaemon& operator=(const FakeDaemon&) = delete;

  // The client's end, which from now on is the caller's.
  int take_socket() { return std::exchange(client_socket_, -1); }

 private:
  int client_socket_ = -1;
  std::thread thread_;
};

class FakeServer {
 public:
  explicit FakeServer(std::vector<FakeDaemon::Script> scripts) {
    char directory[] = "/tmp/holdfast-fake-XXXXXX";
    CHECK(::mkdtemp(directory) != nullptr);
    directory_ = directory;
    path_ = directory_ + "/s";
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    CHECK(path_.size() < sizeof address.sun_path);
    std::memcpy(address.sun_path, path_.data(), path_.size());
    listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(listener_ >= 0);
    CHECK(::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    CHECK(::listen(listener_, 8) == 0);
    thread_ = std::thread{[this, scripts = std::move(scripts)] { play(scripts); }};
  }
  ~FakeServer() {
    ::shutdown(listener_, SHUT_RDWR);  // ends an accept() that nobody connects to
    thread_.join();
    ::close(listener_);
    ::unlink(path_.c_str());
    ::rmdir(directory_.c_str());
  }
  FakeServer(const FakeServer&) = delete;
  FakeServer& operator=(const FakeServer&) = delete;

  const std::string& path() const { return path_; }

 private:
  void play(const std::vector<FakeDaemon::Script>& scripts) const {
    for (const FakeDaemon::Script& script : scripts) {
      const int socket = ::accept(listener_, nullptr, nullptr);
      if (socket < 0) return;
      if (&script == &scripts.back()) ::shutdown(listener_, SHUT_RDWR);
      FakeDaemon::Session session{socket};
      script(session);
      ::close(socket);
    }
  }

  std::string directory_;
  std::string path_;
  int listener_ = -1;
  std::thread thread_;
};

}  // namespace holdfast::client
