#include "client/client.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "tests/client/fake_daemon.h"

namespace holdfast::client {
namespace {

using std::chrono_literals::operator""ms;
using Session = FakeDaemon::Session;

std::string text_in(const msgpack::object& map, std::string_view key) {
  const msgpack::object* field = wire::find(map, key);
  return field == nullptr ? "(absent)" : std::string{wire::as_bytes(*field).value_or("(other)")};
}

TEST(Client, GivesTheAnswerOfACall) {
  std::string asked;
  FakeDaemon daemon{[&](Session& session) {
    const test::OwnedRequest request = session.request();
    const msgpack::object& params = request.params.get();
    asked = request.method + " " + text_in(params, "FunctionName") + " " +
            text_in(params, "InvocationType") + " " + text_in(params, "Payload") + " " +
            text_in(params, "IdempotencyKey") + " " +
            std::to_string(wire::as_int(*wire::find(params, "DelaySeconds")).value_or(-1));
    session.reply(request.msgid, [](wire::MapWriter& map) {
      map.number("StatusCode", 202).text("RequestId", "id-1").text("LaterField", "ignored");
    });
    session.request();
  }};
  Client client{daemon.take_socket()};
  const auto reply = client.call(InvokeEvent{"resize", "cat", "key", 30});
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->status_code, 202);
  EXPECT_EQ(reply->request_id, "id-1");
  EXPECT_FALSE(reply->duplicate);
  EXPECT_EQ(asked, "Invoke resize Event cat key 30");
}

TEST(Client, ReadsTheEndingOfADuplicate) {
  FakeDaemon daemon{[&](Session& session) {
    const test::OwnedRequest request = session.request();
    EXPECT_EQ(text_in(request.params.get(), "IdempotencyKey"), "(absent)");
    session.reply(request.msgid, [](wire::MapWriter& map) {
      map.number("StatusCode", 202).text("RequestId", "id-1").boolean("Duplicate", true);
      wire::MapWriter ending = map.map("Ending");
      ending.text("State", "succeeded").text("Condition", "Success").number("EndedAt", 17);
      ending.count("PayloadBytes", 70000);
    });
    session.request();
  }};
  Client client{daemon.take_socket()};
  const auto reply = client.call(Invoke{"resize", "cat", ""});
  ASSERT_TRUE(reply);
  EXPECT_TRUE(reply->duplicate);
  ASSERT_TRUE(reply->ending);
  EXPECT_EQ(reply->ending->state, "succeeded");
  EXPECT_EQ(reply->ending->ended_at_ms, 17);
  EXPECT_EQ(reply->ending->payload, std::nullopt);
  EXPECT_EQ(reply->ending->payload_bytes, 70000u);
}

TEST(Client, TellsARefusalWithItsType) {
  FakeDaemon daemon{[&](Session& session) {
    session.refuse(session.request().msgid, "ResourceNotFoundException", "no such function");
    session.request();
  }};
  Client client{daemon.take_socket()};
  const auto reply = client.call(InvokeEvent{"resize", "", "", 0});
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().kind, FailureKind::refused);
  EXPECT_EQ(reply.error().type, "ResourceNotFoundException");
  EXPECT_EQ(reply.error().message, "no such function");
}

TEST(Client, TakesTheDaemonsOutcomeUnknownForUnknown) {
  FakeDaemon daemon{[&](Session& session) {
    session.refuse(session.request().msgid, "OutcomeUnknownException", "the disk failed");
    session.request();
  }};
  Client client{daemon.take_socket()};
  const auto reply = client.call(InvokeEvent{"resize", "", "", 0});
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().kind, FailureKind::unknown);
  EXPECT_EQ(reply.error().type, "OutcomeUnknownException");
}

TEST(Client, PairsRepliesInAnyOrderWithTheirTickets) {
  constexpr uint32_t kRequests = 100;
  FakeDaemon daemon{[&](Session& session) {
    std::vector<test::OwnedRequest> requests;
    while (requests.size() < kRequests) requests.push_back(session.request());
    for (auto request = requests.rbegin(); request != requests.rend(); ++request) {
      const std::string id = text_in(request->params.get(), "RequestId");
      session.reply(request->msgid, [&](wire::MapWriter& map) {
        map.text("RequestId", id).text("FunctionName", "f").text("State", "pending");
      });
    }
    session.request();
  }};
  Client client{daemon.take_socket()};
  std::vector<Ticket<EventReply>> tickets;
  for (uint32_t n = 0; n < kRequests; ++n) {
    const auto ticket = client.send(GetEvent{std::to_string(n)});
    ASSERT_TRUE(ticket);
    tickets.push_back(*ticket);
  }
  for (uint32_t n = 0; n < kRequests; ++n) {
    const auto reply = client.wait(tickets[n]);
    ASSERT_TRUE(reply) << reply.error().message;
    EXPECT_EQ(reply->request_id, std::to_string(n));
    EXPECT_FALSE(reply->ended());
  }
}

