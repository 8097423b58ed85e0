// Sessions and the server, on a real socket, with clients that misbehave.
#include "daemon/session.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "daemon/server.h"
#include "tests/daemon/loop_support.h"
#include "tests/support/owned_request.h"

namespace holdfast::daemon {
namespace {

using holdfast::testing::connect_to;
using holdfast::testing::run_for;
using holdfast::testing::run_until;
using holdfast::testing::send_all;
using holdfast::testing::TempFolder;

// [0, msgid, "GetStatus", [{}]] and [1, msgid, nil, true], for msgids below 128.
std::string request(uint8_t msgid) {
  return std::string{"\x94\x00", 2} + static_cast<char>(msgid) + "\xa9GetStatus\x91\x80";
}
std::string reply(uint8_t msgid) {
  return std::string{"\x94\x01", 2} + static_cast<char>(msgid) + "\xc0\xc3";
}
// A reply of that many bytes, as far as anybody here looks into it.
std::string reply_of(size_t bytes) { return std::string(bytes, '\xc0'); }

// A client whose reads never block.
class Client {
 public:
  explicit Client(const std::string& path) : fd_(connect_to(path)) {
    CHECK(fcntl(fd_, F_SETFL, O_NONBLOCK) == 0);
  }
  ~Client() { leave(); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void send(std::string_view bytes) { send_all(fd_, bytes); }

  // What can be written without waiting; the number of bytes that went out.
  size_t send_some(std::string_view bytes) {
    const ssize_t count = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    return count > 0 ? static_cast<size_t>(count) : 0;
  }

  const std::string& received() {
    char buffer[1 << 16];
    ssize_t count = 0;
    while ((count = read(fd_, buffer, sizeof buffer)) > 0) {
      received_.append(buffer, static_cast<size_t>(count));
    }
    // A daemon that closes with our bytes unread resets the connection.
    if (count == 0 || errno == ECONNRESET) ended_ = true;
    return received_;
  }
  bool ended() {
    received();
    return ended_;
  }

  void leave() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
  std::string received_;
  bool ended_ = false;
};

class ServerTest : public ::testing::Test {
 protected:
  struct Asked {
    SessionId session;
    test::OwnedRequest request;
  };

  void start() {
    auto listening = Server::listen(
        loop_, {.path = path_, .mode = 0600, .group = ""}, limits_,
        [this](SessionId session, const wire::Request& request) {
          asked_.push_back({session, test::OwnedRequest{request}});
          if (on_request_) on_request_(session);
        },
        [this](SessionId session) { closed_.push_back(session); });
    CHECK(bool{listening});
    server_ = std::move(*listening);
  }

  bool until(const std::function<bool()>& is_true) { return run_until(loop_, is_true); }

  void answer(size_t index) {
    server_->reply(asked_[index].session, reply(static_cast<uint8_t>(asked_[index].request.msgid)));
  }

