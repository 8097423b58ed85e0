// Stories of cancelling: in each state an event can be in.
#include "tests/core/story.h"

namespace holdfast::test {
namespace {

// One slot, and it is taken: everything else waits.
class CancelTest : public testing::Test {
 protected:
  CancelTest() : world_(one_function(single())) {}

  static config::FunctionSettings single() {
    config::FunctionSettings function = function_settings();
    function.concurrency_max = 1;
    return function;
  }
  std::optional<storage::EndState> cancelled(Ticket ticket) const {
    const auto* answer = world_.answer_as<core::CancelAnswer>(ticket);
    return answer == nullptr ? std::nullopt : std::optional{answer->state};
  }
  Ticket cancel(const EventId& id) {
    const Ticket ticket = world_.cancel(id);
    world_.settle();
    return ticket;
  }

  World world_;
};

TEST_F(CancelTest, AFreshEventEndsWithoutADeadLetter) {
  accepted(world_, event_of("runs"));
  const EventId id = accepted(world_, event_of("waits"));
  EXPECT_EQ(cancelled(cancel(id)), storage::EndState::cancelled);
  EXPECT_EQ(view(world_, id).state, storage::ViewState::cancelled);
  EXPECT_EQ(world_.memory().row_count(storage::Family::dead_letters), 0u);
  EXPECT_EQ(world_.memory().row_count(storage::Family::destinations), 0u);
  EXPECT_SOUND(world_);
}

TEST_F(CancelTest, ADelayedEventEnds) {
  const EventId id = accepted(world_, event_of("later", {}, 1h));
  EXPECT_EQ(cancelled(cancel(id)), storage::EndState::cancelled);
  pass(world_, 1h);
  EXPECT_TRUE(world_.handlers().empty());
  EXPECT_SOUND(world_);
}

TEST_F(CancelTest, AnEventThatWaitsForItsRetryEnds) {
  const EventId id = accepted(world_, event_of("cat"));
  finish(world_, id, core::Exited{1});
  EXPECT_EQ(cancelled(cancel(id)), storage::EndState::cancelled);
  EXPECT_EQ(view(world_, id).ending->attempts.size(), 1u);
  EXPECT_EQ(world_.memory().row_count(storage::Family::attempts), 0u);
  pass(world_, 1h);
  EXPECT_TRUE(world_.handlers().empty());
  EXPECT_SOUND(world_);
}

TEST_F(CancelTest, ARunningEventIsStoppedAndThenEnds) {
  const EventId id = accepted(world_, event_of("cat"));
  const Ticket ticket = cancel(id);
  EXPECT_FALSE(world_.answered(ticket));
  EXPECT_TRUE(world_.handlers().at(id).stop_asked);
  finish(world_, id, core::Stopped{});
  EXPECT_EQ(cancelled(ticket), storage::EndState::cancelled);
  pass(world_, 1h);
  EXPECT_TRUE(world_.handlers().empty());
  EXPECT_SOUND(world_);
}

TEST_F(CancelTest, ARunningEventThatFailsInsteadIsNotTriedAgain) {
  const EventId id = accepted(world_, event_of("cat"));
  const Ticket ticket = cancel(id);
  finish(world_, id, core::Exited{1});
  EXPECT_EQ(cancelled(ticket), storage::EndState::cancelled);
  pass(world_, 1h);
  EXPECT_TRUE(world_.handlers().empty());
}

TEST_F(CancelTest, AHandlerThatSucceedsFirstWins) {
  const EventId id = accepted(world_, event_of("cat"));
  const Ticket ticket = cancel(id);
  finish(world_, id, core::Succeeded{"done"});
  EXPECT_EQ(cancelled(ticket), storage::EndState::succeeded);
}

TEST_F(CancelTest, AnEndedADeadAndAnUnknownEventAreRefused) {
  const EventId ended = accepted(world_, event_of("cat"));
  finish(world_, ended, core::Succeeded{"done"});
  EXPECT_EQ(refusal(world_, cancel(ended)), core::Refusal::conflict);

  const EventId dead = accepted(world_, event_of("dog"));
  for (Duration wait : {10s, 20s, 0s}) {
    finish(world_, dead, core::Exited{1});
    pass(world_, wait);
  }
  EXPECT_EQ(refusal(world_, cancel(dead)), core::Refusal::conflict);

  EventId unknown = dead;
  unknown.seq = storage::Seq{UINT64_MAX - 1};
  EXPECT_EQ(refusal(world_, cancel(unknown)), core::Refusal::not_found);
}

TEST_F(CancelTest, ASynchronousCallIsRefused) {
  world_.submit(call_of("cat"));
  world_.settle();
  EXPECT_EQ(refusal(world_, cancel(world_.handlers().begin()->first)), core::Refusal::conflict);
}

// The look for an event, sent for one caller, finds it alive; it is claimed and ends;
// then comes another caller, and only then the answer to the first look.
TEST_F(CancelTest, AnAnswerOlderThanTheEndingEndsNothingTwice) {
  const EventId runs = accepted(world_, event_of("runs"));
  const EventId id = accepted(world_, event_of("waits"));
  const Ticket first = world_.cancel(id);
  world_.begin_commit();
  world_.apply_commit();
  world_.notice_commit();
  constexpr size_t kEvent = 2;
  ASSERT_TRUE(world_.may_perform_read(kEvent));
  world_.perform_read(kEvent);
  world_.finish(runs, core::Succeeded{"done"});  // the slot is free: it is claimed, and ends
  const Ticket second = world_.cancel(id);
  world_.deliver_read(kEvent);
  world_.settle();
  EXPECT_EQ(cancelled(first), storage::EndState::cancelled);
  EXPECT_EQ(refusal(world_, second), core::Refusal::conflict);
  EXPECT_SOUND(world_);
}

// A request id can be written by hand: the function is part of the name.
TEST_F(CancelTest, TheSeqOfOneFunctionWithTheNameOfAnotherIsNobody) {
  config::Settings settings = world_.settings();
  settings.functions["g"] = function_settings();
  world_.reload(settings);
  const EventId id = accepted(world_, event_of("cat"));
  EventId forged = id;
  forged.function = *world_.core().ledger().find_function("g");
  EXPECT_EQ(refusal(world_, cancel(forged)), core::Refusal::conflict);
  EXPECT_FALSE(world_.handlers().at(id).stop_asked);
}

// --- waiting for an ending -------------------------------------------------------------

TEST_F(CancelTest, WaitingAnswersWhenTheEventEnds) {
  const EventId id = accepted(world_, event_of("cat"));
  const Ticket ticket = world_.await(id, 20s);
  world_.settle();
  EXPECT_EQ(world_.viewed(ticket), nullptr);
  finish(world_, id, core::Succeeded{"done"});
  ASSERT_NE(world_.viewed(ticket), nullptr);
  EXPECT_EQ((*world_.viewed(ticket))->state, storage::ViewState::succeeded);
}

TEST_F(CancelTest, WaitingAnswersWhenTheWaitIsOver) {
  const EventId id = accepted(world_, event_of("cat"));
  const Ticket ticket = world_.await(id, 20s);
  pass(world_, 20s - 1ms);
  EXPECT_EQ(world_.viewed(ticket), nullptr);
  pass(world_, 1ms);
  ASSERT_NE(world_.viewed(ticket), nullptr);
  EXPECT_EQ((*world_.viewed(ticket))->state, storage::ViewState::running);
}

}  // namespace
}  // namespace holdfast::test
