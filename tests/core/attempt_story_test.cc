// Stories of attempts: retries, endings, crashes, late reports.
#include "tests/core/story.h"

#include <nlohmann/json.hpp>

namespace holdfast::test {
namespace {

config::FunctionSettings routed() {
  config::FunctionSettings function = function_settings();
  function.on_success = "done";
  function.on_failure = "failed";
  function.dead_letter = "dead";
  return function;
}

std::vector<std::string> bodies_in(const World& world, const std::string& queue) {
  std::vector<std::string> bodies;
  const StoreContents all = contents_of(world.store());
  for (const auto& [key, record] : all.messages) {
    if (all.queues.at(key.queue).name == queue) bodies.push_back(record.body);
  }
  return bodies;
}

TEST(Attempt, AFailureWaitsAsARowThatSurvivesACrash) {
  World world{one_function()};
  const EventId id = accepted(world, event_of("cat"));
  finish(world, id, core::Exited{3});
  const storage::EventView& waiting = view(world, id);
  EXPECT_EQ(waiting.state, storage::ViewState::pending);
  EXPECT_EQ(waiting.spent.failures, 1u);
  EXPECT_EQ(waiting.due_at, world.moment().now + 10s);
  ASSERT_EQ(waiting.attempts.size(), 1u);
  EXPECT_EQ(waiting.attempts[0].exit_status, 3);
  EXPECT_EQ(waiting.attempts[0].log_tail, "log");

  world.crash(World::InFlight::lost);
  world.boot();
  world.settle();
  EXPECT_TRUE(world.handlers().empty());
  pass(world, 10s);
  EXPECT_EQ(attempt_of(world, id), 2u);
  EXPECT_SOUND(world);
}

TEST(Attempt, RetriesExhaustedEndsItWithEverythingInOneCommit) {
  World world{one_function(routed())};
  const EventId id = accepted(world, event_of("\"cat\""));
  finish(world, id, core::Exited{1});
  pass(world, 10s);
  finish(world, id, core::Signaled{9});
  pass(world, 20s);
  const uint64_t commits = world.memory().commit_count();
  finish(world, id, core::TimedOut{3s});
  EXPECT_EQ(world.memory().commit_count(), commits + 1);

  const storage::EventView& dead = view(world, id);
  EXPECT_EQ(dead.state, storage::ViewState::dead);
  ASSERT_TRUE(dead.ending.has_value());
  EXPECT_EQ(dead.ending->condition, storage::Condition::retries_exhausted);
  EXPECT_EQ(dead.ending->error_type, "Sandbox.Timedout");
  EXPECT_THAT(dead.ending->error_message, testing::EndsWith("Task timed out after 3.00 seconds"));
  ASSERT_EQ(dead.ending->attempts.size(), 3u);
  EXPECT_EQ(dead.ending->attempts[1].error_type, "Runtime.ExitError");
  EXPECT_THAT(dead.ending->attempts[1].error_message, testing::EndsWith("signal: SIGKILL"));

  ASSERT_EQ(bodies_in(world, "failed").size(), 1u);
  const auto record = nlohmann::json::parse(bodies_in(world, "failed").front());
  EXPECT_EQ(record["requestContext"]["condition"], "RetriesExhausted");
  EXPECT_EQ(record["requestContext"]["approximateInvokeCount"], 3);
  EXPECT_EQ(bodies_in(world, "dead"), std::vector<std::string>{"\"cat\""});
  EXPECT_TRUE(bodies_in(world, "done").empty());
  EXPECT_EQ(world.memory().row_count(storage::Family::attempts), 0u);
  pass(world, 1h);
  EXPECT_TRUE(world.handlers().empty());
  EXPECT_SOUND(world);
}

TEST(Attempt, ASuccessAfterAFailureEndsItAndLeavesNoPayload) {
  World world{one_function(routed())};
  const EventId id = accepted(world, event_of("cat"));
  finish(world, id, core::Exited{1});
  pass(world, 10s);
  finish(world, id, core::Succeeded{"{\"n\": 1}"});
  const storage::EventView& ended = view(world, id);
  EXPECT_EQ(ended.state, storage::ViewState::succeeded);
  EXPECT_EQ(ended.ending->result, "{\"n\": 1}");
  EXPECT_EQ(bodies_in(world, "done").size(), 1u);
  EXPECT_TRUE(bodies_in(world, "failed").empty());
  EXPECT_EQ(world.memory().row_count(storage::Family::events), 0u);
  EXPECT_EQ(world.core().ledger().state().reserved_bytes, 0u);
  EXPECT_SOUND(world);
}

TEST(Attempt, AResultIsKeptUpToItsBoundAndOnlyCountedBeyond) {
  for (const size_t bytes : {size_t{65536}, size_t{65537}}) {
    World world{one_function()};
    const EventId id = accepted(world, event_of("cat"));
    finish(world, id, core::Succeeded{std::string(bytes, 'r')});
    const storage::EventView& ended = view(world, id);
    EXPECT_EQ(ended.ending->result.has_value(), bytes <= 65536);
    EXPECT_EQ(ended.ending->result_bytes, bytes);
  }
}

TEST(Attempt, AReportOfAnOlderAttemptChangesNothing) {
  World world{one_function()};
  const EventId id = accepted(world, event_of("cat"));
  finish(world, id, core::Exited{1});
  pass(world, 10s);
  ASSERT_EQ(attempt_of(world, id), 2u);
  world.report(id, AttemptNumber{1}, core::Succeeded{"late"});
  world.settle();
  EXPECT_EQ(view(world, id).state, storage::ViewState::running);
  finish(world, id, core::Succeeded{"in time"});
  world.report(id, AttemptNumber{2}, core::Exited{1});
  world.settle();
  EXPECT_EQ(view(world, id).ending->result, "in time");
  EXPECT_SOUND(world);
}

TEST(Attempt, AReportFromBeforeTheCrashChangesNothing) {
  World world{one_function()};
  const EventId id = accepted(world, event_of("cat"));
  world.crash(World::InFlight::lost);
  world.boot();
  world.settle();
  ASSERT_EQ(attempt_of(world, id), 2u);
  world.report(id, AttemptNumber{1}, core::Succeeded{"late"});
  world.settle();
  EXPECT_EQ(view(world, id).state, storage::ViewState::running);
}

// --- crashes ---------------------------------------------------------------------------

TEST(Crash, AnInterruptionSpendsNoRetryAndIsDueAtOnce) {
  World world{one_function()};
  const EventId id = accepted(world, event_of("cat"));
  world.crash(World::InFlight::lost);
  world.boot();
  world.settle();
  EXPECT_EQ(world.core().recovery().interrupted_events, 1u);
  EXPECT_EQ(attempt_of(world, id), 2u);
  const storage::EventView& running = view(world, id);
  EXPECT_EQ(running.spent.failures, 0u);
  EXPECT_EQ(running.spent.interruptions, 1u);
}

TEST(Crash, TooManyInterruptionsEndTheEventBeforeAnotherStart) {
  config::Settings settings = one_function();
  settings.limits.interruptions_max = 3;
  World world{settings};
  const EventId id = accepted(world, event_of("cat"));
  for (uint32_t crash = 1; crash <= 3; ++crash) {
    world.crash(World::InFlight::lost);
    world.boot();
    world.settle();
    ASSERT_EQ(attempt_of(world, id), crash + 1);
  }
  world.crash(World::InFlight::lost);
  world.boot();
  world.settle();
  EXPECT_TRUE(world.handlers().empty());
  const storage::EventView& dead = view(world, id);
  EXPECT_EQ(dead.state, storage::ViewState::dead);
  EXPECT_EQ(dead.ending->condition, storage::Condition::interrupted);
  EXPECT_SOUND(world);
}

TEST(Crash, AnOutcomeThatWasNotDurableIsAnInterruption) {
  World world{one_function()};
  const EventId id = accepted(world, event_of("cat"));
  world.finish(id, core::Succeeded{"done"});
  world.begin_commit();
  world.crash(World::InFlight::lost);
  world.boot();
  world.settle();
  EXPECT_EQ(attempt_of(world, id), 2u);
}

TEST(Crash, AnOutcomeThatReachedTheDiskStands) {
  World world{one_function()};
  const EventId id = accepted(world, event_of("cat"));
  world.finish(id, core::Succeeded{"done"});
  world.begin_commit();
  world.crash(World::InFlight::kept);
  world.boot();
  world.settle();
  EXPECT_TRUE(world.handlers().empty());
  EXPECT_EQ(view(world, id).state, storage::ViewState::succeeded);
}

TEST(Crash, TimeSpentSwitchedOffDoesNotAgeAnEvent) {
  config::FunctionSettings function = function_settings();
  function.event_age_max = 60s;
  World world{one_function(function)};
  const EventId id = accepted(world, event_of("cat"));
  finish(world, id, core::Exited{1});
  world.crash(World::InFlight::lost);
  world.boot(World::Darkness{48h, true});
  world.settle();
  EXPECT_EQ(attempt_of(world, id), 2u);  // long due, and not old
}

TEST(Crash, ABootIn1970StartsWhatIsDueInItsOwnTime) {
  World world{one_function()};
  const EventId id = accepted(world, event_of("cat"));
  finish(world, id, core::Exited{1});
  world.crash(World::InFlight::lost);
  world.boot(World::Darkness{48h, false});
  world.settle();
  EXPECT_EQ(attempt_of(world, id), 0u);
  pass(world, 10s);
  EXPECT_EQ(attempt_of(world, id), 2u);
}

// --- what is kept of many attempts -----------------------------------------------------

TEST(Attempts, TheFirstThreeAndTheLastSevenAreKept) {
  config::FunctionSettings function = function_settings();
  function.retry = config::ListedRetry{std::vector<Duration>(14, 0ms)};
  World world{one_function(function)};
  const EventId id = accepted(world, event_of("cat"));
  for (int n = 1; n <= 15; ++n) {
    ASSERT_EQ(attempt_of(world, id), static_cast<uint32_t>(n));
    finish(world, id, core::Exited{n});
    EXPECT_LE(world.memory().row_count(storage::Family::attempts), 10u);
    pass(world, 0ms);
  }
  std::vector<int> kept;
  for (const auto& attempt : view(world, id).ending->attempts) kept.push_back(*attempt.exit_status);
  EXPECT_EQ(kept, (std::vector{1, 2, 3, 9, 10, 11, 12, 13, 14, 15}));
  EXPECT_SOUND(world);
}

}  // namespace
}  // namespace holdfast::test
