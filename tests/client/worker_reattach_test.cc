#include "client/worker.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <latch>
#include <stop_token>
#include <string>
#include <thread>

#include "tests/client/fake_daemon.h"
#include "tests/client/worker_script.h"

namespace holdfast::client {
namespace {

TEST(Worker, KeepsWhatItRunsAcrossALostConnection) {
  std::stop_source source;
  std::latch runs{1};
  std::latch may_end{1};
  FakeServer server{{[&](Session& session) {
                       EXPECT_EQ(attach(session), Names{});
                       push(session, "r-1", 4);
                       runs.wait();
                     },
                     [&](Session& session) {
                       EXPECT_EQ(attach(session, {"r-1"}), (Names{{"r-1", 4}}));
                       may_end.count_down();
                       EXPECT_EQ(take_request(session), "SendAttemptSuccess r-1 4");
                       stop(session, source);
                     }}};
  const auto served = serve(options_for(server, source), [&](const Attempt& attempt) {
    runs.count_down();
    may_end.wait();
    EXPECT_FALSE(attempt.stopped());
    return success();
  });
  ASSERT_TRUE(served) << served.error().message;
  EXPECT_EQ(served->answered, 1u);
}

TEST(Worker, KeepsAnAnswerUntilItIsAttachedAgain) {
  std::stop_source source;
  std::latch runs{1};
  std::latch may_end{1};
  FakeServer server{{[&](Session& session) {
                       attach(session);
                       push(session, "r-1");
                       runs.wait();
                     },
                     [&](Session& session) {
                       const test::OwnedRequest request = session.request();
                       EXPECT_EQ(held_in(request), (Names{{"r-1", 1}}));
                       may_end.count_down();
                       std::this_thread::sleep_for(50ms);  // the answer is there, and waits
                     },
                     [&](Session& session) {
                       EXPECT_EQ(attach(session, {"r-1"}), (Names{{"r-1", 1}}));
                       EXPECT_EQ(take_request(session), "SendAttemptSuccess r-1 1");
                       stop(session, source);
                     }}};
  const auto served = serve(options_for(server, source), [&](const Attempt&) {
    runs.count_down();
    may_end.wait();
    return success();
  });
  ASSERT_TRUE(served) << served.error().message;
  EXPECT_EQ(served->answered, 1u);
}

TEST(Worker, AnswersAgainWhatHadNoReply) {
  std::stop_source source;
  FakeServer server{{[&](Session& session) {
                       attach(session);
                       push(session, "r-1");
                       EXPECT_EQ(session.request().method, "SendAttemptSuccess");
                     },
                     [&](Session& session) {
                       EXPECT_EQ(attach(session, {"r-1"}), (Names{{"r-1", 1}}));
                       const test::OwnedRequest again = session.request();
                       EXPECT_EQ(again.method, "SendAttemptSuccess");
                       EXPECT_EQ(text_of(again, "Result"), "once");
                       session.refuse(again.msgid, "ResourceConflictException", "it has ended");
                       stop(session, source);
                     }}};
  const auto served =
      serve(options_for(server, source), [](const Attempt&) { return success("once"); });
  ASSERT_TRUE(served) << served.error().message;
  EXPECT_EQ(served->answered, 0u);
}

TEST(Worker, StopsWhatIsLostAndDropsItsAnswer) {
  std::stop_source source;
  std::latch runs{2};
  FakeServer server{{[&](Session& session) {
                       attach(session);
                       push(session, "r-1");
                       push(session, "r-2");
                       runs.wait();
                     },
                     [&](Session& session) {
                       EXPECT_EQ(attach(session, {}, {"r-1"}), (Names{{"r-1", 1}, {"r-2", 1}}));
                       push(session, "r-1", 2);  // the next attempt of the same event
                       EXPECT_EQ(take_request(session), "SendAttemptSuccess r-1 2");
                       stop(session, source);
                     }}};
  WorkerOptions options = options_for(server, source);
  options.concurrency = 2;
  const auto served = serve(options, [&](const Attempt& attempt) {
    if (attempt.number() == 2) return success();
    runs.count_down();
    wait_until_stopped(attempt);
    return success("too late");
  });
  ASSERT_TRUE(served) << served.error().message;
  EXPECT_EQ(served->answered, 1u);
}

TEST(Worker, AnAttemptWaitsForTheThreadOfALostOneAndCanBeStoppedBefore) {
  std::stop_source source;
  std::latch runs{1};
  std::latch may_end{1};
  FakeServer server{{[&](Session& session) {
                       attach(session);
                       push(session, "r-1");
                       runs.wait();
                     },
                     [&](Session& session) {
                       attach(session, {}, {"r-1"}, 30ms);
                       push(session, "r-2");  // and no heartbeat for it
                       std::this_thread::sleep_for(50ms);
                       push_stop(session, "r-2");
                       EXPECT_EQ(take_request(session), "SendAttemptFailure r-2 1");
                       may_end.count_down();
                       stop(session, source);
                     }}};
  const auto served = serve(options_for(server, source), [&](const Attempt& attempt) {
    EXPECT_EQ(attempt.request_id(), "r-1");
    runs.count_down();
    may_end.wait();  // does not look at stopped()
    return success();
  });
  ASSERT_TRUE(served) << served.error().message;
  EXPECT_EQ(served->answered, 1u);
}

TEST(Worker, SendsAgainWhatTheDaemonCouldNotTakeNow) {
  std::stop_source source;
  FakeServer server{{[&](Session& session) {
    attach(session);
    push(session, "r-1");
    session.refuse(session.request().msgid, "ServiceUnavailableException", "not now");
    EXPECT_EQ(take_request(session), "SendAttemptSuccess r-1 1");
    stop(session, source);
  }}};
  const auto served = serve(options_for(server, source), [](const Attempt&) { return success(); });
  ASSERT_TRUE(served) << served.error().message;
  EXPECT_EQ(served->answered, 1u);
}

TEST(Worker, GivesUpAnAnswerThatNobodyTakesAfterItWasStopped) {
  std::stop_source source;
  FakeServer server{{[&](Session& session) {
    attach(session, {}, {}, 1h, 200ms);
    push(session, "r-1");
    EXPECT_EQ(session.request().method, "SendAttemptSuccess");
    source.request_stop();
  }}};
  const auto served = serve(options_for(server, source), [](const Attempt&) { return success(); });
  ASSERT_FALSE(served);
  EXPECT_EQ(served.error().kind, FailureKind::unknown);
}

TEST(Worker, TriesAgainWhenALaterAttachmentFindsNoService) {
  std::stop_source source;
  std::latch runs{1};
  std::atomic<bool> was_stopped = false;
  const auto refuse = [](Session& session, const std::string& type) {
    const test::OwnedRequest request = session.request();
    EXPECT_EQ(held_in(request), (Names{{"r-1", 1}}));
    session.refuse(request.msgid, type, "no");
    expect_gone(session);
  };
  FakeServer server{{[&](Session& session) {
                       attach(session);
                       push(session, "r-1");
                       runs.wait();
                     },
                     [&](Session& session) { refuse(session, "ServiceUnavailableException"); },
                     [&](Session& session) { refuse(session, "ResourceNotFoundException"); }}};
  const auto served = serve(options_for(server, source), [&](const Attempt& attempt) {
    runs.count_down();
    wait_until_stopped(attempt);
    was_stopped = true;
    return success();
  });
  ASSERT_FALSE(served);
  EXPECT_EQ(served.error().type, "ResourceNotFoundException");
  EXPECT_TRUE(was_stopped);
}

TEST(Worker, EndsWithItsConnectionIfItShallNotConnectAgain) {
  std::stop_source source;
  std::latch runs{1};
  FakeServer server{{[&](Session& session) {
    attach(session);
    push(session, "r-1");
    runs.wait();
  }}};
  WorkerOptions options = options_for(server, source);
  options.reconnect = false;
  const Handler handler = [&](const Attempt& attempt) {
    runs.count_down();
    wait_until_stopped(attempt);
    return success();
  };
  const auto served = serve(options, handler);
  ASSERT_FALSE(served);
  EXPECT_EQ(served.error().kind, FailureKind::unknown);

  options.socket_path += "-nobody";
  const auto nobody = serve(options, handler);
  ASSERT_FALSE(nobody);
  EXPECT_EQ(nobody.error().kind, FailureKind::unreachable);
  EXPECT_EQ(nobody.error().system_error, ENOENT);
}

TEST(Worker, LooksForADaemonThatIsNotThereUntilItIsStopped) {
  std::stop_source source;
  FakeServer server{{[](Session&) {}}};
  WorkerOptions options = options_for(server, source);
  options.socket_path += "-nobody";
  const std::jthread stopper{[&] {
    std::this_thread::sleep_for(250ms);
    source.request_stop();
  }};
  const auto served = serve(options, [](const Attempt&) { return success(); });
  ASSERT_TRUE(served) << served.error().message;
}

}  // namespace
}  // namespace holdfast::client
