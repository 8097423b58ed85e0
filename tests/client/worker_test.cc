#include "client/worker.h"

#include <gtest/gtest.h>

#include <latch>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "tests/client/fake_daemon.h"
#include "tests/client/worker_script.h"

namespace holdfast::client {
namespace {

TEST(Worker, AnswersWhatIsPushed) {
  std::stop_source source;
  FakeServer server{{[&](Session& session) {
    const test::OwnedRequest request = session.request();
    EXPECT_EQ(request.method, "AttachWorker");
    EXPECT_EQ(number_of(request, "Concurrency"), 1);
    EXPECT_EQ(text_of(request, "Held"), "(absent)");
    answer_attach(session, request.msgid, {}, {}, 1h, 1h);
    session.push("LaterPush", [](wire::MapWriter&) {});
    push(session, "r-1", 3, "cat");
    const test::OwnedRequest answer = session.request();
    EXPECT_EQ(answer.method, "SendAttemptSuccess");
    EXPECT_EQ(text_of(answer, "RequestId"), "r-1");
    EXPECT_EQ(number_of(answer, "Attempt"), 3);
    EXPECT_EQ(text_of(answer, "Result"), "a cat");
    accept(session, answer);
    stop(session, source);
  }}};
  const auto served = serve(options_for(server, source), [](const Attempt& attempt) {
    EXPECT_EQ(attempt.function_name(), "f");
    EXPECT_EQ(attempt.request_id(), "r-1");
    EXPECT_EQ(attempt.number(), 3);
    EXPECT_EQ(attempt.invocation_type(), "Event");
    EXPECT_EQ(attempt.first_deadline_at_ms(), 17);
    EXPECT_EQ(attempt.idempotency_key(), "key");
    EXPECT_FALSE(attempt.stopped());
    return success("a " + attempt.payload());
  });
  ASSERT_TRUE(served) << served.error().message;
  EXPECT_EQ(served->answered, 1u);
}

TEST(Worker, AnswersAFailureAndCutsItsTexts) {
  std::stop_source source;
  FakeServer server{{[&](Session& session) {
    attach(session);
    push(session, "r-1");
    const test::OwnedRequest answer = session.request();
    EXPECT_EQ(answer.method, "SendAttemptFailure");
    EXPECT_EQ(text_of(answer, "ErrorType"), std::string(126, 't'));  // the next takes three bytes
    EXPECT_EQ(text_of(answer, "ErrorMessage"), "no cat in it");
    EXPECT_EQ(text_of(answer, "LogTail"), std::string(4095, 'l') + "\n");
    accept(session, answer);
    stop(session, source);
  }}};
  const auto served = serve(options_for(server, source), [](const Attempt&) {
    return failure(std::string(126, 't') + "\xe2\x82\xac", "no cat in it",
                   std::string(10000, 'l') + "\n");
  });
  ASSERT_TRUE(served) << served.error().message;
}

TEST(Worker, ErrorTextsAreMadeUtf8AndLeftOutWhenTheyAreEmpty) {
  std::stop_source source;
  FakeServer server{{[&](Session& session) {
    attach(session);
    push(session, "r-1");
    const test::OwnedRequest answer = session.request();
    EXPECT_EQ(text_of(answer, "ErrorType"), "(absent)");
    EXPECT_EQ(text_of(answer, "ErrorMessage"), "caf\xc3\xa9 \xef\xbf\xbd \xef\xbf\xbd");
    EXPECT_EQ(text_of(answer, "LogTail"), "(absent)");
    accept(session, answer);
    stop(session, source);
  }}};
  const auto served = serve(options_for(server, source), [](const Attempt&) {
    return failure("", std::string{"caf\xc3\xa9 \xff \0", 9});
  });
  ASSERT_TRUE(served) << served.error().message;
}

TEST(Worker, AnExceptionOfTheHandlerIsAFailureOfTheAttempt) {
  std::stop_source source;
  FakeServer server{{[&](Session& session) {
    attach(session);
    for (const char* message : {"no cat", "the handler threw what is no std::exception"}) {
      push(session, message);
      const test::OwnedRequest answer = session.request();
      EXPECT_EQ(answer.method, "SendAttemptFailure");
      EXPECT_EQ(text_of(answer, "ErrorType"), "Exception");
      EXPECT_EQ(text_of(answer, "ErrorMessage"), message);
      accept(session, answer);
    }
    stop(session, source);
  }}};
  const auto served = serve(options_for(server, source), [](const Attempt& attempt) {
    if (attempt.request_id() == "no cat") throw std::runtime_error("no cat");
    throw 7;
    return success();
  });
  ASSERT_TRUE(served) << served.error().message;
  EXPECT_EQ(served->answered, 2u);
}

TEST(Worker, AResultThatNoRequestCanCarryIsAFailure) {
  std::stop_source source;
  FakeServer server{{[&](Session& session) {
    attach(session);
    push(session, "r-1");
    const test::OwnedRequest largest = session.request();
    EXPECT_EQ(text_of(largest, "Result").size(), wire::kPayloadBytesMaxSynchronous);
    session.refuse(largest.msgid, "RequestTooLargeException", "it has failed as too large");
    push(session, "r-2");
    const test::OwnedRequest answer = session.request();
    EXPECT_EQ(text_of(answer, "ErrorType"), "Function.ResponseSizeTooLarge");
    accept(session, answer);
    stop(session, source);
  }}};
  size_t result_bytes = wire::kPayloadBytesMaxSynchronous;
  const auto served = serve(options_for(server, source), [&](const Attempt&) {
    return success(std::string(result_bytes++, 'x'));
  });
  ASSERT_TRUE(served) << served.error().message;
  EXPECT_EQ(served->answered, 1u);
}

TEST(Worker, RunsAsManyAtOnceAsItWasAskedTo) {
  std::stop_source source;
  std::latch all_run{3};
  FakeServer server{{[&](Session& session) {
    attach(session);
    for (const char* id : {"r-1", "r-2", "r-3"}) push(session, id);
    for (int n = 0; n < 3; ++n) {
      EXPECT_EQ(take_request(session).substr(0, 19), "SendAttemptSuccess ");
    }
    stop(session, source);
  }}};
  WorkerOptions options = options_for(server, source);
  options.concurrency = 3;
  const auto served = serve(options, [&](const Attempt&) {
    all_run.arrive_and_wait();
    return success();
  });
  ASSERT_TRUE(served) << served.error().message;
  EXPECT_EQ(served->answered, 3u);
}

TEST(Worker, SendsHeartbeatsWhileAHandlerRuns) {
  std::stop_source source;
  std::latch enough{1};
  FakeServer server{{[&](Session& session) {
    attach(session, {}, {}, 60ms);
    push(session, "r-1", 2);
    for (int n = 0; n < 4; ++n) EXPECT_EQ(take_request(session), "SendAttemptHeartbeat r-1 2");
    enough.count_down();
    std::string next = take_request(session);
    while (next == "SendAttemptHeartbeat r-1 2") next = take_request(session);
    EXPECT_EQ(next, "SendAttemptSuccess r-1 2");
    std::this_thread::sleep_for(100ms);  // nothing runs: no heartbeats
    stop(session, source);
  }}};
  const auto served = serve(options_for(server, source), [&](const Attempt&) {
    enough.wait();
    return success();
  });
  ASSERT_TRUE(served) << served.error().message;
}

TEST(Worker, SendsNoHeartbeatsIfItShallNot) {
  std::stop_source source;
  FakeServer server{{[&](Session& session) {
    attach(session, {}, {}, 30ms);
    push(session, "r-1");
    EXPECT_EQ(take_request(session), "SendAttemptSuccess r-1 1");
    stop(session, source);
  }}};
  WorkerOptions options = options_for(server, source);
  options.heartbeats = false;
  const auto served = serve(options, [&](const Attempt&) {
    std::this_thread::sleep_for(100ms);
    return success();
  });
  ASSERT_TRUE(served) << served.error().message;
}

TEST(Worker, StopsAnAttemptThatTheDaemonDoesNotKnowAnyMore) {
  std::stop_source source;
  FakeServer server{{[&](Session& session) {
    attach(session, {}, {}, 30ms);
    push(session, "r-1");
    const test::OwnedRequest beat = session.request();
    EXPECT_EQ(beat.method, "SendAttemptHeartbeat");
    session.refuse(beat.msgid, "ResourceConflictException", "not yours any more");
    stop(session, source);  // the answer is dropped
  }}};
  const auto served = serve(options_for(server, source), [](const Attempt& attempt) {
    wait_until_stopped(attempt);
    return success();
  });
  ASSERT_TRUE(served) << served.error().message;
  EXPECT_EQ(served->answered, 0u);
}

TEST(Worker, TellsTheHandlerThatItsAttemptIsToStop) {
  std::stop_source source;
  FakeServer server{{[&](Session& session) {
    attach(session);
    push(session, "r-1", 2);
    push_stop(session, "r-9", 2);
    push_stop(session, "r-1", 1);  // an older one: not meant
    push_stop(session, "r-1", 2);
    EXPECT_EQ(take_request(session), "SendAttemptFailure r-1 2");
    stop(session, source);
  }}};
  const auto served = serve(options_for(server, source), [](const Attempt& attempt) {
    wait_until_stopped(attempt);
    return failure("Stopped", "as told");
  });
  ASSERT_TRUE(served) << served.error().message;
  EXPECT_EQ(served->answered, 1u);
}

TEST(Worker, FinishesWhatRunsWhenItIsStopped) {
  std::stop_source source;
  std::latch runs{1};
  std::latch may_end{1};
  FakeServer server{{[&](Session& session) {
    attach(session);
    push(session, "r-1");
    runs.wait();
    source.request_stop();
    expect_detach(session);
    may_end.count_down();
    EXPECT_EQ(take_request(session), "SendAttemptSuccess r-1 1");
    expect_gone(session);
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

TEST(Worker, EndsWhenItsFirstAttachmentIsRefused) {
  std::stop_source source;
  FakeServer server{{[&](Session& session) {
    session.refuse(session.request().msgid, "AccessDeniedException", "not you");
    expect_gone(session);
  }}};
  const auto served = serve(options_for(server, source), [](const Attempt&) { return success(); });
  ASSERT_FALSE(served);
  EXPECT_EQ(served.error().kind, FailureKind::refused);
  EXPECT_EQ(served.error().type, "AccessDeniedException");
  EXPECT_EQ(served.error().message, "not you");
}

TEST(Worker, EndsWhenTheDaemonsWordsMakeNoSense) {
  const std::vector<FakeDaemon::Script> scripts{
      [](Session& session) {
        attach(session);
        session.push("RunAttempt", [](wire::MapWriter& map) { map.text("RequestId", "r-1"); });
      },
      [](Session& session) {
        attach(session);
        push(session, "r-1");
        push(session, "r-2");  // one more than there is room for
      },
      [](Session& session) { accept(session, session.request()); },
      [](Session& session) {
        attach(session);
        session.write("\xc1");
      },
      [](Session& session) {
        attach(session);
        session.reply(77, [](wire::MapWriter&) {});
      },
  };
  for (const FakeDaemon::Script& script : scripts) {
    std::stop_source source;
    FakeServer server{{[&](Session& session) {
      script(session);
      expect_gone(session);
    }}};
    const auto served = serve(options_for(server, source), [](const Attempt& attempt) {
      wait_until_stopped(attempt);
      return success();
    });
    ASSERT_FALSE(served);
    EXPECT_NE(served.error().message.find("make no sense"), std::string::npos);
  }
}

TEST(Worker, RefusesToStartMoreThreadsThanAreAllowed) {
  for (const uint32_t concurrency : {0u, kWorkerConcurrencyMax + 1}) {
    const auto served = serve({.function_name = "f", .concurrency = concurrency},
                              [](const Attempt&) { return success(); });
    ASSERT_FALSE(served);
    EXPECT_EQ(served.error().type, "InvalidParameterValueException");
  }
}

}  // namespace
}  // namespace holdfast::client
