// The engine with a real core and committer, over rows in memory: which thread commits, and
// what may leave when. The test takes the part of the service, and ends each turn.
#include "daemon/engine.h"

#include <gtest/gtest.h>

#include <future>
#include <set>
#include <stdexcept>
#include <utility>

#include "daemon/uv/stream.h"
#include "storage/codec.h"
#include "storage/keys.h"
#include "tests/daemon/loop_support.h"
#include "tests/daemon/test_store.h"

namespace holdfast::daemon {
namespace {

using core::Ticket;
using testing::pair_of_sockets;
using testing::run_until;
using testing::send_all;

config::Settings settings_of_tests() {
  config::Settings settings;
  settings.limits.attempts_running_max = 8;
  settings.functions["f"].workers = true;
  return settings;
}

class EngineTest : public ::testing::Test {
 protected:
  EngineTest() {
    engine_.absorb(core_.started(engine_.moment()));
    EXPECT_TRUE(run([this] { return engine_.settled(); }));
  }

  // As the service does, but for the sending.
  void end_turn() {
    engine_.turn_over();
    while (engine_.commit_few()) engine_.turn_over();
    just_answered_ = false;
  }
  // Turns of the loop, until it holds.
  template <class Condition>
  bool run(Condition holds) {
    return run_until(loop_, [&] {
      end_turn();
      return holds();
    });
  }

  // One step with something to write; its ticket.
  Ticket submit(std::string idempotency_key = {}) {
    last_ticket_ = last_ticket_.next();
    core::Submission submission;
    submission.ticket = last_ticket_;
    submission.function = "f";
    submission.idempotency_key = std::move(idempotency_key);
    engine_.submit(std::move(submission), engine_.moment());
    return last_ticket_;
  }
  bool answered(Ticket ticket) const { return answered_.contains(ticket); }
  bool written_here() const { return store_.writer == std::this_thread::get_id(); }

  // A step that is alone in its turn, up to its answer. True if it was written here.
  bool lonely_step() {
    const Ticket ticket = submit();
    end_turn();
    EXPECT_TRUE(run([&] { return answered(ticket); }));
    return written_here();
  }

