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
    engine_.turn_over();
    EXPECT_TRUE(run_until(loop_, [this] { return engine_.settled(); }));
  }

  // One step with something to write; its ticket.
  Ticket submit() {
    last_ticket_ = last_ticket_.next();
    core::Submission submission;
    submission.ticket = last_ticket_;
    submission.function = "f";
    engine_.submit(std::move(submission), engine_.moment());
    return last_ticket_;
  }
  bool answered(Ticket ticket) const { return answered_.contains(ticket); }
  bool written_here() const { return store_.writer == std::this_thread::get_id(); }

  // A step that is alone in its turn, up to its answer. True if it was written here.
  bool lonely_step() {
    const Ticket ticket = submit();
    engine_.turn_over();
    EXPECT_TRUE(run_until(loop_, [&] { return answered(ticket); }));
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
  int failures_ = 0;
  Ticket last_ticket_{0};
  Engine engine_{loop_, store_, core_, Clock{{}, read_kernel_clocks(), false},
                 World{[this](core::Reply&& reply) { answered_.insert(reply.ticket); },
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
    engine_.turn_over();
  } while (!written_here());
  EXPECT_TRUE(answered(last_ticket_));
  EXPECT_TRUE(engine_.settled());
  EXPECT_FALSE(early) << "an answer before the store has returned";
}

TEST_F(EngineTest, TwoStepsOfATurnAreTheCommitters) {
  lonely_steps_until_here();
  submit();
  const Ticket second = submit();
  engine_.turn_over();
  EXPECT_FALSE(answered(second));
  EXPECT_TRUE(run_until(loop_, [&] { return answered(second); }));
  EXPECT_FALSE(written_here());
}

TEST_F(EngineTest, WhenSomebodyCameMeanwhileTheNextOnesAreTheCommitters) {
  auto [ours, theirs] = pair_of_sockets();
  Result<std::unique_ptr<uv::Stream>> other = uv::Stream::adopt(loop_, ours);
  (*other)->read_start([](std::string_view) {}, [](bool) {});
  testing::run_for(loop_, Duration{1});
  store_.on_commit = [&, theirs = theirs] { send_all(theirs, "x"); };
  lonely_steps_until_here();
  store_.on_commit = nullptr;
  EXPECT_GE(lonely_steps_until_here(), 64);
  ::close(theirs);
}

TEST_F(EngineTest, AFailureHereIsToldOnceAndNothingLeavesAfterIt) {
  lonely_steps_until_here();
  store_.fails = true;
  const uint64_t commits = store_.commits;
  const Ticket ticket = submit();
  engine_.turn_over();
  submit();
  engine_.turn_over();
  testing::run_for(loop_, Duration{20});
  EXPECT_EQ(failures_, 1);
  EXPECT_EQ(store_.commits, commits + 1);
  EXPECT_FALSE(answered(ticket));
}

TEST_F(EngineTest, EachCommitHasTheNextNumberHoweverOftenItGrew) {
  const auto expect_numbers_match = [this] { EXPECT_EQ(batch_number(), store_.commits); };
  expect_numbers_match();
  lonely_steps_until_here();
  expect_numbers_match();

  // Two steps make the committer's commit, and while that is under way the next one grows.
  std::promise<void> begun;
  std::promise<void> may_end;
  store_.on_commit = [&, is_first = true]() mutable {
    if (!std::exchange(is_first, false)) return;
    begun.set_value();
    may_end.get_future().wait();
  };
  const uint64_t commits = store_.commits;
  submit();
  submit();
  engine_.turn_over();
  begun.get_future().wait();
  submit();
  engine_.turn_over();
  const Ticket last = submit();
  engine_.turn_over();
  may_end.set_value();
  EXPECT_TRUE(run_until(loop_, [&] { return answered(last); }));
  EXPECT_EQ(store_.commits, commits + 2);
  expect_numbers_match();
}

}  // namespace
}  // namespace holdfast::daemon
