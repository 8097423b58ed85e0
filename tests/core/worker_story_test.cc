// Stories of attached workers, and of a command that does not start.
#include "tests/core/story.h"

namespace holdfast::test {
namespace {

class WorkerStory : public testing::Test {
 protected:
  explicit WorkerStory(config::FunctionSettings function = served())
      : world_(one_function(std::move(function))) {}

  static config::FunctionSettings served() {
    config::FunctionSettings function = function_settings();
    function.command.clear();
    function.workers = true;
    function.timeout = 10s;
    function.kill_grace = 2s;
    return function;
  }
  WorkerNumber attach(uint32_t concurrency = 1) {
    const WorkerNumber number = world_.add_worker("f", concurrency);
    world_.attach(number);
    world_.settle();
    return number;
  }
  const WorkerProgram& worker(WorkerNumber number) const { return world_.workers().at(number); }
  bool holds(WorkerNumber number, const EventId& id) const {
    return worker(number).held.contains(id);
  }
  void answer(WorkerNumber number, const EventId& id, core::Outcome outcome) {
    world_.answer(number, id, std::move(outcome));
    world_.settle();
  }
  void lose(WorkerNumber number) {
    world_.lose(number);
    world_.settle();
  }
  Ticket cancel(const EventId& id) {
    const Ticket ticket = world_.cancel(id);
    world_.settle();
    return ticket;
  }
  void restart() {
    world_.crash(World::InFlight::lost);
    CHECK(world_.boot());
  }
  void drain_and_start_again() {
    world_.drain();
    world_.drain_expired();
    world_.settle();
    EXPECT_TRUE(world_.core().idle());
    restart();
    world_.settle();
  }
  const storage::Spent& spent(const EventId& id) { return view(world_, id).spent; }

