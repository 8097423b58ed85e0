// What a worker does not take up again after its connection was lost.
#include <gtest/gtest.h>

#include <latch>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "client/worker.h"
#include "tests/client/fake_daemon.h"
#include "tests/client/worker_script.h"

namespace holdfast::client {
namespace {

// Handlers that run until they are told to stop, and whose results come too late then.
struct Late {
  std::latch runs{1};
  std::latch told{1};
  std::latch may_end{1};

  AttemptResult run(const Attempt& attempt) {
    runs.count_down();
    wait_until_stopped(attempt);
    told.count_down();
    may_end.wait();
    return success("too late");
  }

  // Told by the loss alone: before it is attached again. No answer may come.
  FakeDaemon::Script not_taken_up(std::stop_source& source) {
    return [&](Session& session) {
      EXPECT_TRUE(comes(told));
      EXPECT_EQ(attach(session), Names{});
      may_end.count_down();
      stop(session, source);
    };
  }
};

TEST(Worker, WhatWasToStopEndsWithItsConnection) {
  std::stop_source source;
  Late late;
  FakeServer server{{[&](Session& session) {
                       attach(session);
                       push(session, "r-1");
                       late.runs.wait();
                       push_stop(session, "r-1");
                       EXPECT_TRUE(comes(late.told));
                     },
                     late.not_taken_up(source)}};
  const auto served = serve(options_for(server, source),
                            [&](const Attempt& attempt) { return late.run(attempt); });
  ASSERT_TRUE(served) << served.error().message;
  EXPECT_EQ(served->answered, 0u);
}

TEST(Worker, TheAnswerOfWhatWasToStopIsNotSentOverTheNextConnection) {
  std::stop_source source;
  std::latch runs{1};
  FakeServer server{{[&](Session& session) {
                       attach(session);
                       push(session, "r-1");
                       runs.wait();
                       push_stop(session, "r-1");
                       EXPECT_EQ(session.request().method, "SendAttemptSuccess");
                     },
                     [&](Session& session) {
                       EXPECT_EQ(attach(session), Names{});
                       stop(session, source);
                     }}};
  const auto served = serve(options_for(server, source), [&](const Attempt& attempt) {
    runs.count_down();
    wait_until_stopped(attempt);
    return success();
  });
  ASSERT_TRUE(served) << served.error().message;
  EXPECT_EQ(served->answered, 0u);
}

TEST(Worker, WhatIsOverItsDeadlineEndsWithItsConnection) {
  std::stop_source source;
  Late late;
  FakeServer server{{[&](Session& session) {
                       attach(session, {}, {}, 30ms);
                       push(session, "r-1");
                       late.runs.wait();
                       std::this_thread::sleep_for(60ms);
                     },
                     late.not_taken_up(source)}};
  WorkerOptions options = options_for(server, source);
  options.heartbeats = false;
  const auto served =
      serve(options, [&](const Attempt& attempt) { return late.run(attempt); });
  ASSERT_TRUE(served) << served.error().message;
  EXPECT_EQ(served->answered, 0u);
}

TEST(Worker, AHeartbeatMovesTheDeadlineUpToWhichALossIsSurvived) {
  std::stop_source source;
  std::latch may_end{1};
  FakeServer server{{[&](Session& session) {
                       attach(session, {}, {}, 600ms);
                       push(session, "r-1");
                       for (int n = 0; n < 4; ++n) {  // the last after more than 600 ms
                         EXPECT_EQ(take_request(session), "SendAttemptHeartbeat r-1 1");
                       }
                     },
                     [&](Session& session) {
                       EXPECT_EQ(attach(session, {"r-1"}), (Names{{"r-1", 1}}));
                       may_end.count_down();
                       EXPECT_EQ(take_request(session), "SendAttemptSuccess r-1 1");
                       stop(session, source);
                     }}};
  const auto served = serve(options_for(server, source), [&](const Attempt&) {
    may_end.wait();
    return success();
  });
  ASSERT_TRUE(served) << served.error().message;
  EXPECT_EQ(served->answered, 1u);
}

TEST(Worker, AnAttachmentGivesANewDeadlineAndEndsTheWindow) {
  std::stop_source source;
  std::latch runs{1};
  std::latch may_end{1};
  FakeServer server{{[&](Session& session) {
                       attach(session, {}, {}, 400ms, 400ms);
                       push(session, "r-1");
                       runs.wait();
                     },
                     [&](Session& session) {
                       EXPECT_EQ(attach(session, {"r-1"}, {}, 1h), (Names{{"r-1", 1}}));
                       std::this_thread::sleep_for(500ms);  // the first ones are over
                     },
                     [&](Session& session) {
                       EXPECT_EQ(attach(session, {"r-1"}), (Names{{"r-1", 1}}));
                       may_end.count_down();
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

TEST(Worker, ASynchronousCallEndsWithItsConnectionAndAnEventBesideItGoesOn) {
  std::stop_source source;
  Late late;
  std::latch both_run{2};
  std::latch may_end{1};
  FakeServer server{{[&](Session& session) {
                       attach(session);
                       push(session, "call", 1, "", "RequestResponse");
                       push(session, "event");
                       both_run.wait();
                     },
                     [&](Session& session) {
                       EXPECT_TRUE(comes(late.told));
                       EXPECT_EQ(attach(session, {"event"}), (Names{{"event", 1}}));
                       late.may_end.count_down();
                       may_end.count_down();
                       EXPECT_EQ(take_request(session), "SendAttemptSuccess event 1");
                       stop(session, source);
                     }}};
  WorkerOptions options = options_for(server, source);
  options.concurrency = 2;
  const auto served = serve(options, [&](const Attempt& attempt) {
    both_run.count_down();
    if (attempt.request_id() == "call") return late.run(attempt);
    may_end.wait();
    EXPECT_FALSE(attempt.stopped());
    return success();
  });
  ASSERT_TRUE(served) << served.error().message;
  EXPECT_EQ(served->answered, 1u);
}

TEST(Worker, WithoutAWindowEverythingEndsWithTheConnection) {
  std::stop_source source;
  Late late;
  FakeServer server{{[&](Session& session) {
                       attach(session, {}, {}, 1h, 0ms);
                       push(session, "r-1");
                       late.runs.wait();
                       std::this_thread::sleep_for(150ms);  // it connects again at once
                     },
                     late.not_taken_up(source)}};
  const auto served = serve(options_for(server, source),
                            [&](const Attempt& attempt) { return late.run(attempt); });
  ASSERT_TRUE(served) << served.error().message;
  EXPECT_EQ(served->answered, 0u);
}

TEST(Worker, EverythingEndsWithTheWindowAlsoWhileAnAttachmentIsAwaited) {
  std::stop_source source;
  Late late;
  FakeServer server{{[&](Session& session) {
                       attach(session, {}, {}, 1h, 300ms);
                       push(session, "r-1");
                       late.runs.wait();
                     },
                     [&](Session& session) {
                       EXPECT_EQ(held_in(session.request()), (Names{{"r-1", 1}}));
                       expect_gone(session);
                     },
                     late.not_taken_up(source)}};
  const auto served = serve(options_for(server, source),
                            [&](const Attempt& attempt) { return late.run(attempt); });
  ASSERT_TRUE(served) << served.error().message;
  EXPECT_EQ(served->answered, 0u);
}

TEST(Worker, TheWindowCountsFromTheLossAndNotFromTheLastConnection) {
  std::stop_source source;
  Late late;
  std::vector<FakeDaemon::Script> scripts{[&](Session& session) {
    attach(session, {}, {}, 1h, 250ms);
    push(session, "r-1");
    late.runs.wait();
  }};
  // One comes every 100 ms: after the tenth it is over long since.
  for (int n = 0; n < 10; ++n) {
    scripts.push_back(
        [](Session& session) { EXPECT_EQ(session.request().method, "AttachWorker"); });
  }
  scripts.push_back(late.not_taken_up(source));
  FakeServer server{scripts};
  const auto served = serve(options_for(server, source),
                            [&](const Attempt& attempt) { return late.run(attempt); });
  ASSERT_TRUE(served) << served.error().message;
  EXPECT_EQ(served->answered, 0u);
}

TEST(Worker, LengthsWithoutEndAreLongOnes) {
  std::stop_source source;
  FakeServer server{{[&](Session& session) {
                       constexpr auto endless = std::chrono::milliseconds::max();
                       attach(session, {}, {}, endless, endless);
                       push(session, "r-1");
                       EXPECT_EQ(session.request().method, "SendAttemptSuccess");
                     },
                     [&](Session& session) {
                       EXPECT_EQ(attach(session, {"r-1"}), (Names{{"r-1", 1}}));
                       EXPECT_EQ(take_request(session), "SendAttemptSuccess r-1 1");
                       stop(session, source);
                     }}};
  const auto served = serve(options_for(server, source), [](const Attempt&) { return success(); });
  ASSERT_TRUE(served) << served.error().message;
}

TEST(Worker, WithoutAWindowAStoppedWorkerStillWaitsForItsReplies) {
  std::stop_source source;
  FakeServer server{{[&](Session& session) {
    attach(session, {}, {}, 1h, 0ms);
    push(session, "r-1");
    const test::OwnedRequest answer = session.request();
    source.request_stop();
    expect_detach(session);
    std::this_thread::sleep_for(50ms);
    accept(session, answer);
    expect_gone(session);
  }}};
  const auto served = serve(options_for(server, source), [](const Attempt&) { return success(); });
  ASSERT_TRUE(served) << served.error().message;
  EXPECT_EQ(served->answered, 1u);
}

TEST(Worker, TellsOfWhatEndedWithTheConnectionAfterItWasStopped) {
  std::stop_source source;
  FakeServer server{{[&](Session& session) {
    attach(session, {}, {}, 1h, 0ms);
    push(session, "r-1");
    EXPECT_EQ(session.request().method, "SendAttemptSuccess");
    source.request_stop();
    expect_detach(session);
  }}};
  const auto served = serve(options_for(server, source), [](const Attempt&) { return success(); });
  ASSERT_FALSE(served);
  EXPECT_EQ(served.error().kind, FailureKind::unknown);
}

}  // namespace
}  // namespace holdfast::client
