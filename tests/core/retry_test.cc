#include "daemon/core/retry.h"

#include <gtest/gtest.h>

namespace holdfast::core {
namespace {

using namespace std::chrono_literals;
using storage::Condition;

constexpr LitPoint kAccepted{Duration{1'000'000}};

config::FunctionSettings with(config::RetrySettings retry, Duration event_age_max = 6h) {
  config::FunctionSettings settings;
  settings.retry = std::move(retry);
  settings.event_age_max = event_age_max;
  return settings;
}

storage::Spent spent(uint32_t failures, uint32_t interruptions = 0) {
  storage::Spent spent;
  spent.attempt = storage::AttemptNumber{failures + interruptions};
  spent.failures = failures;
  spent.interruptions = interruptions;
  spent.age_from = kAccepted;
  return spent;
}

// --- after a failure -------------------------------------------------------------------

struct DisposeCase {
  const char* name;
  config::RetrySettings retry;
  uint32_t failures;
  Duration age;
  Duration event_age_max;
  std::variant<Duration, Condition> expected;
};

class DisposeTest : public testing::TestWithParam<DisposeCase> {};

TEST_P(DisposeTest, DecidesAsTheTableSays) {
  const DisposeCase& row = GetParam();
  Random random{1};
  const Disposition disposition =
      dispose(spent(row.failures), with(row.retry, row.event_age_max), kAccepted + row.age, random);
  if (const auto* delay = std::get_if<Duration>(&row.expected)) {
    ASSERT_TRUE(std::holds_alternative<Retry>(disposition));
    EXPECT_EQ(std::get<Retry>(disposition).delay, *delay);
  } else {
    ASSERT_TRUE(std::holds_alternative<GiveUp>(disposition));
    EXPECT_EQ(std::get<GiveUp>(disposition).condition, std::get<Condition>(row.expected));
  }
}

constexpr auto kExhausted = Condition::retries_exhausted;
constexpr auto kTooOld = Condition::event_age_exceeded;

INSTANTIATE_TEST_SUITE_P(
    Retries, DisposeTest,
    testing::Values(
        DisposeCase{"lambda_waits_one_minute_first", config::LambdaRetry{}, 1, 0s, 6h, 1min},
        DisposeCase{"lambda_waits_two_minutes_then", config::LambdaRetry{}, 2, 61s, 6h, 2min},
        DisposeCase{"lambda_ends_after_the_third_failure", config::LambdaRetry{}, 3, 5min, 6h,
                    kExhausted},
        DisposeCase{"lambda_without_retries_ends_at_once", config::LambdaRetry{0}, 1, 0s, 6h,
                    kExhausted},
        DisposeCase{"listed_waits_as_listed", config::ListedRetry{{5s, 7s}}, 2, 5s, 6h, 7s},
        DisposeCase{"listed_ends_when_the_list_does", config::ListedRetry{{5s, 7s}}, 3, 12s, 6h,
                    kExhausted},
        DisposeCase{"an_empty_list_is_no_retry", config::ListedRetry{}, 1, 0s, 6h, kExhausted},
        DisposeCase{"a_delay_of_zero_is_at_once", config::ListedRetry{{0s}}, 1, 0s, 6h, 0s},
        DisposeCase{"exponential_ends_after_its_retries", config::ExponentialRetry{2, 1s, 5min}, 3,
                    0s, 6h, kExhausted}),
    [](const auto& test) { return std::string{test.param.name}; });

// AWS's recordings (MaximumEventAgeInSeconds 60 and 90, default retries).
INSTANTIATE_TEST_SUITE_P(
    AgeLooksAhead, DisposeTest,
    testing::Values(
        DisposeCase{"age_60_ends_after_the_first_failure", config::LambdaRetry{}, 1, 0s, 60s,
                    kTooOld},
        DisposeCase{"age_90_retries_once", config::LambdaRetry{}, 1, 0s, 90s, 1min},
        DisposeCase{"age_90_ends_after_the_second_failure", config::LambdaRetry{}, 2, 60s, 90s,
                    kTooOld},
        DisposeCase{"one_millisecond_before_the_bound_is_in_time", config::ListedRetry{{10s}}, 1,
                    50s - 1ms, 60s, 10s},
        DisposeCase{"at_the_bound_is_too_late", config::ListedRetry{{10s}}, 1, 50s, 60s, kTooOld},
        DisposeCase{"retries_are_tested_before_the_age", config::LambdaRetry{}, 3, 7h, 6h,
                    kExhausted}),
    [](const auto& test) { return std::string{test.param.name}; });

TEST(Backoff, StaysBelowItsCeilingAndReachesNearIt) {
  const config::ExponentialRetry retry{100, 1s, 5min};
  Random random{7};
  for (uint32_t failures = 1; failures <= 100; ++failures) {
    const Duration ceiling =
        failures > 9 ? Duration{5min} : std::min<Duration>(5min, 1s * (1 << (failures - 1)));
    Duration longest{0};
    for (int n = 0; n < 200; ++n) {
      const Disposition disposition = dispose(spent(failures), with(retry), kAccepted, random);
      const Duration delay = std::get<Retry>(disposition).delay;
      ASSERT_GE(delay, 0ms);
      ASSERT_LE(delay, ceiling);
      longest = std::max(longest, delay);
    }
    EXPECT_GT(longest, ceiling * 3 / 4) << failures;
  }
}

// --- before a start --------------------------------------------------------------------

TEST(Expired, AnInterruptionAtTheBoundMayStartAgainAndOneBeyondMayNot) {
  EXPECT_EQ(expired(spent(0, 3), 6h, 3, kAccepted), std::nullopt);
  EXPECT_EQ(expired(spent(0, 4), 6h, 3, kAccepted), Condition::interrupted);
  EXPECT_EQ(expired(spent(0, 1), 6h, 0, kAccepted), Condition::interrupted);
}

TEST(Expired, TheAgeBoundItselfIsTooOld) {
  EXPECT_EQ(expired(spent(0), 60s, 3, kAccepted + 60s - 1ms), std::nullopt);
  EXPECT_EQ(expired(spent(0), 60s, 3, kAccepted + 60s), Condition::event_age_exceeded);
}

TEST(Expired, ADelayedEventIsNotOldBeforeItsTime) {
  storage::Spent delayed = spent(0);
  delayed.age_from = kAccepted + 1h;
  EXPECT_EQ(expired(delayed, 60s, 3, kAccepted + 30min), std::nullopt);
}

}  // namespace
}  // namespace holdfast::core