  World world_;
};

TEST_F(WorkerStory, WithoutAWorkerAnEventWaitsAndSpendsNothing) {
  const EventId id = accepted(world_, event_of("cat"));
  pass(world_, 1h);
  EXPECT_EQ(view(world_, id).state, storage::ViewState::pending);
  EXPECT_EQ(spent(id).attempt.value, 0u);
  const WorkerNumber number = attach();
  EXPECT_TRUE(holds(number, id));
  answer(number, id, core::Succeeded{"meow"});
  EXPECT_EQ(view(world_, id).state, storage::ViewState::succeeded);
  EXPECT_SOUND(world_);
}

TEST_F(WorkerStory, ALostConnectionIsAFailureOfWhatWasPushedAndOfNothingElse) {
  const WorkerNumber number = attach(2);
  const EventId pushed = accepted(world_, event_of("1"));
  world_.set_slow(number, true);  // what comes now stays unread
  const EventId unread = accepted(world_, event_of("2"));
  EXPECT_TRUE(holds(number, pushed));
  EXPECT_FALSE(holds(number, unread));
  lose(number);
  EXPECT_EQ(spent(pushed).failures, 1u);
  EXPECT_EQ(view(world_, pushed).attempts.at(0).error_type, "WorkerLost");
  EXPECT_EQ(spent(unread).failures, 0u);
  EXPECT_TRUE(view(world_, unread).attempts.empty());
  EXPECT_TRUE(holds(attach(), unread));  // at once; the other one waits for its retry
  EXPECT_SOUND(world_);
}

TEST_F(WorkerStory, TheTimeRunsFromThePush) {
  const WorkerNumber number = attach();
  world_.set_slow(number, true);
  const EventId id = accepted(world_, event_of("cat"));
  pass(world_, 1h);
  EXPECT_EQ(view(world_, id).state, storage::ViewState::running);
  world_.set_slow(number, false);
  world_.settle();
  pass(world_, 9s);
  EXPECT_FALSE(worker(number).held.at(id).stop_asked);
  pass(world_, 1s);
  EXPECT_TRUE(worker(number).held.at(id).stop_asked);
  answer(number, id, core::Failed{"Stopped", ""});
  EXPECT_EQ(view(world_, id).attempts.at(0).error_type, "Sandbox.Timedout");
}

TEST_F(WorkerStory, AClockThatLearnsTheDateEndsNothing) {
  const WorkerNumber number = attach();
  const EventId id = accepted(world_, event_of("cat"));
  world_.pass_dark_time(24h * 365);
  world_.tick_if_due();
  world_.settle();
  EXPECT_FALSE(worker(number).held.at(id).stop_asked);
  pass(world_, 10s);
  EXPECT_TRUE(worker(number).held.at(id).stop_asked);
}

TEST_F(WorkerStory, AHeartbeatMovesTheDeadline) {
  const WorkerNumber number = attach();
  const EventId id = accepted(world_, event_of("cat"));
  pass(world_, 9s);
  world_.heartbeat(number, id);
  world_.settle();
  pass(world_, 9s);
  EXPECT_FALSE(worker(number).held.at(id).stop_asked);
  pass(world_, 1s);
  EXPECT_TRUE(worker(number).held.at(id).stop_asked);
}

TEST_F(WorkerStory, OneThatDoesNotStopLosesItsConnection) {
  const WorkerNumber number = attach(2);
  const EventId silent = accepted(world_, event_of("1"));
  pass(world_, 5s);
  const EventId other = accepted(world_, event_of("2"));
  pass(world_, 5s);
  EXPECT_TRUE(worker(number).attached.has_value());
  pass(world_, 2s);
  EXPECT_FALSE(worker(number).attached.has_value());
  EXPECT_EQ(view(world_, silent).attempts.at(0).error_type, "Sandbox.Timedout");
  EXPECT_EQ(view(world_, other).attempts.at(0).error_type, "WorkerLost");
  EXPECT_SOUND(world_);
}

TEST_F(WorkerStory, AnAnswerCountsFromTheWorkerThatHasTheAttemptOnly) {
  const WorkerNumber first = attach();
  const EventId id = accepted(world_, event_of("cat"));
  const WorkerNumber second = attach();
  const Ticket foreign =
      world_.say(second, id, AttemptNumber{1}, core::Succeeded{"not mine"});
  const Ticket outdated = world_.say(first, id, AttemptNumber{2}, core::Succeeded{"not that"});
  world_.settle();
  EXPECT_EQ(refusal(world_, foreign), core::Refusal::conflict);
  EXPECT_EQ(refusal(world_, outdated), core::Refusal::conflict);
  EXPECT_EQ(view(world_, id).state, storage::ViewState::running);
}

// --- cancelling ----------------------------------------------------------------

TEST_F(WorkerStory, CancellingWhatWasNotPushedEndsItAtOnce) {
  const WorkerNumber number = attach();
  world_.set_slow(number, true);
  const EventId id = accepted(world_, event_of("cat"));
  const Ticket ticket = cancel(id);
  EXPECT_NE(world_.answer_as<core::CancelAnswer>(ticket), nullptr);
  world_.set_slow(number, false);
  EXPECT_FALSE(holds(number, id));
  EXPECT_SOUND(world_);
}

TEST_F(WorkerStory, CancellingWhatRunsWaitsForItsAnswer) {
  const WorkerNumber number = attach();
  const EventId id = accepted(world_, event_of("cat"));
  const Ticket ticket = cancel(id);
  EXPECT_FALSE(world_.answered(ticket));
  answer(number, id, core::Failed{"Stopped", ""});
  EXPECT_NE(world_.answer_as<core::CancelAnswer>(ticket), nullptr);
  EXPECT_EQ(view(world_, id).state, storage::ViewState::cancelled);
}

// --- a restart -------------------------------------------------------------------

TEST_F(WorkerStory, AWorkerThatComesBackGoesOnUnderTheOldNumber) {
  const WorkerNumber number = attach();
  const EventId id = accepted(world_, event_of("cat"));
  restart();
  world_.settle();
  world_.attach(number);
  world_.settle();
  EXPECT_TRUE(holds(number, id));
  answer(number, id, core::Succeeded{"meow"});
  EXPECT_EQ(spent(id).attempt.value, 1u);
  EXPECT_EQ(spent(id).interruptions, 0u);
  EXPECT_SOUND(world_);
}

TEST_F(WorkerStory, WhatNobodyClaimsIsInterruptedWhenTheWindowIsOver) {
  const WorkerNumber number = attach();
  const EventId id = accepted(world_, event_of("cat"));
  restart();
  world_.settle();
  const WorkerNumber other = attach();
  pass(world_, 9s);
  EXPECT_FALSE(holds(other, id));
  pass(world_, 1s);
  EXPECT_TRUE(holds(other, id));
  EXPECT_TRUE(worker(number).held.empty());
  EXPECT_EQ(spent(id).interruptions, 1u);
  EXPECT_EQ(spent(id).attempt.value, 2u);
}

TEST_F(WorkerStory, ACancelWhileTheLastLifeIsStillReadIsKeptForTheWorker) {
  const WorkerNumber number = attach();
  const EventId id = accepted(world_, event_of("cat"));
  restart();  // nothing of the disk has been read yet
  const Ticket ticket = cancel(id);
  EXPECT_FALSE(world_.answered(ticket));
  world_.attach(number);
  world_.settle();
  EXPECT_TRUE(worker(number).held.at(id).stop_asked);
  answer(number, id, core::Failed{"Stopped", ""});
  EXPECT_NE(world_.answer_as<core::CancelAnswer>(ticket), nullptr);
  EXPECT_SOUND(world_);
}

TEST_F(WorkerStory, ACancelOfWhatNobodyClaimsEndsItWithTheWindow) {
  attach();
  const EventId id = accepted(world_, event_of("cat"));
  restart();
  const Ticket ticket = cancel(id);
  pass(world_, 10s);
  EXPECT_NE(world_.answer_as<core::CancelAnswer>(ticket), nullptr);
  EXPECT_EQ(view(world_, id).state, storage::ViewState::cancelled);
  EXPECT_SOUND(world_);
}

TEST_F(WorkerStory, WhatADrainLeavesIsTakenUpAgain) {
  const WorkerNumber number = attach();
  const EventId id = accepted(world_, event_of("cat"));
  drain_and_start_again();
  world_.attach(number);
  world_.settle();
  EXPECT_TRUE(holds(number, id));
  EXPECT_EQ(spent(id).interruptions, 0u);
}

// --- calls -----------------------------------------------------------------------

TEST_F(WorkerStory, ACallWithoutAWorkerIsRefused) {
  const Ticket ticket = world_.submit(call_of("cat"));
  world_.settle();
  EXPECT_EQ(refusal(world_, ticket), core::Refusal::unavailable);
}

TEST_F(WorkerStory, ACallThatReachedNobodyIsRefusedAndLeavesNothing) {
  const WorkerNumber number = attach();
  world_.set_slow(number, true);
  const Ticket ticket = world_.submit(call_of("cat"));
  world_.settle();
  lose(number);
  EXPECT_EQ(refusal(world_, ticket), core::Refusal::unavailable);
  EXPECT_EQ(world_.memory().row_count(storage::Family::history), 0u);
}

TEST_F(WorkerStory, AKeyedCallThatReachedNobodyIsToldSo) {
  const WorkerNumber number = attach();
  world_.set_slow(number, true);
  const Ticket ticket = world_.submit(call_of("cat", "key"));
  world_.settle();
  lose(number);
  const auto* returned = world_.answer_as<core::Returned>(ticket);
  ASSERT_NE(returned, nullptr);
  EXPECT_EQ(returned->answer.error_type, "NotStarted");
  EXPECT_SOUND(world_);
}

TEST_F(WorkerStory, ADrainTakesBackWhatWasNotPushed) {
  const WorkerNumber number = attach();
  world_.set_slow(number, true);
  const EventId id = accepted(world_, event_of("cat"));
  drain_and_start_again();
  EXPECT_EQ(spent(id).interruptions, 0u);
  EXPECT_EQ(view(world_, id).state, storage::ViewState::pending);
}

TEST_F(WorkerStory, ACallOfALostWorkerIsAFunctionError) {
  const WorkerNumber number = attach();
  const Ticket ticket = world_.submit(call_of("cat"));
  world_.settle();
  lose(number);
  const auto* returned = world_.answer_as<core::Returned>(ticket);
  ASSERT_NE(returned, nullptr);
  EXPECT_EQ(returned->answer.error_type, "WorkerLost");
}

// --- both, and neither -------------------------------------------------------------

class BrokenCommand : public WorkerStory {
 protected:
  BrokenCommand() : WorkerStory(persistent()) {}
  static config::FunctionSettings persistent() {
    config::FunctionSettings function = function_settings();
    function.mode = config::CommandMode::persistent;
    function.workers = true;
    return function;
  }
};

TEST_F(BrokenCommand, ItsEventsWaitAndItsCallsAreRefused) {
  world_.break_command("f");
  const EventId id = accepted(world_, event_of("cat"));
  const Ticket ticket = world_.submit(call_of("cat"));
  world_.settle();
  EXPECT_EQ(refusal(world_, ticket), core::Refusal::unavailable);
  EXPECT_EQ(view(world_, id).state, storage::ViewState::pending);
  world_.mend_command("f");
  world_.settle();
  EXPECT_EQ(attempt_of(world_, id), 1u);
}

TEST_F(BrokenCommand, WhatWasOnItsWayHasSpentNothing) {
  const Ticket ticket = world_.submit(event_of("cat"));
  world_.begin_commit();
  world_.break_command("f");
  world_.settle();
  const EventId id = *world_.accepted(ticket);
  EXPECT_EQ(view(world_, id).state, storage::ViewState::pending);
  EXPECT_EQ(spent(id).failures, 0u);
  EXPECT_SOUND(world_);
}

TEST_F(BrokenCommand, WorkersServeItsFunctionMeanwhile) {
  world_.break_command("f");
  const EventId id = accepted(world_, event_of("cat"));
  EXPECT_TRUE(holds(attach(), id));
}

TEST_F(BrokenCommand, WithoutRoomInAWorkerTheCommandTakesIt) {
  const WorkerNumber number = attach();
  const EventId first = accepted(world_, event_of("1"));
  const EventId second = accepted(world_, event_of("2"));
  EXPECT_TRUE(holds(number, first));
  EXPECT_EQ(attempt_of(world_, second), 1u);
}

}  // namespace
}  // namespace holdfast::test
