// What the stories of the core have in common: one function, and short words for what
// happens to it.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/support/store_audit.h"
#include "tests/support/world.h"

namespace holdfast::test {

using namespace std::chrono_literals;

inline config::FunctionSettings function_settings() {
  config::FunctionSettings function;
  function.command = {"/bin/true"};
  function.retry = config::ListedRetry{{10s, 20s}};
  return function;
}

inline config::Settings one_function(config::FunctionSettings function = function_settings()) {
  config::Settings settings;
  settings.limits.attempts_running_max = 100;
  for (const char* queue : {"done", "failed", "dead"}) settings.queues[queue] = {};
  settings.functions["f"] = std::move(function);
  return settings;
}

inline core::Submission event_of(std::string payload, std::string key = {},
                                 Duration delay = Duration{0}) {
  core::Submission submission;
  submission.function = std::string(1, 'f');
  submission.payload = std::move(payload);
  submission.idempotency_key = std::move(key);
  submission.delay = delay;
  return submission;
}

inline core::Submission call_of(std::string payload, std::string key = {}) {
  core::Submission submission = event_of(std::move(payload), std::move(key));
  submission.type = storage::InvocationType::synchronous;
  return submission;
}

// Submits, lets everything settle, and tells the event.
inline EventId accepted(World& world, core::Submission submission) {
  const Ticket ticket = world.submit(std::move(submission));
  world.settle();
  const auto id = world.accepted(ticket);
  EXPECT_TRUE(id.has_value());
  return id.value_or(EventId{});
}

inline void finish(World& world, const EventId& id, core::Outcome outcome) {
  world.finish(id, std::move(outcome));
  world.settle();
}

// Lets time pass until the core wants to look again, and lets it.
inline void pass(World& world, Duration time) {
  world.advance(time);
  world.tick_if_due();
  world.settle();
}

inline const storage::EventView& view(World& world, const EventId& id) {
  const Ticket ticket = world.await(id, Duration{0});
  world.settle();
  const auto* seen = world.viewed(ticket);
  CHECK(seen != nullptr);
  CHECK(seen->has_value());
  return **seen;
}

inline std::optional<core::Refusal> refusal(const World& world, Ticket ticket) {
  const auto* refused = world.answer_as<core::Refused>(ticket);
  return refused == nullptr ? std::nullopt : std::optional{refused->refusal};
}

// The number of the attempt that runs; 0 if none does.
inline uint32_t attempt_of(const World& world, const EventId& id) {
  auto at = world.handlers().find(id);
  return at == world.handlers().end() ? 0 : at->second.start.attempt.value;
}

#define EXPECT_SOUND(world) EXPECT_THAT(test::audit((world).store()), testing::IsEmpty())

}  // namespace holdfast::test
