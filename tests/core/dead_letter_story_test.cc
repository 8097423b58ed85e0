// Stories of dead letters: redrive, discard, their bounds.
#include "tests/core/story.h"

namespace holdfast::test {
namespace {

config::FunctionSettings no_retries() {
  config::FunctionSettings function = function_settings();
  function.retry = config::ListedRetry{};
  return function;
}

class DeadLetterTest : public testing::Test {
 protected:
  EventId dead_event(World& world, std::string payload, std::string key = {}) {
    const EventId id = accepted(world, event_of(std::move(payload), std::move(key)));
    finish(world, id, core::Exited{1});
    EXPECT_EQ(view(world, id).state, storage::ViewState::dead);
    return id;
  }
  Ticket ask(World& world, core::DeadLetterVerb verb, std::optional<EventId> one = std::nullopt,
             std::optional<std::pair<storage::Seq, storage::Seq>> page = std::nullopt) {
    core::DeadLettersRequest request;
    request.verb = verb;
    request.function = *world.core().ledger().find_function("f");
    request.one = one;
    request.page = page;
    const Ticket ticket = world.dead_letters(request);
    world.settle();
    return ticket;
  }
  uint64_t moved(World& world, Ticket ticket) {
    const auto* answer = world.answer_as<core::DeadLettersMoved>(ticket);
    EXPECT_NE(answer, nullptr);
    return answer == nullptr ? 0 : answer->count;
  }

