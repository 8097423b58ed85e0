#include "daemon/core/retry.h"

#include <algorithm>

#include "storage/base/match.h"

namespace holdfast::core {
namespace {

Duration wait_after(uint32_t failures, const config::RetrySettings& settings, Random& random) {
  CHECK(failures > 0);
  return std::visit(
      match{
          [&](const config::LambdaRetry&) { return Duration{std::chrono::minutes{failures}}; },
          [&](const config::ListedRetry& listed) {
            CHECK(failures <= listed.delays.size());
            return listed.delays[failures - 1];
          },
          [&](const config::ExponentialRetry& exponential) {
            Duration ceiling = exponential.backoff_base;
            for (uint32_t n = 1; n < failures && ceiling < exponential.backoff_cap; ++n) {
              ceiling *= 2;
            }
            ceiling = std::min(ceiling, exponential.backoff_cap);
            return Duration{static_cast<int64_t>(
                random.up_to(static_cast<uint64_t>(ceiling.count())))};
          },
      },
      settings);
}

}  // namespace

uint32_t retries(const config::RetrySettings& settings) {
  return std::visit(match{
                        [](const config::LambdaRetry& lambda) { return lambda.retries; },
                        [](const config::ListedRetry& listed) {
                          return static_cast<uint32_t>(listed.delays.size());
                        },
                        [](const config::ExponentialRetry& exponential) {
                          return exponential.retries;
                        },
                    },
                    settings);
}

Disposition dispose(const storage::Spent& spent, const config::FunctionSettings& settings,
                    LitPoint now, Random& random) {
  if (spent.failures > retries(settings.retry)) {
    return GiveUp{storage::Condition::retries_exhausted};
  }
  const Duration delay = wait_after(spent.failures, settings.retry, random);
  if (now + delay >= spent.age_from + settings.event_age_max) {
    return GiveUp{storage::Condition::event_age_exceeded};
  }
  return Retry{delay};
}

std::optional<storage::Condition> expired(const storage::Spent& spent, Duration event_age_max,
                                          uint32_t interruptions_max, LitPoint now) {
  if (spent.interruptions > interruptions_max) return storage::Condition::interrupted;
  if (now >= spent.age_from + event_age_max) return storage::Condition::event_age_exceeded;
  return std::nullopt;
}

}  // namespace holdfast::core