  TempFolder folder_;
  std::string path_ = folder_.path + "/socket";
  config::LimitSettings limits_;
  uv::Loop loop_;
  std::vector<Asked> asked_;
  std::vector<SessionId> closed_;
  std::function<void(SessionId)> on_request_;
  std::unique_ptr<Server> server_;
};

TEST_F(ServerTest, AnswersEachRequestInTheOrderOfTheRepliesNotOfTheRequests) {
  start();
  Client client{path_};
  client.send(request(1) + request(2));
  ASSERT_TRUE(until([&] { return asked_.size() == 2; }));
  EXPECT_EQ(asked_[0].request.method, "GetStatus");
  EXPECT_EQ(server_->find(asked_[0].session)->peer().pid, getpid());
  answer(1);
  answer(0);
  run_for(loop_, Duration{10});
  EXPECT_EQ(client.received(), "") << "nothing leaves before the flush";
  server_->flush_touched();
  EXPECT_TRUE(until([&] { return client.received() == reply(2) + reply(1); }));
}

TEST_F(ServerTest, ARequestMayArriveByteByByte) {
  start();
  Client client{path_};
  for (const char byte : request(5)) {
    EXPECT_TRUE(asked_.empty());
    client.send({&byte, 1});
    run_for(loop_, Duration{2});
  }
  EXPECT_TRUE(until([&] { return asked_.size() == 1; }));
}

TEST_F(ServerTest, AReplyFromInsideOnRequestIsFine) {
  start();
  on_request_ = [&](SessionId) {
    answer(asked_.size() - 1);
    server_->flush_touched();
  };
  Client client{path_};
  client.send(request(1) + request(2) + request(3));
  EXPECT_TRUE(until([&] { return client.received() == reply(1) + reply(2) + reply(3); }));
}

TEST_F(ServerTest, GarbageIsAnsweredOnceAndEndsTheConnectionAfterTheEarlierReplies) {
  start();
  Client client{path_};
  client.send(request(1) + "GET / HTTP/1.1\r\n\r\n" + request(2));
  ASSERT_TRUE(until([&] {
    return client.received().find("InvalidRequestContentException") != std::string::npos;
  }));
  ASSERT_EQ(asked_.size(), 1u);
  const size_t held_bytes = server_->memory_bytes();
  client.send(std::string(1u << 20, 'g'));
  run_for(loop_, Duration{20});
  EXPECT_FALSE(client.ended()) << "request 1 has not been answered";
  EXPECT_EQ(server_->memory_bytes(), held_bytes) << "what follows garbage is not kept";
  const size_t error_bytes = client.received().size();
  answer(0);
  server_->flush_touched();
  EXPECT_TRUE(until([&] { return client.ended(); }));
  EXPECT_EQ(client.received().substr(error_bytes), reply(1));
  EXPECT_EQ(closed_.size(), 1u);
  EXPECT_EQ(server_->connections_count(), 0u);
}

TEST_F(ServerTest, AClaimOfTwoGigabytesIsRefusedWithoutBufferingThem) {
  start();
  Client client{path_};
  // [0, 7, "Invoke", [{"Payload": bin of 2^31 bytes ...
  client.send(std::string{"\x94\x00\x07\xa6Invoke\x91\x81\xa7Payload\xc6\x80\x00\x00\x00", 25});
  EXPECT_TRUE(until([&] { return client.ended(); }));
  EXPECT_EQ(client.received().substr(0, 3), (std::string{"\x94\x01\x07", 3}));
  EXPECT_NE(client.received().find("RequestTooLargeException"), std::string::npos);
  EXPECT_EQ(server_->memory_bytes(), 0u);
}

TEST_F(ServerTest, HalfARequestAndThenNothingClosesTheSession) {
  start();
  Client client{path_};
  client.send(request(1).substr(0, 5));
  ASSERT_TRUE(until([&] { return server_->memory_bytes() == 5; }));
  client.leave();
  EXPECT_TRUE(until([&] { return closed_.size() == 1; }));
  EXPECT_EQ(server_->memory_bytes(), 0u);
  EXPECT_TRUE(asked_.empty());
}

TEST_F(ServerTest, AClientThatLeavesKeepsItsRequestsAndLosesItsReplies) {
  start();
  {
    Client client{path_};
    client.send(request(1));
    ASSERT_TRUE(until([&] { return asked_.size() == 1; }));
  }
  ASSERT_TRUE(until([&] { return closed_.size() == 1; }));
  EXPECT_EQ(server_->find(asked_[0].session), nullptr);
  answer(0);
  server_->flush_touched();
  EXPECT_EQ(server_->memory_bytes(), 0u);

  // The next one is somebody else, and hears nothing of it.
  Client next{path_};
  next.send(request(1));
  ASSERT_TRUE(until([&] { return asked_.size() == 2; }));
  EXPECT_NE(asked_[0].session, asked_[1].session);
  EXPECT_EQ(next.received(), "");
}

TEST_F(ServerTest, RequestsBeyondTheLimitWaitUnreadUntilRepliesLeave) {
  limits_.requests_in_flight_max = 2;
  start();
  Client client{path_};
  client.send(request(1) + request(2) + request(3) + request(4) + request(5));
  ASSERT_TRUE(until([&] { return asked_.size() >= 2; }));
  // Behind those that were read in one piece the socket itself fills up.
  const std::string flood(1u << 20, '\x00');
  size_t sent_bytes = 0;
  for (int n = 0; n < 20; ++n) {
    sent_bytes += client.send_some(flood);
    run_for(loop_, Duration{2});
  }
  EXPECT_LT(sent_bytes, 1u << 20);
  EXPECT_EQ(asked_.size(), 2u);
  EXPECT_LT(server_->memory_bytes(), 128u << 10);

  answer(0);
  server_->flush_touched();
  EXPECT_EQ(asked_.size(), 2u) << "never from inside flush_touched()";
  ASSERT_TRUE(until([&] { return asked_.size() == 3; }));
  run_for(loop_, Duration{10});
  EXPECT_EQ(asked_.size(), 3u) << "one reply makes room for one request";
  answer(1);
  answer(2);
  server_->flush_touched();
  EXPECT_TRUE(until([&] { return asked_.size() == 5; }));
}

TEST_F(ServerTest, ARaisedLimitLetsWaitingRequestsIn) {
  limits_.requests_in_flight_max = 1;
  start();
  Client client{path_};
  client.send(request(1) + request(2));
  ASSERT_TRUE(until([&] { return asked_.size() == 1; }));
  run_for(loop_, Duration{10});
  EXPECT_EQ(asked_.size(), 1u);
  limits_.requests_in_flight_max = 2;
  server_->set_limits(limits_);
  EXPECT_TRUE(until([&] { return asked_.size() == 2; }));
}

TEST_F(ServerTest, WhilePausedNothingIsReadFromOldOrNewClients) {
  start();
  Client old_client{path_};
  ASSERT_TRUE(until([&] { return server_->connections_count() == 1; }));
  server_->pause_reading(true);
  Client new_client{path_};
  old_client.send(request(1));
  new_client.send(request(2));
  ASSERT_TRUE(until([&] { return server_->connections_count() == 2; }));
  run_for(loop_, Duration{20});
  EXPECT_TRUE(asked_.empty());
  server_->pause_reading(false);
  EXPECT_TRUE(asked_.empty()) << "never from inside pause_reading()";
  EXPECT_TRUE(until([&] { return asked_.size() == 2; }));
}

TEST_F(ServerTest, PausingFromOnRequestHoldsBackTheRestOfThePiece) {
  start();
  on_request_ = [&](SessionId) { server_->pause_reading(true); };
  Client client{path_};
  client.send(request(1) + request(2));
  ASSERT_TRUE(until([&] { return asked_.size() == 1; }));
  run_for(loop_, Duration{20});
  EXPECT_EQ(asked_.size(), 1u);
  server_->pause_reading(false);
  EXPECT_TRUE(until([&] { return asked_.size() == 2; }));
}

TEST_F(ServerTest, AClientThatNeverReadsIsClosedWhileAnotherIsServed) {
  start();
  Client deaf{path_};
  Client other{path_};
  on_request_ = [&](SessionId session) {
    // Everything the deaf one asks brings 64 KiB; msgid 1 belongs to the other.
    const auto& asked = asked_.back();
    server_->reply(session, asked.request.msgid == 1 ? reply(1) : reply_of(64u << 10));
    server_->flush_touched();
  };
  size_t most_bytes = 0;
  for (int n = 0; n < 200 && closed_.empty(); ++n) {
    deaf.send(request(2));
    run_for(loop_, Duration{1});
    most_bytes = std::max(most_bytes, server_->memory_bytes());
  }
  ASSERT_EQ(closed_.size(), 1u);
  EXPECT_GT(most_bytes, kUnreadBytesMax - (256u << 10)) << "not before the limit";
  EXPECT_LE(most_bytes, kUnreadBytesMax + (128u << 10));
  other.send(request(1));
  EXPECT_TRUE(until([&] { return other.received() == reply(1); }));
  EXPECT_TRUE(deaf.ended());
}

// Unread bytes behind the reply that is being sent: at the limit, and one beyond.
TEST_F(ServerTest, ExactlyTheLimitMayWaitBehindTheReplyBeingSentAndNotOneByteMore) {
  for (const size_t beyond : {size_t{0}, size_t{1}}) {
    start();
    closed_.clear();
    asked_.clear();
    Client client{path_};
    client.send(request(1) + request(2));
    ASSERT_TRUE(until([&] { return asked_.size() == 2; }));
    // Too much for the kernel, so it is the one being sent.
    server_->reply(asked_[0].session, reply_of(2u << 20));
    server_->flush_touched();
    server_->reply(asked_[1].session, reply_of(kUnreadBytesMax + beyond));
    server_->flush_touched();
    EXPECT_EQ(closed_.size(), beyond);
    if (beyond == 0) {
      const size_t all_bytes = (2u << 20) + kUnreadBytesMax;
      EXPECT_TRUE(until([&] { return client.received().size() == all_bytes; }));
      EXPECT_TRUE(until([&] { return server_->memory_bytes() == 0; }));
    }
    server_.reset();
  }
}

TEST_F(ServerTest, LargeRepliesOfOneTurnAreBoundedEvenBeforeTheFlush) {
  start();
  Client client{path_};
  std::string requests;
  for (uint8_t msgid = 0; msgid < 20; ++msgid) requests += request(msgid);
  client.send(requests);
  ASSERT_TRUE(until([&] { return asked_.size() == 20; }));
  size_t most_bytes = 0;
  for (const Asked& asked : asked_) {
    server_->reply(asked.session, reply_of(1u << 20));
    most_bytes = std::max(most_bytes, server_->memory_bytes());
  }
  EXPECT_LE(most_bytes, kUnreadBytesMax + (6u << 20));
  EXPECT_EQ(closed_.size(), 1u);
}

TEST_F(ServerTest, OneReplyLargerThanTheLimitIsDelivered) {
  start();
  Client client{path_};
  client.send(request(1));
  ASSERT_TRUE(until([&] { return asked_.size() == 1; }));
  const size_t large_bytes = kUnreadBytesMax + (2u << 20);
  server_->reply(asked_[0].session, reply_of(large_bytes));
  server_->flush_touched();
  EXPECT_TRUE(until([&] { return client.received().size() == large_bytes; }));
  EXPECT_TRUE(closed_.empty());
}

TEST_F(ServerTest, OfThoseThatTookNothingSinceTheMarkTheOneWithMostUnsentIsClosed) {
  start();
  Client reader{path_}, less{path_}, most{path_};
  reader.send(request(4));
  less.send(request(2));
  most.send(request(3));
  ASSERT_TRUE(until([&] { return asked_.size() == 3; }));
  SessionId sessions[5];  // by msgid, which is also the size in MiB
  for (const Asked& asked : asked_) {
    sessions[asked.request.msgid] = asked.session;
    server_->reply(asked.session, reply_of(asked.request.msgid << 20));
  }
  server_->flush_touched();
  EXPECT_FALSE(server_->close_most_stalled()) << "nothing has been marked yet";
  server_->mark_progress();
  EXPECT_TRUE(until([&] { return reader.received().size() > 1u << 20; }));
  const std::optional<uv::Peer> peer = server_->close_most_stalled();
  ASSERT_TRUE(peer);
  EXPECT_EQ(peer->pid, getpid());
  EXPECT_EQ(closed_, std::vector{sessions[3]});
  EXPECT_TRUE(server_->close_most_stalled());
  EXPECT_EQ(closed_.back(), sessions[2]);
  EXPECT_FALSE(server_->close_most_stalled()) << "the reader goes on";
  EXPECT_TRUE(until([&] { return reader.received().size() == 4u << 20; }));
}

TEST_F(ServerTest, RepliesThatGatherBehindASlowWriteFollowInOrder) {
  start();
  Client client{path_};
  client.send(request(1) + request(2) + request(3));
  ASSERT_TRUE(until([&] { return asked_.size() == 3; }));
  const std::string large = reply_of(1u << 20);
  server_->reply(asked_[0].session, large);
  server_->flush_touched();
  answer(1);
  server_->flush_touched();
  answer(2);
  server_->flush_touched();
  EXPECT_TRUE(until([&] { return client.received().size() == large.size() + 10; }));
  EXPECT_EQ(client.received().substr(large.size()), reply(2) + reply(3));
}

// This test's own user is the daemon's, which gets some more.
TEST_F(ServerTest, OneConnectionTooManyGetsOneErrorAndIsClosed) {
  limits_.connections_max = 2;
  start();
  std::vector<std::unique_ptr<Client>> clients;
  for (size_t n = 0; n < 2 + kAdminConnections; ++n) {
    clients.push_back(std::make_unique<Client>(path_));
  }
  ASSERT_TRUE(until([&] { return server_->connections_count() == clients.size(); }));
  Client refused{path_};
  ASSERT_TRUE(until([&] { return refused.ended(); }));
  EXPECT_EQ(refused.received().substr(0, 3), (std::string{"\x94\x01\x00", 3}));
  EXPECT_NE(refused.received().find("TooManyRequestsException"), std::string::npos);
  EXPECT_NE(refused.received().find("connections_max"), std::string::npos);
  EXPECT_TRUE(closed_.empty()) << "it never had a session";

  clients.pop_back();
  ASSERT_TRUE(until([&] { return server_->connections_count() == clients.size(); }));
  Client next{path_};
  next.send(request(4));
  EXPECT_TRUE(until([&] { return asked_.size() == 1; }));
}

TEST_F(ServerTest, MemoryIsTheSumOfWhatAllSessionsHold) {
  start();
  Client one{path_};
  Client two{path_};
  one.send(request(1) + request(2) + request(3));
  two.send(request(1) + request(2).substr(0, 6));
  ASSERT_TRUE(until([&] { return asked_.size() == 4; }));
  const size_t request_bytes = request(1).size();
  EXPECT_TRUE(until([&] { return server_->memory_bytes() == 4 * request_bytes + 6; }));
  for (size_t n = 0; n < 4; ++n) answer(n);
  EXPECT_EQ(server_->memory_bytes(), 4 * reply(1).size() + 6);
  server_->flush_touched();
  EXPECT_EQ(server_->memory_bytes(), 6u);
}

TEST(Session, GivesBackItsShareOfTheMemoryWhenItIsDestroyed) {
  uv::Loop loop;
  auto [ours, theirs] = holdfast::testing::pair_of_sockets();
  Result<std::unique_ptr<uv::Stream>> stream = uv::Stream::adopt(loop, ours);
  ASSERT_TRUE(stream);
  size_t memory_total = 1000;
  {
    Session session{SessionId{1},
                    std::move(*stream),
                    SessionLimits{1},
                    [](SessionId, const wire::Request&) {},
                    [](SessionId) { FAIL(); },
                    memory_total};
    send_all(theirs, request(1) + request(2));
    const size_t held_bytes = 2 * request(1).size();
    EXPECT_TRUE(run_until(loop, [&] { return memory_total == 1000 + held_bytes; }));
    EXPECT_EQ(session.memory_bytes(), held_bytes);
    EXPECT_FALSE(session.can_take_requests());
  }
  EXPECT_EQ(memory_total, 1000u);
  close(theirs);
}

TEST_F(ServerTest, CloseAllEndsTheSocketAndEverySession) {
  start();
  Client one{path_};
  Client two{path_};
  one.send(request(1));
  ASSERT_TRUE(until([&] { return server_->connections_count() == 2 && asked_.size() == 1; }));
  answer(0);
  server_->flush_touched();
  server_->close_all();
  EXPECT_EQ(server_->connections_count(), 0u);
  EXPECT_EQ(closed_.size(), 2u);
  EXPECT_EQ(one.received(), reply(1));
  EXPECT_TRUE(one.ended());
  EXPECT_TRUE(two.ended());
  EXPECT_FALSE(std::filesystem::exists(path_));
  run_for(loop_, Duration{5});
}

TEST_F(ServerTest, MayBeDestroyedWithSessionsAndRepliesOpen) {
  start();
  Client client{path_};
  client.send(request(1) + request(2));
  ASSERT_TRUE(until([&] { return asked_.size() == 2; }));
  server_->reply(asked_[0].session, reply_of(1u << 20));
  server_->flush_touched();
  answer(1);
  server_.reset();
  EXPECT_TRUE(client.ended());
}

TEST_F(ServerTest, ASocketInUseIsAnErrorNotACrash) {
  start();
  const auto second = Server::listen(
      loop_, {.path = path_, .mode = 0600, .group = ""}, limits_,
      [](SessionId, const wire::Request&) {}, [](SessionId) {});
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().what.find(path_), std::string::npos);
}

}  // namespace
}  // namespace holdfast::daemon