// Both sides of the socket are full here unless the client reads while it sends.
TEST(Client, ReadsRepliesWhileThereIsNoRoomToSend) {
  constexpr uint32_t kRequests = 64;
  FakeDaemon daemon{[&](Session& session) {
    for (uint32_t n = 0; n < kRequests; ++n) {
      const test::OwnedRequest request = session.request();
      session.reply(request.msgid, [](wire::MapWriter& map) {
        map.number("StatusCode", 200).text("RequestId", "id");
        map.bytes("Payload", std::string(256u << 10, 'r'));
      });
    }
    session.request();
  }};
  Client client{daemon.take_socket()};
  std::vector<Ticket<InvokeReply>> tickets;
  for (uint32_t n = 0; n < kRequests; ++n) {
    const auto ticket = client.send(Invoke{"f", std::string(256u << 10, 'p'), ""});
    ASSERT_TRUE(ticket) << ticket.error().message;
    tickets.push_back(*ticket);
  }
  for (const auto& ticket : tickets) {
    const auto reply = client.wait(ticket);
    ASSERT_TRUE(reply) << reply.error().message;
    EXPECT_EQ(reply->payload.size(), 256u << 10);
  }
}

TEST(Client, DoesNotKnowTheFateOfARequestWhoseConnectionEnded) {
  FakeDaemon daemon{[&](Session& session) {
    const test::OwnedRequest first = session.request();
    session.request();
    session.reply(first.msgid, [](wire::MapWriter& map) {
      map.number("StatusCode", 202).text("RequestId", "first");
    });
  }};
  Client client{daemon.take_socket()};
  const auto first = client.send(InvokeEvent{"f", "", "", 0});
  const auto second = client.send(InvokeEvent{"f", "", "", 0});
  ASSERT_TRUE(first);
  ASSERT_TRUE(second);
  const auto lost = client.wait(*second);
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().kind, FailureKind::unknown);
  const auto kept = client.wait(*first);
  ASSERT_TRUE(kept) << "a reply that had arrived counts";
  EXPECT_EQ(kept->request_id, "first");

  const auto later = client.call(InvokeEvent{"f", "", "", 0});
  ASSERT_FALSE(later);
  EXPECT_EQ(later.error().kind, FailureKind::unreachable);
}

TEST(Client, StillReadsTheRepliesOfADaemonThatTakesNoMore) {
  int sockets[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
  Client client{sockets[0]};
  const auto first = client.send(InvokeEvent{"f", "", "", 0});
  ASSERT_TRUE(first);
  {
    Session session{sockets[1]};
    const test::OwnedRequest request = session.request();
    session.reply(request.msgid, [](wire::MapWriter& map) {
      map.number("StatusCode", 202).text("RequestId", "first");
    });
    ::close(sockets[1]);
  }
  const auto second = client.send(InvokeEvent{"f", "", "", 0});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, FailureKind::unreachable);
  const auto reply = client.wait(*first);
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->request_id, "first");
}

TEST(Client, TellsWhatTheDaemonSaidWhenItClosedBeforeTheRequest) {
  int sockets[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
  Client client{sockets[0]};
  {
    Session session{sockets[1]};
    session.refuse(0, "TooManyRequestsException", "all connections are taken");
    ::close(sockets[1]);
  }
  for (int n = 0; n < 2; ++n) {
    const auto reply = client.call(InvokeEvent{"f", "", "", 0});
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().kind, FailureKind::unreachable);
    EXPECT_EQ(reply.error().type, "TooManyRequestsException");
    EXPECT_EQ(reply.error().message, "the request was not sent: all connections are taken");
  }
}

struct NonsenseCase {
  const char* name;
  std::string bytes;
};

class NonsenseTest : public testing::TestWithParam<NonsenseCase> {};

TEST_P(NonsenseTest, AnAnswerThatMakesNoSenseLeavesTheFateUnknown) {
  FakeDaemon daemon{[&](Session& session) {
    session.request();
    session.write(GetParam().bytes);
    session.request();
  }};
  Client client{daemon.take_socket()};
  const auto reply = client.call(InvokeEvent{"f", "", "", 0});
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().kind, FailureKind::unknown);
  EXPECT_FALSE(reply.error().message.empty());
}

INSTANTIATE_TEST_SUITE_P(
    Nonsense, NonsenseTest,
    testing::Values(NonsenseCase{"http", "HTTP/1.1 400 Bad Request\r\n"},
                    NonsenseCase{"reply_nobody_asked_for", "\x94\x01\x63\xc0\x80"},
                    NonsenseCase{"result_without_required_field", "\x94\x01\x01\xc0\x80"},
                    NonsenseCase{"result_is_no_map", "\x94\x01\x01\xc0\x07"},
                    NonsenseCase{"error_without_type", "\x94\x01\x01\x80\xc0"}),
    [](const auto& test) { return std::string{test.param.name}; });

