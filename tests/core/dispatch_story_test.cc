// Stories of what starts next: turns, slots, pages, functions that left, drain.
#include "tests/core/story.h"

namespace holdfast::test {
namespace {

config::FunctionSettings single() {
  config::FunctionSettings function = function_settings();
  function.concurrency_max = 1;
  return function;
}

// Ends whatever runs, one after the other, and tells the payloads in that order.
std::vector<std::string> run_all(World& world, size_t at_most = 100'000) {
  std::vector<std::string> order;
  while (!world.handlers().empty() && order.size() < at_most) {
    order.push_back(*world.handlers().begin()->second.start.payload);
    finish(world, world.handlers().begin()->first, core::Succeeded{});
  }
  return order;
}

// A submission that is refused: its step has one effect.
core::Step refused_step(World& world) {
  core::Submission nobodys = event_of("cat");
  nobodys.function = "nobody";
  return world.core().submitted(std::move(nobodys), world.moment());
}

TEST(Steps, UseTheRoomOfOneThatCameBackUnlessItIsLarge) {
  for (const size_t room : {64u, 65u}) {
    World world{one_function()};
    world.settle();
    core::Step step;
    step.effects.reserve(room);
    step.batch.mutations.reserve(64);
    const void* const effects = step.effects.data();
    world.core().take_back(std::move(step));
    const core::Step next = refused_step(world);
    EXPECT_EQ(next.effects.size(), 1u);
    EXPECT_EQ(next.effects.data() == effects, room == 64);

    core::Step wide;
    wide.effects.reserve(64);
    wide.batch.mutations.reserve(room);
    world.core().take_back(std::move(wide));
    EXPECT_EQ(refused_step(world).batch.mutations.capacity(), room == 64 ? 64u : 0u);
  }
}

TEST(Dispatch, FreshEventsOfAFunctionStartInTheirOrder) {
  World world{one_function(single())};
  std::vector<std::string> sent;
  for (int n = 0; n < 20; ++n) {
    sent.push_back(std::to_string(n));
    world.submit(event_of(sent.back()));
  }
  world.settle();
  EXPECT_EQ(run_all(world), sent);
  EXPECT_SOUND(world);
}

TEST(Dispatch, FunctionsTakeTurns) {
  config::Settings settings = one_function();
  settings.limits.attempts_running_max = 1;
  for (const char* name : {"g", "h"}) settings.functions[name] = function_settings();
  World world{settings};
  const auto submit = [&](const char* function, int count) {
    for (int n = 0; n < count; ++n) {
      core::Submission submission = event_of(function);
      submission.function = function;
      world.submit(submission);
    }
  };
  submit("f", 50);
  submit("g", 3);
  submit("h", 3);
  world.settle();
  const std::vector<std::string> order = run_all(world, 10);
  EXPECT_EQ(std::count(order.begin(), order.end(), "g"), 3);
  EXPECT_EQ(std::count(order.begin(), order.end(), "h"), 3);
}

TEST(Dispatch, RetriesAndFreshEventsOfAFunctionTakeTurns) {
  config::FunctionSettings function = single();
  function.retry = config::ListedRetry{std::vector<Duration>(100, 0ms)};
  World world{one_function(function)};
  world.submit(event_of("fails"));
  for (int n = 0; n < 10; ++n) world.submit(event_of("fresh"));
  world.settle();
  int fresh = 0;
  int failing = 0;
  for (int n = 0; n < 21; ++n) {
    const EventId id = world.handlers().begin()->first;
    const bool fails = *world.handlers().at(id).start.payload == "fails";
    (fails ? failing : fresh) += 1;
    if (fails) {
      finish(world, id, core::Exited{1});
    } else {
      finish(world, id, core::Succeeded{});
    }
  }
  EXPECT_EQ(fresh, 10);
  EXPECT_EQ(failing, 11);  // its first attempt was a fresh start
}

TEST(Dispatch, AMillisecondBeforeItsTimeNothingIsDue) {
  World world{one_function()};
  world.settle();
  EXPECT_EQ(world.core().next_wakeup(), std::nullopt);
  const EventId id = accepted(world, event_of("cat", {}, 5s));
  EXPECT_EQ(world.core().next_wakeup(), world.moment().now + 5s);
  world.advance(5s - 1ms);
  world.tick();
  world.settle();
  EXPECT_EQ(attempt_of(world, id), 0u);
}

// --- backlogs longer than a window -----------------------------------------------------

TEST(Pages, ABacklogLongerThanTheWindowLosesNothingAndKeepsItsOrder) {
  World world{one_function(single())};
  world.verify_every(64);
  std::vector<std::string> sent;
  for (int n = 0; n < 2500; ++n) {
    sent.push_back(std::to_string(n));
    world.submit(event_of(sent.back()));
  }
  world.settle();
  EXPECT_EQ(run_all(world), sent);
  EXPECT_SOUND(world);
}

TEST(Pages, ABacklogIsReadAgainAfterACrash) {
  World world{one_function(single())};
  world.verify_every(64);
  for (int n = 0; n < 1300; ++n) world.submit(event_of(std::to_string(n)));
  for (int n = 0; n < 1300; ++n) {
    world.submit(event_of("delayed", {}, Duration{1 + n % 700}));
  }
  world.settle();
  run_all(world, 200);
  world.crash(World::InFlight::lost);
  world.boot();
  world.settle();
  pass(world, 1h);
  const std::vector<std::string> order = run_all(world);
  EXPECT_EQ(order.size(), 2600u - 200u);
  EXPECT_EQ(std::set<std::string>(order.begin(), order.end()).size(), 1300u - 200u + 1u);
  EXPECT_SOUND(world);
}

TEST(Pages, FreshEventsBehindManyDelayedOnesAreFoundAfterAStart) {
  World world{one_function(single())};
  world.verify_every(500);
  accepted(world, event_of("runs"));
  for (int n = 0; n < 9000; ++n) world.submit(event_of("later", {}, 24h));
  accepted(world, event_of("fresh"));
  world.crash(World::InFlight::lost);
  world.boot();
  world.settle();
  EXPECT_THAT(run_all(world), testing::UnorderedElementsAre("runs", "fresh"));
  EXPECT_EQ(attempt_of(world, accepted(world, event_of("next"))), 1u);
  EXPECT_SOUND(world);
}

TEST(Pages, PayloadsBeyondThePageAreReadWhenTheyStart) {
  World world{one_function(single())};
  std::vector<std::string> sent;
  for (int n = 0; n < 40; ++n) {
    sent.push_back(std::string(200'000, static_cast<char>('a' + n % 26)));
    world.submit(event_of(sent.back()));
  }
  world.settle();
  EXPECT_TRUE(run_all(world) == sent);
}

// --- functions that leave and return ---------------------------------------------------

TEST(Reload, EventsOfAFunctionThatLeftWaitForItsReturn) {
  World world{one_function(single())};
  const EventId runs = accepted(world, event_of("runs"));
  const EventId waits = accepted(world, event_of("waits"));
  const config::Settings with = world.settings();
  config::Settings without = with;
  without.functions.clear();
  world.reload(without);
  world.settle();
  const Ticket refused = world.submit(event_of("new"));
  finish(world, runs, core::Succeeded{"done"});  // what runs may finish
  EXPECT_EQ(refusal(world, refused), core::Refusal::not_found);
  pass(world, 1h);
  EXPECT_EQ(attempt_of(world, waits), 0u);
  world.reload(with);
  world.settle();
  EXPECT_EQ(attempt_of(world, waits), 1u);
  EXPECT_SOUND(world);
}

TEST(Reload, EventsOfAFunctionThatNeverReturnsAgeOutAlsoAfterARestart) {
  World world{one_function(single())};
  const EventId runs = accepted(world, event_of("runs"));
  const EventId waits = accepted(world, event_of("waits"));
  finish(world, runs, core::Exited{1});
  finish(world, waits, core::Succeeded{});
  const EventId fresh = accepted(world, event_of("fresh"));
  finish(world, fresh, core::Exited{1});
  config::Settings without = world.settings();
  without.functions.clear();
  world.reload(without);
  world.settle();
  world.crash(World::InFlight::lost);
  world.boot();
  world.settle();
  pass(world, 6h - 1ms);
  EXPECT_EQ(view(world, fresh).state, storage::ViewState::pending);
  pass(world, 1ms);
  pass(world, 1ms);
  for (const EventId& id : {runs, fresh}) {
    EXPECT_EQ(view(world, id).state, storage::ViewState::dead);
    EXPECT_EQ(view(world, id).ending->condition, storage::Condition::event_age_exceeded);
  }
  EXPECT_SOUND(world);
}

TEST(Reload, WhatGrowsTooOldBehindALongAttemptEnds) {
  config::FunctionSettings function = single();
  function.event_age_max = 60s;
  World world{one_function(function)};
  const EventId runs = accepted(world, event_of("runs"));
  const EventId waits = accepted(world, event_of("waits"));
  pass(world, 60s);
  EXPECT_EQ(view(world, waits).state, storage::ViewState::dead);
  EXPECT_EQ(view(world, waits).ending->error_type, "EventAgeExceeded");
  EXPECT_EQ(attempt_of(world, runs), 1u);  // a running handler may finish
  finish(world, runs, core::Succeeded{});
  EXPECT_EQ(view(world, runs).state, storage::ViewState::succeeded);
}

// --- drain -----------------------------------------------------------------------------

TEST(Drain, RefusesStartsNothingAndLetsWhatRunsFinish) {
  World world{one_function(single())};
  const EventId runs = accepted(world, event_of("runs"));
  const EventId waits = accepted(world, event_of("waits"));
  world.drain();
  const Ticket refused = world.submit(event_of("new"));
  finish(world, runs, core::Succeeded{});
  EXPECT_EQ(refusal(world, refused), core::Refusal::unavailable);
  EXPECT_TRUE(world.core().idle());
  EXPECT_EQ(attempt_of(world, waits), 0u);
  world.crash(World::InFlight::lost);
  world.boot();
  world.settle();
  EXPECT_EQ(attempt_of(world, waits), 1u);
}

TEST(Drain, AnAttemptThatItCutsShortCountsAsNeitherFailureNorInterruption) {
  World world{one_function(single())};
  const EventId id = accepted(world, event_of("cat"));
  world.drain();
  world.drain_expired();
  world.settle();
  EXPECT_TRUE(world.handlers().at(id).stop_asked);
  finish(world, id, core::Stopped{});
  EXPECT_TRUE(world.core().idle());
  world.crash(World::InFlight::lost);
  world.boot();
  world.settle();
  EXPECT_EQ(world.core().recovery().interrupted_events, 0u);
  EXPECT_EQ(attempt_of(world, id), 2u);
  EXPECT_EQ(view(world, id).spent.failures, 0u);
  EXPECT_EQ(view(world, id).spent.interruptions, 0u);
}

}  // namespace
}  // namespace holdfast::test
