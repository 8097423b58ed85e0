// Stories of accepting: what is durable when, keys, synchronous calls, refusals.
#include "tests/core/story.h"

namespace holdfast::test {
namespace {

TEST(Submit, IsAnsweredAndStartedOnlyWhenItIsDurableAndByOneCommit) {
  World world{one_function()};
  world.settle();
  const uint64_t commits = world.memory().commit_count();

  const Ticket ticket = world.submit(event_of("cat"));
  world.begin_commit();
  EXPECT_FALSE(world.answered(ticket));
  world.apply_commit();
  EXPECT_FALSE(world.answered(ticket));
  EXPECT_TRUE(world.handlers().empty());
  world.notice_commit();

  const auto id = world.accepted(ticket);
  ASSERT_TRUE(id.has_value());
  EXPECT_EQ(attempt_of(world, *id), 1u);
  EXPECT_EQ(*world.handlers().at(*id).start.payload, "cat");
  EXPECT_EQ(world.memory().commit_count(), commits + 1);
  EXPECT_EQ(view(world, *id).state, storage::ViewState::running);
  EXPECT_SOUND(world);
}

TEST(Submit, AnAnswerThatChangesNothingWaitsForTheCommitItRestsOn) {
  World world{one_function()};
  world.settle();
  world.submit(event_of("cat", "key"));
  world.perform_read(kReadKinds - 1);
  world.deliver_read(kReadKinds - 1);
  const Ticket duplicate = world.submit(event_of("cat", "key"));  // known from memory
  world.begin_commit();
  world.apply_commit();
  EXPECT_FALSE(world.answered(duplicate));
  world.notice_commit();
  ASSERT_NE(world.answer_as<core::Accepted>(duplicate), nullptr);
  EXPECT_TRUE(world.answer_as<core::Accepted>(duplicate)->duplicate);
}

TEST(Submit, WhatWasNotDurableIsGoneAfterACrashAndWasNeverAnswered) {
  World world{one_function()};
  world.settle();
  const Ticket lost = world.submit(event_of("cat"));
  world.begin_commit();
  world.crash(World::InFlight::lost);
  world.boot();
  world.settle();
  EXPECT_FALSE(world.answered(lost));
  EXPECT_TRUE(world.handlers().empty());
  EXPECT_EQ(world.core().ledger().state().accepted, 0u);
}

TEST(Submit, ADelayedEventStartsWhenItIsDueAndNotBefore) {
  World world{one_function()};
  const EventId id = accepted(world, event_of("cat", {}, 60s));
  EXPECT_EQ(view(world, id).state, storage::ViewState::pending);
  pass(world, 60s - 1ms);
  EXPECT_EQ(attempt_of(world, id), 0u);
  pass(world, 1ms);
  EXPECT_EQ(attempt_of(world, id), 1u);
  EXPECT_SOUND(world);
}

TEST(Submit, AnUnknownFunctionIsRefused) {
  World world{one_function()};
  core::Submission submission = event_of("cat");
  submission.function = "g";
  const Ticket ticket = world.submit(submission);
  world.settle();
  EXPECT_EQ(refusal(world, ticket), core::Refusal::not_found);
}

TEST(Submit, ThePayloadLimitsHoldAtTheLastByte) {
  World world{one_function()};
  const Ticket largest = world.submit(event_of(std::string(1048576, 'x')));
  const Ticket larger = world.submit(event_of(std::string(1048577, 'x')));
  const Ticket largest_call = world.submit(call_of(std::string(6291556, 'x')));
  const Ticket larger_call = world.submit(call_of(std::string(6291557, 'x')));
  world.settle();
  EXPECT_TRUE(world.accepted(largest).has_value());
  EXPECT_EQ(refusal(world, larger), core::Refusal::too_large);
  EXPECT_EQ(world.handlers().size(), 2u);
  EXPECT_FALSE(world.answered(largest_call));  // it runs
  EXPECT_EQ(refusal(world, larger_call), core::Refusal::too_large);
}

TEST(Submit, ADryRunIsCheckedAndNothingIsKept) {
  World world{one_function()};
  core::Submission submission = event_of("cat", "key");
  submission.dry_run = true;
  const Ticket ticket = world.submit(submission);
  world.settle();
  EXPECT_NE(world.answer_as<core::DryRunPassed>(ticket), nullptr);
  EXPECT_EQ(world.core().ledger().state().accepted, 0u);
  EXPECT_EQ(world.core().ledger().state().idempotency_bytes, 0u);
}

TEST(Submit, AFullDiskRefusesNewEventsAndStillEndsTheOldOnes) {
  World world{one_function()};
  const EventId id = accepted(world, event_of("cat"));
  world.space_measured(0);
  const Ticket refused = world.submit(event_of("dog"));
  world.settle();
  EXPECT_EQ(refusal(world, refused), core::Refusal::no_space);
  finish(world, id, core::Succeeded{"done"});
  EXPECT_EQ(view(world, id).state, storage::ViewState::succeeded);
  world.space_measured(UINT64_MAX);
  accepted(world, event_of("dog"));
}

// --- idempotency keys ------------------------------------------------------------------

// Looked up on the disk, or found in memory.
class Key : public ::testing::TestWithParam<uint64_t> {};
INSTANTIATE_TEST_SUITE_P(Keys, Key, ::testing::Values(0, 1));

TEST(KeyInMemory, NeedsNoLookup) {
  World world{one_function()};
  world.settle();
  world.cache_keys(1);
  const Ticket first = world.submit(event_of("cat", "key"));
  EXPECT_FALSE(world.may_perform_read(kReadKinds - 1));
  world.cache_keys(0);
  world.submit(event_of("cat", "another key"));
  EXPECT_TRUE(world.may_perform_read(kReadKinds - 1));
  world.settle();
  EXPECT_TRUE(world.accepted(first).has_value());
}

TEST_P(Key, NamesOneEventFromItsSubmitOn) {
  World world{one_function()};
  world.cache_keys(GetParam());
  const EventId id = accepted(world, event_of("cat", "key"));
  const Ticket again = world.submit(event_of("cat", "key"));
  world.settle();
  const auto* duplicate = world.answer_as<core::Accepted>(again);
  ASSERT_NE(duplicate, nullptr);
  EXPECT_EQ(duplicate->event, id);
  EXPECT_TRUE(duplicate->duplicate);
  EXPECT_FALSE(duplicate->ending.has_value());
  EXPECT_EQ(world.core().ledger().state().accepted, 1u);
}

TEST_P(Key, TellsTheEndingUntilItsRetentionIsOver) {
  World world{one_function()};
  world.cache_keys(GetParam());
  const EventId id = accepted(world, event_of("cat", "key"));
  finish(world, id, core::Succeeded{"done"});
  world.advance(24h - 1ms);
  const Ticket again = world.submit(event_of("cat", "key"));
  world.settle();
  ASSERT_NE(world.answer_as<core::Accepted>(again), nullptr);
  ASSERT_TRUE(world.answer_as<core::Accepted>(again)->ending.has_value());
  EXPECT_EQ(world.answer_as<core::Accepted>(again)->ending->result, "done");
  world.advance(1ms);
  EXPECT_NE(accepted(world, event_of("cat", "key")), id);
  EXPECT_SOUND(world);
}

TEST_P(Key, WithAnotherPayloadIsRefused) {
  World world{one_function()};
  world.cache_keys(GetParam());
  accepted(world, event_of("cat", "key"));
  const Ticket other = world.submit(event_of("dog", "key"));
  world.settle();
  EXPECT_EQ(refusal(world, other), core::Refusal::key_conflict);
}

TEST_P(Key, SubmitsThatMeetDuringTheLookupAreOneEvent) {
  World world{one_function()};
  world.cache_keys(GetParam());
  world.settle();
  const Ticket first = world.submit(event_of("cat", "key"));
  const Ticket second = world.submit(event_of("cat", "key"));
  const Ticket other = world.submit(event_of("dog", "key"));
  world.settle();
  ASSERT_TRUE(world.accepted(first).has_value());
  EXPECT_EQ(world.accepted(first), world.accepted(second));
  EXPECT_EQ(refusal(world, other), core::Refusal::key_conflict);
}

TEST_P(Key, IsRememberedAcrossACrash) {
  World world{one_function()};
  world.cache_keys(GetParam());
  const EventId id = accepted(world, event_of("cat", "key"));
  world.crash(World::InFlight::lost);
  world.boot();
  EXPECT_EQ(accepted(world, event_of("cat", "key")), id);
}

TEST_P(Key, IsSweptWhenItHasExpired) {
  World world{one_function()};
  world.cache_keys(GetParam());
  const EventId id = accepted(world, event_of("cat", "key"));
  finish(world, id, core::Succeeded{"done"});
  EXPECT_GT(world.core().ledger().state().idempotency_bytes, 0u);
  pass(world, 24h);
  EXPECT_EQ(world.core().ledger().state().idempotency_bytes, 0u);
  EXPECT_EQ(world.memory().row_count(storage::Family::idempotency), 0u);
}

// The lookup still finds the row whose erasure is on its way to the disk.
TEST_P(Key, UsedAgainWhileItsErasureIsInFlightIsCountedOnce) {
  World world{one_function()};
  world.cache_keys(GetParam());
  const EventId id = accepted(world, event_of("cat", "key"));
  finish(world, id, core::Succeeded{"done"});
  world.advance(24h);
  world.tick();
  world.begin_commit();
  world.apply_commit();
  world.notice_commit();
  constexpr size_t kExpiredKeys = 3;
  ASSERT_TRUE(world.may_perform_read(kExpiredKeys));
  world.perform_read(kExpiredKeys);
  world.deliver_read(kExpiredKeys);
  ASSERT_EQ(world.memory().row_count(storage::Family::idempotency), 1u);  // not durable yet

  const Ticket again = world.submit(event_of("cat", "key"));
  if (world.may_perform_read(kReadKinds - 1)) world.perform_read(kReadKinds - 1);
  world.settle();
  EXPECT_TRUE(world.accepted(again).has_value());
  EXPECT_NE(world.accepted(again), id);
  EXPECT_SOUND(world);
}

// --- synchronous calls -----------------------------------------------------------------

TEST(Call, RunsAtOnceAndIsAnsweredWhenItHasEnded) {
  World world{one_function()};
  const Ticket ticket = world.submit(call_of("cat"));
  world.settle();
  ASSERT_EQ(world.handlers().size(), 1u);
  EXPECT_FALSE(world.answered(ticket));
  const std::string large(100'000, 'r');
  finish(world, world.handlers().begin()->first, core::Succeeded{large});
  const auto* returned = world.answer_as<core::Returned>(ticket);
  ASSERT_NE(returned, nullptr);
  EXPECT_EQ(returned->answer.result, large);  // whole, though too large to be kept
  EXPECT_SOUND(world);
}

TEST(Call, IsNeverRetried) {
  World world{one_function()};
  const Ticket ticket = world.submit(call_of("cat"));
  world.settle();
  finish(world, world.handlers().begin()->first, core::Exited{3});
  const auto* returned = world.answer_as<core::Returned>(ticket);
  ASSERT_NE(returned, nullptr);
  EXPECT_EQ(returned->answer.condition, storage::Condition::function_error);
  EXPECT_EQ(returned->answer.error_type, "Runtime.ExitError");
  pass(world, 1h);
  EXPECT_TRUE(world.handlers().empty());
  EXPECT_EQ(world.memory().row_count(storage::Family::dead_letters), 0u);
}

TEST(Call, IsBusyWhenAllSlotsAreTakenAndOneSlotIsKeptForIt) {
  config::FunctionSettings function = function_settings();
  function.concurrency_max = 3;
  World world{one_function(function)};
  for (int n = 0; n < 5; ++n) accepted(world, event_of(std::to_string(n)));
  EXPECT_EQ(world.handlers().size(), 2u);  // one slot is kept free
  const Ticket runs = world.submit(call_of("call"));
  const Ticket busy = world.submit(call_of("another"));
  world.settle();
  EXPECT_EQ(world.handlers().size(), 3u);
  EXPECT_FALSE(world.answered(runs));
  EXPECT_EQ(refusal(world, busy), core::Refusal::busy);
}

TEST(Call, ASingleSlotServesBothKinds) {
  config::FunctionSettings function = function_settings();
  function.concurrency_max = 1;
  World world{one_function(function)};
  accepted(world, event_of("cat"));
  EXPECT_EQ(world.handlers().size(), 1u);
  const Ticket busy = world.submit(call_of("call"));
  world.settle();
  EXPECT_EQ(refusal(world, busy), core::Refusal::busy);
}

TEST(Call, WithAKeyIsJoinedWhileItRunsAndRememberedAfterwards) {
  World world{one_function()};
  const Ticket first = world.submit(call_of("cat", "key"));
  const Ticket joined = world.submit(call_of("cat", "key"));
  world.settle();
  ASSERT_EQ(world.handlers().size(), 1u);
  finish(world, world.handlers().begin()->first, core::Succeeded{"done"});
  const Ticket later = world.submit(call_of("cat", "key"));
  world.settle();
  for (Ticket ticket : {first, joined, later}) {
    const auto* returned = world.answer_as<core::Returned>(ticket);
    ASSERT_NE(returned, nullptr);
    EXPECT_EQ(returned->answer.result, "done");
    EXPECT_EQ(returned->duplicate, ticket != first);
  }
}

TEST(Call, WithAKeyThatACrashCutShortIsAnsweredAndNeverRunAgain) {
  World world{one_function()};
  world.submit(call_of("cat", "key"));
  world.settle();
  world.crash(World::InFlight::lost);
  world.boot();
  const Ticket again = world.submit(call_of("cat", "key"));
  world.settle();
  EXPECT_TRUE(world.handlers().empty());
  const auto* returned = world.answer_as<core::Returned>(again);
  ASSERT_NE(returned, nullptr);
  EXPECT_EQ(returned->answer.condition, storage::Condition::interrupted);
  EXPECT_EQ(world.core().recovery().interrupted_calls, 1u);
  EXPECT_SOUND(world);
}

// Its request id was told to a handler, though it was never written.
TEST(Call, ItsIdIsNotGivenAgainAfterACrash) {
  World world{one_function()};
  world.settle();
  world.submit(call_of("cat"));
  world.settle();
  const EventId first = world.handlers().begin()->first;
  world.crash(World::InFlight::lost);
  world.boot();
  world.submit(call_of("dog"));
  world.settle();
  const EventId second = world.handlers().begin()->first;
  world.crash(World::InFlight::lost);
  world.boot();
  world.submit(call_of("cow"));
  world.settle();
  EXPECT_LT(first.seq, second.seq);
  EXPECT_LT(second.seq, world.handlers().begin()->first.seq);
}

}  // namespace
}  // namespace holdfast::test
