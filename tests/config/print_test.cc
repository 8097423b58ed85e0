#include "config/print.h"

#include <gmock/gmock.h>

#include "config/fields.h"
#include "config/validate.h"
#include "storage/base/random.h"
#include "tests/config/support.h"

namespace holdfast::config {
namespace {

using testing::HasSubstr;

// Settings of all kinds that obey every rule, from a seed.
class Invention {
 public:
  explicit Invention(uint64_t seed) : random_(seed) {}

  Settings settings() {
    Settings settings;
    each_section([&](const auto& section) { fill(settings.*section.member); });
    for (uint64_t n = random_.up_to(3); n > 0; --n) fill(settings.queues[name()]);
    for (const auto& [name, unused] : settings.queues) queues_.push_back(name);
    for (uint64_t n = random_.up_to(3); n > 0; --n) {
      FunctionSettings& function = settings.functions[name()];
      fill(function);
      function.concurrency_min = std::min(function.concurrency_min, function.concurrency_max);
    }
    return settings;
  }

 private:
  template <class Of>
  void fill(Of& settings) {
    each_field<Of>([&](const auto& field) { roll(settings.*field.member, field.rule); });
  }

  // Both bounds come up often.
  template <class T>
  T between(const Range<T>& range) {
    if (random_.chance(10)) return range.min;
    if (random_.chance(10)) return range.max;
    return static_cast<T>(range.min + random_.up_to(range.max - range.min));
  }

  void roll(bool& flag, Flag) { flag = random_.chance(50); }
  void roll(uint32_t& count, const Range<uint32_t>& range) { count = between(range); }
  void roll(uint64_t& bytes, const Range<uint64_t>& range) { bytes = between(range); }
  void roll(Duration& duration, const Range<Duration>& range) {
    const Range<uint64_t> ms{static_cast<uint64_t>(range.min.count()),
                             static_cast<uint64_t>(range.max.count())};
    duration = Duration{between(ms)};
    // Whole seconds print with other units than odd milliseconds.
    if (const Duration whole = duration / 1000 * 1000; range.holds(whole)) duration = whole;
  }
  void roll(uint32_t& mode, FileMode) { mode = static_cast<uint32_t>(random_.up_to(0777)); }
  void roll(std::string& out, PlainText) { out = text(); }
  void roll(std::string& path, const AbsolutePath&) { path = "/" + text(); }
  template <class Enum>
  void roll(Enum& choice, Choice<Enum>) {
    choice = kChoices<Enum>[random_.up_to(kChoices<Enum>.size() - 1)].value;
  }
  void roll(std::vector<std::string>& command, CommandRule) {
    command = {"/" + text()};
    for (uint64_t n = random_.up_to(3); n > 0; --n) command.push_back(text());
  }
  void roll(std::vector<std::string>& users, UserNames) {
    for (uint64_t n = random_.up_to(2); n > 0; --n) users.push_back("u" + text());
  }
  void roll(std::optional<std::string>& queue, QueueReference) {
    if (!queues_.empty() && random_.chance(50)) queue = queues_[random_.up_to(queues_.size() - 1)];
  }
  void roll(std::map<std::string, std::string>& environment, EnvironmentRule) {
    for (uint64_t n = random_.up_to(3); n > 0; --n) environment["V" + variable()] = text();
  }
  void roll(RetrySettings& retry, RetryRule) {
    const uint64_t form = random_.up_to(2);
    if (form == 0) {
      retry = LambdaRetry{between(kRetries)};
    } else if (form == 1) {
      ListedRetry listed;
      for (uint64_t n = random_.up_to(3); n > 0; --n) {
        roll(listed.delays.emplace_back(), kRetryDelay);
      }
      retry = listed;
    } else {
      ExponentialRetry exponential;
      exponential.retries = between(kRetries);
      roll(exponential.backoff_base, kBackoff);
      roll(exponential.backoff_cap, Range<Duration>{exponential.backoff_base, kBackoff.max});
      retry = exponential;
    }
  }

  std::string name() {
    constexpr std::string_view kLetters = "abcXYZ019-_";
    std::string name;
    for (uint64_t n = random_.up_to(8) + 1; n > 0; --n) {
      name += kLetters[random_.up_to(kLetters.size() - 1)];
    }
    return name;
  }

  // Whatever a TOML string may hold, above all what must be escaped in it.
  std::string text() {
    std::string text;
    for (uint64_t n = random_.up_to(12); n > 0; --n) {
      if (random_.chance(20)) {
        constexpr std::array kAwkward{"\"", "\\", "'",       "#",      "\n",
                                      "\r", "\t", "\x7f",    "\u00e9", "\U0001F600",
                                      "]",  "=",  "\\u0041", "\u2028"};
        text += kAwkward[random_.up_to(kAwkward.size() - 1)];
      } else {
        text += static_cast<char>(1 + random_.up_to(126));
      }
    }
    return text;
  }
  std::string variable() {
    std::string name = text();
    std::erase(name, '=');
    return name;
  }

  Random random_;
  std::vector<std::string> queues_;
};

TEST(Print, WhatIsPrintedParsesBackToTheSameSettings) {
  for (uint64_t seed = 0; seed < 1000; ++seed) {
    const Settings settings = Invention{seed}.settings();
    ASSERT_TRUE(validate(settings).empty()) << "the test's own mistake, seed " << seed;
    ASSERT_EQ(parse_well(to_toml(settings)), settings) << "seed " << seed;
  }
}

TEST(Print, EverySettingIsPrintedAlsoWhenItIsTheDefault) {
  Settings settings;
  settings.queues["orders"] = {};
  settings.functions["resize"].command = {"/bin/resize", "-v"};
  settings.functions["resize"].environment = {{"MODEL", "small"}, {"odd name", "\x1b"}};
  EXPECT_EQ(to_toml(settings), R"([daemon]
state_directory = "/var/lib/holdfast"
drain_timeout = "20s"
log_level = "info"
dark_time_ages = false
commit_linger = "0s"

[socket]
path = "/run/holdfast/holdfast.sock"
mode = "0660"
group = "holdfast"

[limits]
connections_max = 1024
requests_in_flight_max = 1024
attempts_running_max = 0
memory_max = "64MiB"
disk_free_min = "256MiB"
idempotency_bytes_max = "256MiB"
history_age_max = "7d"
history_bytes_max = "256MiB"
interruptions_max = 3
worker_reattach_window = "10s"

[queues.orders]
bytes_max = "64MiB"
visibility_timeout = "30s"

[functions.resize]
command = ["/bin/resize", "-v"]
mode = "per_attempt"
framing = "json-lines"
recycle_after = 0
workers = false
worker_users = []
working_directory = "/"
timeout = "3s"
kill_grace = "2s"
concurrency_max = 8
concurrency_min = 1
event_age_max = "6h"
result_bytes_max = "256KiB"
on_success = ""
on_failure = ""
dead_letter = ""
dead_letters_bytes_max = "64MiB"
dead_letters_full = "refuse"
idempotency_retention = "24h"

[functions.resize.environment]
MODEL = "small"
"odd name" = "\u001B"

[functions.resize.retry]
retries = 2
)");
}

}  // namespace
}  // namespace holdfast::config
