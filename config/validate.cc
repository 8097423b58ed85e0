#include "config/validate.h"

#include <utility>

#include "config/fields.h"
#include "config/text.h"
#include "config/units.h"
#include "storage/base/match.h"

namespace holdfast::config {
namespace {

constexpr std::string_view kReservedPrefix = "HOLDFAST_";

bool holds_nul(std::string_view text) { return text.find('\0') != std::string_view::npos; }

bool is_name(std::string_view name) {
  return kFunctionNameBytes.holds(name.size()) && is_bare(name);
}

// What execve() copies for the handler: each string with its NUL, each "NAME=value".
size_t command_bytes(const FunctionSettings& function) {
  size_t bytes = 0;
  for (const std::string& argument : function.command) bytes += argument.size() + 1;
  for (const auto& [name, value] : function.environment) bytes += name.size() + value.size() + 2;
  return bytes;
}

class Checker {
 public:
  explicit Checker(const Settings& settings) : settings_(settings) {}

  std::vector<Complaint> complaints() && { return std::move(complaints_); }

  template <class Of>
  void check_fields(const KeyPath& path, const Of& settings) {
    each_field<Of>(
        [&](const auto& field) { check(path / field.key, settings.*field.member, field.rule); });
  }

  void check_name(const KeyPath& path) {
    if (is_name(path.back())) return;
    complain(path, "a name has 1 to 64 characters out of a-z, A-Z, 0-9, \"-\" and \"_\"");
  }

  void check_number_of(std::string_view key, size_t number, size_t number_max) {
    if (number <= number_max) return;
    complain({std::string{key}},
             std::to_string(number) + " of them are over the most, " + std::to_string(number_max));
  }

  void check_handlers(const KeyPath& path, const FunctionSettings& function) {
    if (!function.command.empty() || function.workers) return;
    complain(path / "command",
             "is missing: the program and its arguments, such as [\"/usr/bin/true\"]; or workers = "
             "true, if programs attach and serve it");
  }

  void check_pool(const KeyPath& path, const FunctionSettings& function) {
    if (function.mode != CommandMode::persistent) return;
    if (function.command.empty()) {
      complain(path / "mode", "\"persistent\" is about a command, and there is none: set command");
    }
    if (function.concurrency_min > function.concurrency_max) {
      complain(path / "concurrency_min",
               std::to_string(function.concurrency_min) + " is over concurrency_max, " +
                   std::to_string(function.concurrency_max));
    }
  }

  void check_processes() {
    uint64_t processes = 0;
    for (const auto& [name, function] : settings_.functions) {
      if (function.is_persistent()) processes += function.concurrency_max;
    }
    if (processes <= kPersistentProcessesMax) return;
    complain({std::string{kFunctionsKey}},
             "persistent commands may have " + std::to_string(processes) +
                 " processes together, over the most, " + std::to_string(kPersistentProcessesMax) +
                 ": lower concurrency_max");
  }

  void check_command_bytes(const KeyPath& path, const FunctionSettings& function) {
    const size_t bytes = command_bytes(function);
    if (bytes <= kCommandBytesMax) return;
    complain(path / "command", "arguments and environment take " + std::to_string(bytes) +
                                   " bytes together, over the most, " +
                                   bytes_in_words(kCommandBytesMax));
  }

 private:
  void complain(const KeyPath& path, std::string message) {
    complaints_.push_back({0, 0, path, std::move(message)});
  }

  void check(const KeyPath&, bool, Flag) {}

  template <class Enum>
  void check(const KeyPath&, Enum, Choice<Enum>) {}

  void check(const KeyPath& path, uint32_t count, const Range<uint32_t>& range) {
    const std::string text = std::to_string(count);
    if (count < range.min) {
      complain(path, text + " is under the least, " + std::to_string(range.min));
    }
    if (count > range.max) {
      complain(path, text + " is over the most, " + std::to_string(range.max));
    }
  }

  void check(const KeyPath& path, uint64_t bytes, const Range<uint64_t>& range) {
    const std::string text = bytes_text(bytes);
    if (bytes < range.min) {
      complain(path, text + " is under the least, " + bytes_in_words(range.min));
    }
    if (bytes > range.max) {
      complain(path, text + " is over the most, " + bytes_in_words(range.max));
    }
  }

  void check(const KeyPath& path, Duration duration, const Range<Duration>& range) {
    const std::string text = duration_text(duration);
    if (duration < range.min) {
      complain(path, text + " is under the shortest, " + duration_in_words(range.min));
    }
    if (duration > range.max) {
      complain(path, text + " is over the longest, " + duration_in_words(range.max));
    }
  }

  void check(const KeyPath& path, uint32_t mode, FileMode) {
    if (mode <= kFileModeMax) return;
    complain(path, "only the permissions of user, group and others count, at most \"0777\"");
  }