  // Until one is written here: a busy machine may make a commit slow, but not so many in a
  // row. How many the committer wrote before it.
  int lonely_steps_until_here() {
    int others = 0;
    while (!lonely_step()) {
      if (++others == 10'000) throw std::runtime_error("no commit was written here");
    }
    return others;
  }

  uint64_t batch_number() const {
    const auto row = store_.get(storage::Family::meta, storage::kStateKey);
    return storage::decode_state(**row)->batch_number;
  }

  uv::Loop loop_;
  WatchedStore store_;
  core::Lifecycle core_{*storage::load_recovered(store_), storage::BoxTag{7},
                        settings_of_tests(), 1};
  std::set<Ticket> answered_;
  bool just_answered_ = false;  // in this turn
  int failures_ = 0;
  Ticket last_ticket_{0};
  Engine engine_{loop_, store_, core_, Clock{{}, read_kernel_clocks(), false},
                 World{[this](core::Reply&& reply) {
                         answered_.insert(reply.ticket);
                         just_answered_ = true;
                       },
                       [](core::StartAttempt&&) {},
                       [](const core::StopAttempt&) {},
                       [](const core::CloseWorker&) {},
                       [](const core::ViewEvent&) {},
                       [this](const Error&) { ++failures_; }}};
};

TEST_F(EngineTest, ALonelyStepIsTheCommittersUntilCommitsAreQuick) {
  for (uint32_t n = 2; n < kQuickInARow; ++n) EXPECT_FALSE(lonely_step()) << n;
}

TEST_F(EngineTest, ALonelyStepIsWrittenHereAndAnsweredInItsTurn) {
  bool early = false;
  store_.on_commit = [&] { early = early || answered(last_ticket_); };
  do {
    lonely_steps_until_here();
    submit();
    end_turn();
  } while (!written_here());
  EXPECT_TRUE(answered(last_ticket_));
  EXPECT_TRUE(engine_.settled());
  EXPECT_FALSE(early) << "an answer before the store has returned";
}

// One that waits for its time is held by the disk alone.
TEST_F(EngineTest, ThePayloadsOfDurableEventsLeaveTheirMemoryToTheNext) {
  core::Submission submission;
  submission.ticket = last_ticket_ = last_ticket_.next();
  submission.function = "f";
  submission.delay = std::chrono::seconds{60};
  submission.payload = std::string(1000, 'p');
  const char* const bytes = submission.payload.data();
  engine_.submit(std::move(submission), engine_.moment());
  EXPECT_EQ(engine_.payloads().kept(), 0u);
  EXPECT_TRUE(run([&] { return answered(last_ticket_); }));
  ASSERT_EQ(engine_.payloads().kept(), 1u);
  EXPECT_EQ(engine_.payloads().take().data(), bytes);
}

TEST_F(EngineTest, ThePayloadOfAnEventThatIsHeldStaysWhatItIs) {
  EXPECT_TRUE(run([&, ticket = submit()] { return answered(ticket); }));
  EXPECT_EQ(engine_.payloads().kept(), 0u);
}

TEST_F(EngineTest, AFewStepsOfATurnAreOneCommit) {
  uint64_t commits = 0;
  int turns = 0;
  do {  // a busy machine may make a commit slow just then
    ASSERT_LT(++turns, 100);
    lonely_steps_until_here();
    commits = store_.commits;
    submit();
    submit();
    end_turn();
  } while (!written_here());
  EXPECT_TRUE(answered(last_ticket_));
  EXPECT_EQ(store_.commits, commits + 1);
}

TEST_F(EngineTest, ManyStepsAreTheCommitters) {
  lonely_steps_until_here();
  for (size_t n = 0; n < kFewSteps; ++n) submit();
  end_turn();
  EXPECT_TRUE(run([this] { return answered(last_ticket_); }));
  EXPECT_FALSE(written_here());
  lonely_steps_until_here();  // what is few is counted anew
}

TEST_F(EngineTest, FewStepsOfManyRowsAreTheCommitters) {
  constexpr size_t kSteps = kFewMutations / 2;  // the event and its key
  static_assert(kSteps < kFewSteps);
  lonely_steps_until_here();
  for (size_t n = 0; n < kSteps; ++n) submit(std::to_string(n));
  end_turn();
  EXPECT_TRUE(run([this] { return answered(last_ticket_); }));
  EXPECT_FALSE(written_here());
}

TEST_F(EngineTest, AFewWaitForWhoeverIsReadyButNotForEver) {
  auto [ours, theirs] = pair_of_sockets();
  Result<std::unique_ptr<uv::Stream>> other = uv::Stream::adopt(loop_, ours);
  (*other)->read_start([](std::string_view) {}, [](bool) {});
  testing::run_for(loop_, Duration{1});
  bool in_time = false;  // a busy machine may take longer than they wait
  for (int turns = 0; !in_time; ++turns) {
    ASSERT_LT(turns, 100);
    lonely_steps_until_here();
    const uint64_t commits = store_.commits;
    send_all(theirs, "x");
    const auto began = std::chrono::steady_clock::now();
    const Ticket ticket = submit();
    end_turn();
    in_time = std::chrono::steady_clock::now() - began < kGatherMax;
    if (in_time) {
      EXPECT_EQ(store_.commits, commits) << "somebody is ready, and might join it";
    }
    std::this_thread::sleep_for(kGatherMax);
    end_turn();  // he has not been heard yet
    EXPECT_TRUE(run([&] { return answered(ticket); }));
    EXPECT_FALSE(written_here());
  }
  ::close(theirs);
}

TEST_F(EngineTest, WhatWasAnsweredLeavesBeforeTheNextCommitBegins) {
  lonely_steps_until_here();
  bool late = false;  // the answers are there, and their turn is not over
  store_.on_commit = [&, here = std::this_thread::get_id()] {
    if (std::this_thread::get_id() == here) late = late || just_answered_;
  };
  for (size_t n = 0; n < kFewSteps; ++n) submit();
  end_turn();
  const Ticket of_many = last_ticket_;
  const Ticket next = submit();
  EXPECT_TRUE(run([&] { return answered(next); }));
  EXPECT_TRUE(answered(of_many));
  EXPECT_FALSE(late);
}

TEST_F(EngineTest, AFailureHereIsToldOnceAndNothingLeavesAfterIt) {
  lonely_steps_until_here();
  store_.fails = true;
  const uint64_t commits = store_.commits;
  const Ticket ticket = submit();
  end_turn();
  submit();
  end_turn();
  testing::run_for(loop_, Duration{20});
  end_turn();
  EXPECT_EQ(failures_, 1);
  EXPECT_EQ(store_.commits, commits + 1);
  EXPECT_FALSE(answered(ticket));
}

TEST_F(EngineTest, EachCommitHasTheNextNumberHoweverOftenItGrew) {
  const auto expect_numbers_match = [this] { EXPECT_EQ(batch_number(), store_.commits); };
  expect_numbers_match();
  lonely_steps_until_here();
  expect_numbers_match();

  // Many make the committer's commit, and while that is under way the next one grows.
  std::promise<void> begun;
  std::promise<void> may_end;
  store_.on_commit = [&, is_first = true]() mutable {
    if (!std::exchange(is_first, false)) return;
    begun.set_value();
    may_end.get_future().wait();
  };
  const uint64_t commits = store_.commits;
  const auto submit_many = [this] {
    for (size_t n = 0; n < kFewSteps; ++n) submit();
    end_turn();
  };
  submit_many();
  begun.get_future().wait();
  submit_many();
  submit_many();
  may_end.set_value();
  EXPECT_TRUE(run([this] { return answered(last_ticket_); }));
  EXPECT_EQ(store_.commits, commits + 2);
  expect_numbers_match();
}

}  // namespace
}  // namespace holdfast::daemon
