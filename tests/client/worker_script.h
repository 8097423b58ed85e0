// The daemon's half of a conversation with a worker, for the scripts of a FakeServer.
//
//    FakeServer server{{[&](Session& session) {
//      attach(session);
//      push(session, "r-1");
//      EXPECT_EQ(take_request(session), "SendAttemptSuccess r-1 1");
//      stop(session, source);
//    }}};
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <latch>
#include <map>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "client/worker.h"
#include "tests/client/fake_daemon.h"

namespace holdfast::client {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""h;
using Session = FakeDaemon::Session;
using Names = std::map<std::string, int64_t>;
using Ids = std::vector<std::string>;

inline std::string text_of(const test::OwnedRequest& request, std::string_view key) {
  const msgpack::object* field = wire::find(request.params.get(), key);
  return field == nullptr ? "(absent)" : std::string{wire::as_bytes(*field).value_or("(other)")};
}

inline int64_t number_of(const test::OwnedRequest& request, std::string_view key) {
  const msgpack::object* field = wire::find(request.params.get(), key);
  return field == nullptr ? -1 : wire::as_int(*field).value_or(-1);
}

inline Names held_in(const test::OwnedRequest& request) {
  Names names;
  const msgpack::object* held = wire::find(request.params.get(), "Held");
  if (held == nullptr) return names;
  for (uint32_t n = 0; n < held->via.map.size; ++n) {
    const msgpack::object_kv& entry = held->via.map.ptr[n];
    names[std::string{wire::as_text(entry.key).value_or("?")}] =
        wire::as_int(entry.val).value_or(-1);
  }
  return names;
}

inline void answer_attach(Session& session, uint32_t msgid, const Ids& continued, const Ids& lost,
                          std::chrono::milliseconds timeout, std::chrono::milliseconds window) {
  session.reply(msgid, [&](wire::MapWriter& map) {
    map.number("WorkerId", 1).number("TimeoutMs", timeout.count());
    map.number("ReattachWindowMs", window.count());
    {
      wire::ArrayWriter ids = map.array("Continued");
      for (const std::string& id : continued) ids.text(id);
    }
    wire::ArrayWriter ids = map.array("Lost");
    for (const std::string& id : lost) ids.text(id);
  });
}

// Gives what the worker held.
inline Names attach(Session& session, const Ids& continued = {}, const Ids& lost = {},
                    std::chrono::milliseconds timeout = 1h,
                    std::chrono::milliseconds window = 1h) {
  const test::OwnedRequest request = session.request();
  EXPECT_EQ(request.method, "AttachWorker");
  EXPECT_EQ(text_of(request, "FunctionName"), "f");
  answer_attach(session, request.msgid, continued, lost, timeout, window);
  return held_in(request);
}

inline void push(Session& session, const std::string& id, int64_t number = 1,
                 const std::string& payload = "", const std::string& invocation_type = "Event") {
  session.push("RunAttempt", [&](wire::MapWriter& map) {
    map.text("FunctionName", "f").text("RequestId", id).number("Attempt", number);
    map.text("InvocationType", invocation_type).number("DeadlineAt", 17);
    map.text("IdempotencyKey", "key").bytes("Payload", payload).text("LaterField", "ignored");
  });
}

inline void push_stop(Session& session, const std::string& id, int64_t number = 1) {
  session.push("StopAttempt", [&](wire::MapWriter& map) {
    map.text("RequestId", id).number("Attempt", number).text("Reason", "TimedOut");
  });
}

inline void accept(Session& session, const test::OwnedRequest& request) {
  session.reply(request.msgid, [](wire::MapWriter&) {});
}

// "METHOD RequestId Attempt", after it has been accepted.
inline std::string take_request(Session& session) {
  const test::OwnedRequest request = session.request();
  accept(session, request);
  return request.method + " " + text_of(request, "RequestId") + " " +
         std::to_string(number_of(request, "Attempt"));
}

inline void expect_detach(Session& session) {
  const test::OwnedRequest request = session.request();
  EXPECT_EQ(request.method, "DetachWorker");
  accept(session, request);
}

inline void expect_gone(Session& session) { EXPECT_EQ(session.request().method, ""); }

// The worker is stopped, and leaves as it should.
inline void stop(Session& session, std::stop_source& source) {
  source.request_stop();
  expect_detach(session);
  expect_gone(session);
}

inline WorkerOptions options_for(const FakeServer& server, const std::stop_source& source) {
  return {.function_name = "f", .socket_path = server.path(), .stop = source.get_token()};
}

// Whether all have arrived; a while is waited for them.
inline bool comes(const std::latch& latch) {
  for (int n = 0; n < 10'000 && !latch.try_wait(); ++n) std::this_thread::sleep_for(1ms);
  return latch.try_wait();
}

inline void wait_until_stopped(const Attempt& attempt) {
  while (!attempt.stopped()) std::this_thread::sleep_for(1ms);
}

}  // namespace holdfast::client