TEST(Client, GivesUpWhenNoReplyComesInTime) {
  FakeDaemon daemon{[&](Session& session) {
    session.request();
    session.request();
  }};
  Client client{daemon.take_socket()};
  client.set_reply_timeout(20ms);
  const auto reply = client.call(InvokeEvent{"f", "", "", 0});
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().kind, FailureKind::unknown);
}

TEST(Client, RefusesByItselfWhatTheDaemonWouldCloseTheConnectionOver) {
  FakeDaemon daemon{[&](Session& session) {
    while (true) {
      const test::OwnedRequest request = session.request();
      if (request.method.empty()) return;
      session.reply(request.msgid, [](wire::MapWriter&) {});
    }
  }};
  Client client{daemon.take_socket()};
  const auto no_params = [](wire::MapWriter&) {};
  const auto large = client.call(Invoke{"f", std::string(wire::kRequestBytesMax, 'p'), ""});
  ASSERT_FALSE(large);
  EXPECT_EQ(large.error().kind, FailureKind::refused);
  EXPECT_EQ(large.error().type, "RequestTooLargeException");
  EXPECT_FALSE(client.call("", no_params));
  EXPECT_FALSE(client.call(std::string(65, 'm'), no_params));
  EXPECT_TRUE(client.call(std::string(64, 'm'), no_params)) << "the connection is still good";
}

TEST(Client, HoldsSoManyOpenTicketsAndRefusesOneMore) {
  FakeDaemon daemon{[&](Session& session) {
    while (true) {
      const test::OwnedRequest request = session.request();
      if (request.method.empty()) return;
      session.reply(request.msgid, [](wire::MapWriter&) {});
    }
  }};
  Client client{daemon.take_socket()};
  const auto no_params = [](wire::MapWriter&) {};
  const auto first = client.send("m", no_params);
  ASSERT_TRUE(first);
  for (size_t n = 1; n < kTicketsMax; ++n) ASSERT_TRUE(client.send("m", no_params)) << n;
  const auto beyond = client.send("m", no_params);
  ASSERT_FALSE(beyond);
  EXPECT_EQ(beyond.error().kind, FailureKind::refused);
  EXPECT_TRUE(client.wait(*first));
  EXPECT_TRUE(client.send("m", no_params)) << "a ticket that was waited for makes room";
}

TEST(Client, SendsMessagesAndReceivesThem) {
  FakeDaemon daemon{[&](Session& session) {
    const test::OwnedRequest sent = session.request();
    const msgpack::object& params = sent.params.get();
    EXPECT_EQ(sent.method, "SendMessage");
    EXPECT_EQ(text_in(params, "MessageBody"), "body");
    EXPECT_EQ(text_in(*wire::find(params, "MessageAttributes"), "name"), "value");
    session.reply(sent.msgid, [](wire::MapWriter& map) { map.text("MessageId", "m-1"); });
    const test::OwnedRequest received = session.request();
    EXPECT_EQ(wire::as_int(*wire::find(received.params.get(), "VisibilityTimeout")), 0);
    session.reply(received.msgid, [](wire::MapWriter& map) {
      wire::ArrayWriter messages = map.array("Messages");
      wire::MapWriter message = messages.map();
      message.text("MessageId", "m-1").text("ReceiptHandle", "h-1").bytes("Body", "body");
      message.number("SentAt", 5).number("ReceiveCount", 2);
      message.map("MessageAttributes").text("name", "value");
    });
    const test::OwnedRequest deleted = session.request();
    EXPECT_EQ(text_in(deleted.params.get(), "ReceiptHandle"), "h-1");
    session.reply(deleted.msgid, [](wire::MapWriter&) {});
    session.request();
  }};
  Client client{daemon.take_socket()};
  const auto sent = client.call(SendMessage{"q", "body", {{"name", "value"}}, 0});
  ASSERT_TRUE(sent);
  EXPECT_EQ(sent->message_id, "m-1");
  const auto received = client.call(ReceiveMessage{"q", 1, 0});
  ASSERT_TRUE(received);
  ASSERT_EQ(received->messages.size(), 1u);
  EXPECT_EQ(received->messages[0].body, "body");
  EXPECT_EQ(received->messages[0].attributes.at("name"), "value");
  EXPECT_EQ(received->messages[0].receive_count, 2);
  EXPECT_TRUE(client.call(DeleteMessage{"q", received->messages[0].receipt_handle}));
}

TEST(Client, SaysWhyItCannotConnect) {
  const auto missing = Client::connect("/nonexistent/holdfast.sock");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, FailureKind::unreachable);
  EXPECT_EQ(missing.error().system_error, ENOENT);
  EXPECT_EQ(Client::connect("").error().kind, FailureKind::unreachable);

  // 107 bytes and their terminator fit in an address; one more does not.
  EXPECT_EQ(Client::connect("/" + std::string(106, 'x')).error().system_error, ENOENT);
  EXPECT_EQ(Client::connect("/" + std::string(107, 'x')).error().system_error, ENAMETOOLONG);
}

}  // namespace
}  // namespace holdfast::client
