// When does a failed event run again, and when is it over?
//
// Rule    failures > retries ends the event as RetriesExhausted.
// Reason  Lambda's MaximumRetryAttempts counts retries; an event runs 1 + retries
//         times at most.
//
// Rule    Then its age is tested, looking ahead: if it would be event_age_max old
//         when the retry came due, it ends now as EventAgeExceeded.
// Reason  Waiting hours to announce a certain end helps nobody. Lambda does the same
//         (and in this order).
//
// Rule    An interruption spends no retry. Beyond interruptions_max the event ends as
//         Interrupted, before another start.
// Reason  A power cut is not the handler's fault; but an event that brings the daemon
//         down must run out of starts.
//
// Rule    The exponential wait is uniform in [0, min(cap, base * 2^(n-1))].
// Reason  Events that failed together must not come back together.
#pragma once

#include <optional>
#include <variant>

#include "config/settings.h"
#include "storage/base/random.h"
#include "storage/records.h"

namespace holdfast::core {

struct Retry {
  Duration delay;
};
struct GiveUp {
  storage::Condition condition;
};
using Disposition = std::variant<Retry, GiveUp>;

// After a failed attempt; `spent.failures` counts it already.
Disposition dispose(const storage::Spent& spent, const config::FunctionSettings& settings,
                    LitPoint now, Random& random);

// Before a start: why the event must end instead, or nothing.
std::optional<storage::Condition> expired(const storage::Spent& spent, Duration event_age_max,
                                          uint32_t interruptions_max, LitPoint now);

uint32_t retries(const config::RetrySettings& settings);

}  // namespace holdfast::core
