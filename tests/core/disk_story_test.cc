// Stories of a disk that fills up: what stops at which floor, and what goes on.
#include "tests/core/story.h"

namespace holdfast::test {
namespace {

constexpr uint64_t kMiB = 1u << 20;

config::Settings small_disk(config::FunctionSettings function = function_settings()) {
  config::Settings settings = one_function(std::move(function));
  settings.limits.disk_free_min = 16 * kMiB;
  return settings;
}

class StartGateTest : public testing::Test {
 protected:
  World world_{small_disk()};
};

TEST_F(StartGateTest, BelowHalfOfTheFloorNothingStartsAndItGoesOnByItself) {
  world_.space_measured(64 * kMiB);
  const EventId fresh = accepted(world_, event_of("fresh", {}, 1s));
  const EventId due = accepted(world_, event_of("due", {}, 2s));
  world_.space_measured(8 * kMiB - 1);
  EXPECT_TRUE(world_.core().starts_wait_for_disk());
  pass(world_, 10s);
  EXPECT_TRUE(world_.handlers().empty());
  EXPECT_EQ(world_.core().next_wakeup(), std::nullopt);  // and nobody asks again and again
  world_.space_measured(8 * kMiB);
  EXPECT_FALSE(world_.core().starts_wait_for_disk());
  pass(world_, 0s);
  EXPECT_EQ(attempt_of(world_, fresh), 1u);
  EXPECT_EQ(attempt_of(world_, due), 0u);  // the other's end has its room first
  finish(world_, fresh, core::Succeeded{});
  world_.space_measured(8 * kMiB);
  pass(world_, 0s);
  EXPECT_EQ(attempt_of(world_, due), 1u);
  EXPECT_SOUND(world_);
}

TEST_F(StartGateTest, WhatRunsEndsAndItsRetryWaits) {
  const EventId id = accepted(world_, event_of("cat"));
  world_.space_measured(0);
  finish(world_, id, core::Exited{1});
  pass(world_, 1h);
  EXPECT_EQ(attempt_of(world_, id), 0u);
  EXPECT_EQ(view(world_, id).state, storage::ViewState::pending);
  world_.space_measured(UINT64_MAX);
  pass(world_, 0s);
  EXPECT_EQ(attempt_of(world_, id), 2u);
}

TEST_F(StartGateTest, WhatIsWrittenBetweenTwoMeasurementsCounts) {
  world_.space_measured(26 * kMiB);
  config::Settings settings = world_.settings();
  settings.functions["f"].concurrency_max = 100;
  world_.reload(settings);
  size_t accepted_count = 0;
  for (int n = 0; n < 30; ++n) {
    const Ticket ticket = world_.submit(event_of(std::string(kMiB, 'x'), {}, 1s));
    world_.settle();
    accepted_count += world_.accepted(ticket) ? 1 : 0;
  }
  EXPECT_EQ(accepted_count, 9u);  // down to 16 MiB, with room for their endings
  world_.space_measured(8 * kMiB + 200'000);
  pass(world_, 1s);
  EXPECT_EQ(world_.handlers().size(), 3u);
  while (!world_.handlers().empty()) {
    finish(world_, world_.handlers().begin()->first, core::Succeeded{std::string(60'000, 'r')});
  }
  const uint64_t ended = world_.core().ledger().state().ended;
  EXPECT_GE(ended, 3u);  // while results of 60,000 bytes fit above 8 MiB
  EXPECT_LE(ended, 4u);
  EXPECT_SOUND(world_);
}

TEST_F(StartGateTest, WhatRunsHasItsRoomSetAside) {
  config::FunctionSettings function = function_settings();
  function.on_success = "done";
  function.result_bytes_max = 3 * kMiB;
  World world{small_disk(function)};
  for (int n = 0; n < 3; ++n) world.submit(event_of("cat", {}, 1s));
  world.settle();
  world.space_measured(14 * kMiB);  // one record of 4 MiB has room, and a second one begins
  pass(world, 1s);
  EXPECT_EQ(world.handlers().size(), 2u);
  EXPECT_FALSE(world.core().starts_wait_for_disk());
  finish(world, world.handlers().begin()->first, core::Exited{1});
  EXPECT_EQ(world.handlers().size(), 2u);
}

TEST_F(StartGateTest, NothingEndsForItsAgeWhileTheDiskIsShort) {
  config::FunctionSettings function = function_settings();
  function.concurrency_max = 1;
  function.event_age_max = 60s;
  World world{small_disk(function)};
  const EventId runs = accepted(world, event_of("runs"));
  const EventId waits = accepted(world, event_of("waits"));
  world.space_measured(0);
  pass(world, 1h);
  EXPECT_EQ(view(world, waits).state, storage::ViewState::pending);
  world.space_measured(UINT64_MAX);
  pass(world, 0s);
  EXPECT_EQ(view(world, waits).ending->condition, storage::Condition::event_age_exceeded);
  finish(world, runs, core::Succeeded{});
  EXPECT_SOUND(world);
}

TEST_F(StartGateTest, ACancelAndADiscardWorkOnAFullDisk) {
  config::FunctionSettings function = function_settings();
  function.retry = config::ListedRetry{};
  World world{small_disk(function)};
  const EventId dead = accepted(world, event_of("dead"));
  finish(world, dead, core::Exited{1});
  const EventId waits = accepted(world, event_of("waits", {}, 1h));
  world.space_measured(0);
  const Ticket cancel = world.cancel(waits);
  core::DeadLettersRequest discard;
  discard.verb = core::DeadLetterVerb::discard;
  discard.function = dead.function;
  const Ticket discarded = world.dead_letters(discard);
  world.settle();
  EXPECT_NE(world.answer_as<core::CancelAnswer>(cancel), nullptr);
  ASSERT_NE(world.answer_as<core::DeadLettersMoved>(discarded), nullptr);
  EXPECT_EQ(world.answer_as<core::DeadLettersMoved>(discarded)->count, 1u);
}

TEST_F(StartGateTest, AnEventOnItsWayToItsStartGoesBackWhenTheDiskIsShort) {
  config::FunctionSettings function = function_settings();
  function.concurrency_max = 3;
  World world{small_disk(function)};
  for (int n = 0; n < 3; ++n) world.submit(event_of(std::to_string(n), {}, 1s));
  world.settle();
  world.advance(1s);
  world.tick_if_due();  // claimed; the records are being read
  world.space_measured(0);
  world.settle();
  EXPECT_TRUE(world.handlers().empty());
  world.space_measured(UINT64_MAX);
  pass(world, 0s);
  EXPECT_EQ(world.handlers().size(), 2u);
  EXPECT_SOUND(world);
}

TEST_F(StartGateTest, ARestartOnAFullDiskInterruptsNobodyTwice) {
  const EventId id = accepted(world_, event_of("cat"));
  world_.space_measured(0);
  for (int n = 0; n < 10; ++n) {
    world_.crash(World::InFlight::lost);
    world_.boot();
    world_.settle();
  }
  EXPECT_EQ(view(world_, id).spent.interruptions, 1u);
  world_.space_measured(UINT64_MAX);
  pass(world_, 0s);
  finish(world_, id, core::Succeeded{});
  EXPECT_EQ(view(world_, id).state, storage::ViewState::succeeded);
}

// --- room in queues and among dead letters -----------------------------------------------

class RoomTest : public testing::Test {
 protected:
  static config::Settings routed(uint64_t bytes_max) {
    config::FunctionSettings function = function_settings();
    function.on_success = "done";
    function.concurrency_max = 50;
    function.result_bytes_max = 300;
    config::Settings settings = one_function(function);
    settings.queues["done"].bytes_max = bytes_max;
    return settings;
  }
  static const storage::QueueRecord& queue(World& world) {
    return world.core().ledger().queue(*world.core().ledger().find_queue("done"));
  }
  // Receives and deletes what the queue has; tells how many there were.
  static size_t empty_queue(World& world) {
    const Ticket ticket = world.receive("done", 10, 12h);
    world.settle();
    const auto messages = world.answer_as<core::Received>(ticket)->messages;
    for (const auto& message : messages) world.remove(message.key);
    world.settle();
    return messages.size();
  }
};

TEST_F(RoomTest, AQueueNeverExceedsItsBoundByMoreThanOneRecordAndAllEndAsItIsEmptied) {
  World world{routed(20'000)};
  for (int n = 0; n < 60; ++n) world.submit(event_of("cat", {}, 1s));
  world.settle();
  pass(world, 1s);
  size_t emptied = 0;
  for (int round = 0; round < 200 && emptied < 60; ++round) {
    while (!world.handlers().empty()) {
      finish(world, world.handlers().begin()->first, core::Succeeded{std::string(300, 'r')});
      EXPECT_LT(queue(world).bytes, 20'000u + 1500u);
    }
    EXPECT_GE(queue(world).bytes + 50 * 1500u, 20'000u);
    EXPECT_GT(world.core().next_wakeup().value_or(TimePoint::max()), world.moment().now);
    emptied += empty_queue(world);
  }
  EXPECT_EQ(emptied, 60u);
  EXPECT_EQ(world.core().ledger().state().ended, 60u);
  EXPECT_SOUND(world);
}

TEST_F(RoomTest, WhileAQueueIsFullNothingGrowsTooOldAndOtherFunctionsGoOn) {
  config::Settings settings = routed(1000);
  settings.functions["f"].event_age_max = 60s;
  settings.functions["g"] = function_settings();
  World world{settings};
  const EventId first = accepted(world, event_of("first"));
  const EventId waits = accepted(world, event_of("waits", {}, 1s));
  finish(world, first, core::Succeeded{std::string(300, 'r')});
  while (queue(world).bytes < 1000) world.send("done", std::string(500, 'm'));
  pass(world, 10min);
  EXPECT_EQ(view(world, waits).state, storage::ViewState::pending);
  core::Submission other = event_of("other");
  other.function = "g";
  EXPECT_EQ(attempt_of(world, accepted(world, other)), 1u);
  while (empty_queue(world) > 0) {
  }
  EXPECT_EQ(view(world, waits).ending->condition, storage::Condition::event_age_exceeded);
  EXPECT_SOUND(world);
}

TEST_F(RoomTest, DeadLettersNeverExceedTheirBoundByMoreThanOne) {
  config::FunctionSettings function = function_settings();
  function.retry = config::ListedRetry{};
  function.concurrency_max = 50;
  function.dead_letters_bytes_max = 30'000;
  World world{one_function(function)};
  for (int n = 0; n < 60; ++n) world.submit(event_of(std::string(1000, 'x'), {}, 1s));
  world.settle();
  pass(world, 1s);
  while (!world.handlers().empty()) {
    finish(world, world.handlers().begin()->first, core::Exited{1});
  }
  const storage::FunctionId id = *world.core().ledger().find_function("f");
  EXPECT_LT(world.core().ledger().function(id).dead_letters_bytes, 30'000u + 8000u);
  EXPECT_GT(world.core().ledger().function(id).dead_letters, 10u);
  core::DeadLettersRequest discard;
  discard.verb = core::DeadLetterVerb::discard;
  discard.function = id;
  for (int n = 0; n < 60 && world.core().ledger().function(id).waiting > 0; ++n) {
    world.dead_letters(discard);
    world.settle();
    EXPECT_FALSE(world.handlers().empty());
    while (!world.handlers().empty()) {
      finish(world, world.handlers().begin()->first, core::Exited{1});
    }
  }
  EXPECT_EQ(world.core().ledger().state().ended, 60u);
  EXPECT_SOUND(world);
}

TEST_F(RoomTest, AReloadThatRaisesTheBoundLetsThemStart) {
  World world{routed(1)};
  const EventId first = accepted(world, event_of("first"));
  const EventId waits = accepted(world, event_of("waits", {}, 1s));
  finish(world, first, core::Succeeded{"r"});
  pass(world, 1s);
  EXPECT_EQ(attempt_of(world, waits), 0u);
  world.reload(routed(100'000));
  world.settle();
  EXPECT_EQ(attempt_of(world, waits), 1u);
}

// --- calls and receivers on a short disk -------------------------------------------------

TEST(ShortDisk, ACallRunsAndLeavesABriefRowUntilNothingStartsAnyMore) {
  World world{small_disk()};
  world.space_measured(16 * kMiB - 1);
  const auto call = [&](core::Outcome outcome) {
    const Ticket ticket = world.submit(call_of("cat"));
    world.settle();
    const EventId id = world.handlers().begin()->first;
    finish(world, id, std::move(outcome));
    EXPECT_NE(world.answer_as<core::Returned>(ticket), nullptr);
    return id;
  };
  const EventId done = call(core::Succeeded{"result"});
  EXPECT_EQ(view(world, done).ending->result, std::nullopt);
  EXPECT_EQ(view(world, done).ending->result_bytes, 6u);
  const EventId failed = call(core::Exited{1});
  EXPECT_EQ(view(world, failed).ending->attempts.at(0).log_tail, "");
  EXPECT_EQ(view(world, failed).ending->attempts.at(0).exit_status, 1);
  world.space_measured(64 * kMiB);
  EXPECT_EQ(view(world, call(core::Succeeded{"result"})).ending->result, "result");
  world.space_measured(8 * kMiB - 1);
  const Ticket refused = world.submit(call_of("dog"));
  world.settle();
  EXPECT_EQ(refusal(world, refused), core::Refusal::no_space);
}

TEST(ShortDisk, MessagesAreHandedOutDownToAQuarterOfTheFloorAndDeletedBelow) {
  World world{small_disk()};
  for (int n = 0; n < 3; ++n) world.send("done", std::string(100'000, 'm'));
  world.settle();
  const auto receive = [&] {
    const Ticket ticket = world.receive("done", 10, 12h);
    world.settle();
    return ticket;
  };
  world.space_measured(4 * kMiB + 250'000);
  const Ticket two = receive();  // a third one would go below the quarter
  ASSERT_EQ(world.answer_as<core::Received>(two)->messages.size(), 2u);
  EXPECT_EQ(refusal(world, receive()), core::Refusal::no_space);
  world.space_measured(0);
  const Ticket gone = world.remove(world.answer_as<core::Received>(two)->messages[0].key);
  world.settle();
  EXPECT_NE(world.answer_as<core::Deleted>(gone), nullptr);
  EXPECT_EQ(refusal(world, receive()), core::Refusal::no_space);
  world.space_measured(64 * kMiB);
  EXPECT_EQ(world.answer_as<core::Received>(receive())->messages.size(), 1u);
  EXPECT_TRUE(world.answer_as<core::Received>(receive())->messages.empty());
  EXPECT_SOUND(world);
}

TEST(ShortDisk, AMessageIsNotLostWhenTheDiskFillsUpWhileItIsRead) {
  World world{small_disk()};
  world.send("done", "hello");
  world.settle();
  const Ticket early = world.receive("done", 10, 12h);  // its body is being read
  world.space_measured(0);
  world.settle();
  EXPECT_EQ(refusal(world, early), core::Refusal::no_space);
  world.space_measured(UINT64_MAX);
  const Ticket again = world.receive("done", 10, 12h);
  world.settle();
  EXPECT_EQ(world.answer_as<core::Received>(again)->messages.at(0).record->receive_count, 1u);
  EXPECT_SOUND(world);
}

TEST(ShortDisk, HistoryThatIsTooOldGoesByItselfAndAnIdleBoxWritesNothingElse) {
  config::Settings settings = one_function();
  settings.limits.history_age_max = 160s;
  World world{settings};
  const EventId id = accepted(world, event_of("cat"));
  finish(world, id, core::Succeeded{"done"});
  const uint64_t commits = world.memory().commit_count();
  pass(world, 169s);
  EXPECT_EQ(view(world, id).state, storage::ViewState::succeeded);
  EXPECT_EQ(world.memory().commit_count(), commits);
  pass(world, 1s);
  const Ticket gone = world.await(id, 0s);
  world.settle();
  EXPECT_FALSE(world.viewed(gone)->has_value());
  EXPECT_EQ(world.memory().commit_count(), commits + 1);
  EXPECT_EQ(world.memory().row_count(storage::Family::history), 0u);
  EXPECT_EQ(world.core().next_wakeup(), std::nullopt);
  EXPECT_SOUND(world);
}

}  // namespace
}  // namespace holdfast::test