  World world_{one_function(no_retries())};
};

TEST_F(DeadLetterTest, ARedriveIsTheSameEventWithNewRetriesAndHigherAttemptNumbers) {
  const EventId id = dead_event(world_, "cat");
  EXPECT_EQ(moved(world_, ask(world_, core::DeadLetterVerb::redrive, id)), 1u);
  EXPECT_EQ(attempt_of(world_, id), 2u);
  EXPECT_EQ(*world_.handlers().at(id).start.payload, "cat");
  EXPECT_EQ(view(world_, id).spent.failures, 0u);
  EXPECT_SOUND(world_);
  finish(world_, id, core::Succeeded{"done"});
  EXPECT_EQ(view(world_, id).state, storage::ViewState::succeeded);
  EXPECT_SOUND(world_);
}

TEST_F(DeadLetterTest, ARedriveBeginsTheAgeAnew) {
  const EventId id = dead_event(world_, "cat");
  pass(world_, 48h);
  ask(world_, core::DeadLetterVerb::redrive, id);
  EXPECT_EQ(attempt_of(world_, id), 2u);
}

TEST_F(DeadLetterTest, OneThatIsNotDeadIsNotFound) {
  const EventId id = accepted(world_, event_of("cat"));
  EXPECT_EQ(refusal(world_, ask(world_, core::DeadLetterVerb::redrive, id)),
            core::Refusal::not_found);
  EXPECT_EQ(attempt_of(world_, id), 1u);
}

TEST_F(DeadLetterTest, ADiscardLeavesTheHistoryAndTakesThePayload) {
  const EventId id = dead_event(world_, "cat");
  EXPECT_EQ(moved(world_, ask(world_, core::DeadLetterVerb::discard, id)), 1u);
  EXPECT_EQ(view(world_, id).state, storage::ViewState::failed);
  EXPECT_EQ(world_.memory().row_count(storage::Family::events), 0u);
  EXPECT_SOUND(world_);
}

TEST_F(DeadLetterTest, AllAreMovedAPageAtATime) {
  config::FunctionSettings function = no_retries();
  function.concurrency_max = 1000;
  function.result_bytes_max = 1;  // all of them fit in memory at once
  config::Settings settings = one_function(function);
  settings.limits.attempts_running_max = 1000;
  World world{settings};
  for (int n = 0; n < 300; ++n) world.submit(event_of(std::to_string(n)));
  world.settle();
  while (!world.handlers().empty()) world.finish(world.handlers().begin()->first, core::Exited{1});
  world.settle();
  EXPECT_EQ(world.memory().row_count(storage::Family::dead_letters), 300u);

  const Ticket first = ask(world, core::DeadLetterVerb::redrive);
  EXPECT_EQ(moved(world, first), 256u);
  const auto next = world.answer_as<core::DeadLettersMoved>(first)->next;
  ASSERT_TRUE(next.has_value());
  const Ticket second = ask(world, core::DeadLetterVerb::redrive, std::nullopt, next);
  EXPECT_EQ(moved(world, second), 44u);
  EXPECT_FALSE(world.answer_as<core::DeadLettersMoved>(second)->next.has_value());
  EXPECT_EQ(world.handlers().size(), 300u);
  EXPECT_SOUND(world);
}

TEST_F(DeadLetterTest, ARedriveOfAllThatFindsNoRoomStopsThereAndTheNextCallSaysWhy) {
  for (const char* key : {"", "key"}) {
    config::FunctionSettings function = no_retries();
    function.result_bytes_max = 1;
    World world{one_function(function)};
    std::vector<EventId> dead;
    for (int n = 0; n < 4; ++n) dead.push_back(dead_event(world, std::to_string(n), ""));
    dead.push_back(dead_event(world, "keyed", key));
    dead.push_back(dead_event(world, "last", ""));
    const uint64_t each = core::reserve_for(1, function) + core::growth_of_one(function).history;
    world.space_measured(world.settings().limits.disk_free_min + 4 * each);
    const Ticket first = ask(world, core::DeadLetterVerb::redrive);
    EXPECT_EQ(moved(world, first), 4u);
    const auto next = world.answer_as<core::DeadLettersMoved>(first)->next;
    ASSERT_TRUE(next.has_value());
    EXPECT_EQ(next->first, dead[4].seq);
    EXPECT_EQ(refusal(world, ask(world, core::DeadLetterVerb::redrive, std::nullopt, next)),
              core::Refusal::no_space);
    world.space_measured(UINT64_MAX);
    const Ticket rest = ask(world, core::DeadLetterVerb::redrive, std::nullopt, next);
    EXPECT_EQ(moved(world, rest), 2u);
    EXPECT_FALSE(world.answer_as<core::DeadLettersMoved>(rest)->next.has_value());
    EXPECT_SOUND(world);
  }
}

TEST_F(DeadLetterTest, WhatDiedAfterTheFirstCallIsLeftAlone) {
  const EventId id = dead_event(world_, "cat");
  const std::pair page{storage::Seq{0}, world_.core().ledger().state().next_seq};
  const EventId later = dead_event(world_, "dog");
  EXPECT_EQ(moved(world_, ask(world_, core::DeadLetterVerb::redrive, std::nullopt, page)), 1u);
  EXPECT_EQ(attempt_of(world_, id), 2u);
  EXPECT_EQ(attempt_of(world_, later), 0u);
}

TEST_F(DeadLetterTest, ARedrivenEventClaimsItsKeyAgain) {
  const EventId id = dead_event(world_, "cat", "key");
  pass(world_, 25h);  // the key has expired, and is swept
  EXPECT_EQ(moved(world_, ask(world_, core::DeadLetterVerb::redrive, id)), 1u);
  EXPECT_EQ(accepted(world_, event_of("cat", "key")), id);
  EXPECT_SOUND(world_);
}

TEST_F(DeadLetterTest, AKeyThatNamesAnotherEventByNowStaysWithIt) {
  const EventId id = dead_event(world_, "cat", "key");
  pass(world_, 25h);
  const EventId newer = accepted(world_, event_of("cat", "key"));
  ask(world_, core::DeadLetterVerb::redrive, id);
  EXPECT_EQ(attempt_of(world_, id), 2u);
  EXPECT_EQ(accepted(world_, event_of("cat", "key")), newer);
  finish(world_, id, core::Succeeded{"of the old one"});
  EXPECT_EQ(accepted(world_, event_of("cat", "key")), newer);
  EXPECT_SOUND(world_);
}

TEST_F(DeadLetterTest, AKeyStaysWithANewerEventThatIsNotDurableYetToo) {
  constexpr size_t kDeadLetters = 4;
  constexpr size_t kKey = kReadKinds - 1;
  const EventId id = dead_event(world_, "cat", "key");
  pass(world_, 25h);
  core::DeadLettersRequest request;
  request.verb = core::DeadLetterVerb::redrive;
  request.function = *world_.core().ledger().find_function("f");
  request.one = id;
  const Ticket redriven = world_.dead_letters(request);
  world_.begin_commit();
  world_.apply_commit();
  world_.notice_commit();
  ASSERT_TRUE(world_.may_perform_read(kDeadLetters));
  world_.perform_read(kDeadLetters);

  const Ticket newer = world_.submit(event_of("cat", "key"));
  ASSERT_TRUE(world_.may_perform_read(kKey));
  world_.perform_read(kKey);
  world_.deliver_read(kKey);
  world_.deliver_read(kDeadLetters);
  ASSERT_FALSE(world_.may_perform_read(kKey)) << "the redrive knows the key from memory";
  ASSERT_EQ(world_.memory().row_count(storage::Family::idempotency), 0u);  // not durable yet
  world_.settle();

  EXPECT_EQ(moved(world_, redriven), 1u);
  const std::optional<EventId> named = world_.accepted(newer);
  ASSERT_TRUE(named.has_value());
  EXPECT_NE(*named, id);
  EXPECT_EQ(accepted(world_, event_of("cat", "key")), *named);
  finish(world_, id, core::Succeeded{"of the old one"});
  EXPECT_EQ(accepted(world_, event_of("cat", "key")), *named);
  EXPECT_SOUND(world_);
}

TEST_F(DeadLetterTest, WhenTheyAreFullNewEventsAreRefusedUntilThereIsRoom) {
  config::FunctionSettings function = no_retries();
  function.dead_letters_bytes_max = 1000;
  World world{one_function(function)};
  dead_event(world, std::string(900, 'x'));
  const Ticket refused = world.submit(event_of("dog"));
  world.settle();
  EXPECT_EQ(refusal(world, refused), core::Refusal::busy);
  ask(world, core::DeadLetterVerb::discard);
  accepted(world, event_of("dog"));
}

TEST_F(DeadLetterTest, TheOldestAreDroppedAndCountedWhereThatIsChosen) {
  config::FunctionSettings function = no_retries();
  function.dead_letters_bytes_max = 4000;
  function.dead_letters_full = config::DeadLettersFull::drop_oldest;
  World world{one_function(function)};
  std::vector<EventId> dead;
  for (int n = 0; n < 8; ++n) {
    dead.push_back(accepted(world, event_of(std::string(500, 'x'))));
    finish(world, dead.back(), core::Exited{1});
  }
  const storage::FunctionRecord& counts = world.core().ledger().function(dead[0].function);
  EXPECT_LE(counts.dead_letters_bytes, 4000u);
  EXPECT_EQ(counts.dead_letters + counts.dead_letters_dropped, 8u);
  EXPECT_EQ(view(world, dead.front()).state, storage::ViewState::failed);
  EXPECT_EQ(view(world, dead.back()).state, storage::ViewState::dead);
  EXPECT_SOUND(world);
}

TEST_F(DeadLetterTest, ADrainRefusesToMoveThem) {
  const EventId id = dead_event(world_, "cat");
  world_.drain();
  EXPECT_EQ(refusal(world_, ask(world_, core::DeadLetterVerb::redrive, id)),
            core::Refusal::unavailable);
}

}  // namespace
}  // namespace holdfast::test