  void check(const KeyPath& path, const std::string& text, PlainText) {
    if (holds_nul(text)) complain(path, "must not hold a NUL byte");
  }

  void check(const KeyPath& path, const std::string& text, const AbsolutePath& rule) {
    if (!text.starts_with('/')) {
      complain(path, quoted_short(text) + " is not an absolute path");
    } else if (text.size() > rule.bytes_max) {
      complain(path, "a path of " + std::to_string(text.size()) + " bytes is over the longest, " +
                         std::to_string(rule.bytes_max) + " bytes");
    } else {
      check(path, text, PlainText{});
    }
  }

  void check(const KeyPath& path, const std::vector<std::string>& command, CommandRule) {
    if (command.empty()) return;  // check_handlers() looks for that
    check(path, command.front(), AbsolutePath{});
    for (size_t n = 1; n < command.size(); ++n) {
      if (holds_nul(command[n])) {
        complain(path, "argument " + std::to_string(n) + " must not hold a NUL byte");
      }
    }
  }

  void check(const KeyPath& path, const std::vector<std::string>& users, UserNames) {
    for (const std::string& user : users) {
      if (user.empty() || holds_nul(user)) {
        complain(path, "a user's name is not empty and holds no NUL byte");
      }
    }
  }

  void check(const KeyPath& path, const std::optional<std::string>& queue, QueueReference) {
    if (!queue || settings_.queues.contains(*queue)) return;
    std::vector<std::string> known;
    for (const auto& [name, unused] : settings_.queues) known.push_back(name);
    std::string message = "there is no queue " + quoted_short(*queue) + " in [queues]";
    if (const std::optional<std::string> meant = nearest(*queue, known)) {
      message += "; did you mean " + quoted(*meant) + "?";
    }
    complain(path, std::move(message));
  }

  void check(const KeyPath& path, const std::map<std::string, std::string>& environment,
             EnvironmentRule) {
    for (const auto& [name, value] : environment) {
      if (name.empty() || holds_nul(name) || name.find('=') != std::string::npos) {
        complain(path / name, "a variable's name is not empty and holds no \"=\" and no NUL byte");
      } else if (name.starts_with(kReservedPrefix)) {
        complain(path / name, "names that start with HOLDFAST_ are given by the daemon");
      }
      check(path / name, value, PlainText{});
    }
  }

  void check(const KeyPath& path, const RetrySettings& retry, RetryRule) {
    std::visit(match{
                   [&](const LambdaRetry& lambda) { check_retries(path, lambda.retries); },
                   [&](const ListedRetry& listed) { check_listed(path, listed); },
                   [&](const ExponentialRetry& exponential) {
                     check_retries(path, exponential.retries);
                     check_backoff(path, exponential);
                   },
               },
               retry);
  }

  void check_retries(const KeyPath& path, uint32_t retries) {
    check(path / kRetriesKey, retries, kRetries);
  }

  void check_listed(const KeyPath& path, const ListedRetry& listed) {
    const KeyPath delays = path / kDelaysKey;
    if (listed.delays.size() > kRetries.max) {
      complain(delays, std::to_string(listed.delays.size()) + " retries are over the most, " +
                           std::to_string(kRetries.max));
    }
    for (const Duration delay : listed.delays) check(delays, delay, kRetryDelay);
  }

  void check_backoff(const KeyPath& path, const ExponentialRetry& exponential) {
    check(path / kBackoffBaseKey, exponential.backoff_base, kBackoff);
    check(path / kBackoffCapKey, exponential.backoff_cap, kBackoff);
    if (exponential.backoff_cap < exponential.backoff_base) {
      complain(path / kBackoffCapKey, duration_text(exponential.backoff_cap) +
                                          " is shorter than backoff_base, " +
                                          duration_text(exponential.backoff_base));
    }
  }

  const Settings& settings_;
  std::vector<Complaint> complaints_;
};

}  // namespace

std::vector<Complaint> validate(const Settings& settings) {
  Checker checker{settings};
  each_section([&](const auto& section) {
    checker.check_fields({std::string{section.key}}, settings.*section.member);
  });

  checker.check_number_of(kQueuesKey, settings.queues.size(), kQueuesMax);
  for (const auto& [name, queue] : settings.queues) {
    const KeyPath path{std::string{kQueuesKey}, name};
    checker.check_name(path);
    checker.check_fields(path, queue);
  }

  checker.check_number_of(kFunctionsKey, settings.functions.size(), kFunctionsMax);
  for (const auto& [name, function] : settings.functions) {
    const KeyPath path{std::string{kFunctionsKey}, name};
    checker.check_name(path);
    checker.check_fields(path, function);
    checker.check_handlers(path, function);
    checker.check_pool(path, function);
    checker.check_command_bytes(path, function);
  }
  checker.check_processes();
  return std::move(checker).complaints();
}

}  // namespace holdfast::config
