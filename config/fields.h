// The settings as lists that code can walk: for each its key in the file, its member,
// the rule it obeys, and whether SIGHUP applies it.
//
//    each_field<LimitSettings>([&](const auto& field) {
//      print(field.key, limits.*field.member, field.rule);
//    });
//
// Reading, checking, printing and comparing all walk these lists, so a new setting is
// one line here and one in settings.h. A type or rule that one of the four does not know
// does not compile.
#pragma once

#include <array>
#include <string_view>
#include <tuple>

#include "config/settings.h"

namespace holdfast::config {

// Bounds that settings.h states in words.
inline constexpr size_t kSocketPathBytesMax = 107;  // sun_path holds 108 with its NUL
inline constexpr size_t kPathBytesMax = 4095;       // PATH_MAX less its NUL
inline constexpr uint32_t kFileModeMax = 0777;
inline constexpr Range<Duration> kBackoff{1ms, kRetryDelay.max};

// --- rules -----------------------------------------------------------------
// Range<uint32_t> is a count, Range<uint64_t> bytes, Range<Duration> a length of time.

struct Flag {};
struct FileMode {};
struct PlainText {};  // no NUL
struct AbsolutePath {
  size_t bytes_max = kPathBytesMax;
};
template <class Enum>
struct Choice {};
struct CommandRule {};
struct UserNames {};
struct QueueReference {};  // a name in [queues]; "" in the file means none
struct EnvironmentRule {};
struct RetryRule {};

template <class Enum>
struct Named {
  std::string_view name;
  Enum value;
};
template <class Enum>
inline constexpr int kChoices = 0;
template <>
inline constexpr std::array kChoices<LogLevel>{
    Named<LogLevel>{"debug", LogLevel::debug}, Named<LogLevel>{"info", LogLevel::info},
    Named<LogLevel>{"warning", LogLevel::warning}, Named<LogLevel>{"error", LogLevel::error}};
template <>
inline constexpr std::array kChoices<DeadLettersFull>{
    Named<DeadLettersFull>{"refuse", DeadLettersFull::refuse},
    Named<DeadLettersFull>{"drop_oldest", DeadLettersFull::drop_oldest}};

template <>
inline constexpr std::array kChoices<CommandMode>{
    Named<CommandMode>{"per_attempt", CommandMode::per_attempt},
    Named<CommandMode>{"persistent", CommandMode::persistent}};
template <>
inline constexpr std::array kChoices<Framing>{
    Named<Framing>{"json-lines", Framing::json_lines},
    Named<Framing>{"length-prefixed", Framing::length_prefixed}};

// --- the lists -------------------------------------------------------------

enum class Applied : uint8_t { by_reload, by_restart };
using enum Applied;

template <class Of, class T, class Rule>
struct Field {
  std::string_view key;
  T Of::*member;
  Rule rule;
  Applied applied;
};
template <class Of, class T, class Rule>
Field(const char*, T Of::*, Rule, Applied) -> Field<Of, T, Rule>;

// Walking a type that has no list of its own below does not compile.
template <class Of>
inline constexpr int kFields = 0;

template <>
inline constexpr std::tuple kFields<DaemonSettings>{
    Field{"state_directory", &DaemonSettings::state_directory, AbsolutePath{}, by_restart},
    Field{"drain_timeout", &DaemonSettings::drain_timeout, DaemonSettings::kDrainTimeout,
          by_reload},
    Field{"log_level", &DaemonSettings::log_level, Choice<LogLevel>{}, by_reload},
    Field{"dark_time_ages", &DaemonSettings::dark_time_ages, Flag{}, by_restart},
    Field{"commit_linger", &DaemonSettings::commit_linger, DaemonSettings::kCommitLinger,
          by_reload},
};

template <>
inline constexpr std::tuple kFields<SocketSettings>{
    Field{"path", &SocketSettings::path, AbsolutePath{kSocketPathBytesMax}, by_restart},
    Field{"mode", &SocketSettings::mode, FileMode{}, by_restart},
    Field{"group", &SocketSettings::group, PlainText{}, by_restart},
};

template <>
inline constexpr std::tuple kFields<LimitSettings>{
    Field{"connections_max", &LimitSettings::connections_max, LimitSettings::kConnections,
          by_reload},
    Field{"requests_in_flight_max", &LimitSettings::requests_in_flight_max,
          LimitSettings::kRequestsInFlight, by_reload},
    Field{"attempts_running_max", &LimitSettings::attempts_running_max,
          LimitSettings::kAttemptsRunning, by_reload},
    Field{"memory_max", &LimitSettings::memory_max, LimitSettings::kMemory, by_restart},
    Field{"disk_free_min", &LimitSettings::disk_free_min, LimitSettings::kDiskFree, by_reload},
    Field{"idempotency_bytes_max", &LimitSettings::idempotency_bytes_max,
          LimitSettings::kIdempotencyBytes, by_reload},
    Field{"history_age_max", &LimitSettings::history_age_max, LimitSettings::kHistoryAge,
          by_reload},
    Field{"history_bytes_max", &LimitSettings::history_bytes_max, LimitSettings::kHistoryBytes,
          by_reload},
    Field{"interruptions_max", &LimitSettings::interruptions_max, LimitSettings::kInterruptions,
          by_reload},
    Field{"worker_reattach_window", &LimitSettings::worker_reattach_window,
          LimitSettings::kReattachWindow, by_reload},
};

template <>
inline constexpr std::tuple kFields<QueueSettings>{
    Field{"bytes_max", &QueueSettings::bytes_max, QueueSettings::kBytes, by_reload},
    Field{"visibility_timeout", &QueueSettings::visibility_timeout,
          QueueSettings::kVisibilityTimeout, by_reload},
};

// The two tables stand last: in a TOML file they come after the plain keys.
template <>
inline constexpr std::tuple kFields<FunctionSettings>{
    Field{"command", &FunctionSettings::command, CommandRule{}, by_reload},
    Field{"mode", &FunctionSettings::mode, Choice<CommandMode>{}, by_reload},
    Field{"framing", &FunctionSettings::framing, Choice<Framing>{}, by_reload},
    Field{"recycle_after", &FunctionSettings::recycle_after, FunctionSettings::kRecycleAfter,
          by_reload},
    Field{"workers", &FunctionSettings::workers, Flag{}, by_reload},
    Field{"worker_users", &FunctionSettings::worker_users, UserNames{}, by_reload},
    Field{"working_directory", &FunctionSettings::working_directory, AbsolutePath{}, by_reload},
    Field{"timeout", &FunctionSettings::timeout, FunctionSettings::kTimeout, by_reload},
    Field{"kill_grace", &FunctionSettings::kill_grace, FunctionSettings::kKillGrace, by_reload},
    Field{"concurrency_max", &FunctionSettings::concurrency_max, FunctionSettings::kConcurrency,
          by_reload},
    Field{"concurrency_min", &FunctionSettings::concurrency_min,
          FunctionSettings::kConcurrencyMin, by_reload},
    Field{"event_age_max", &FunctionSettings::event_age_max, FunctionSettings::kEventAge,
          by_reload},
    Field{"result_bytes_max", &FunctionSettings::result_bytes_max, FunctionSettings::kResultBytes,
          by_reload},
    Field{"on_success", &FunctionSettings::on_success, QueueReference{}, by_reload},
    Field{"on_failure", &FunctionSettings::on_failure, QueueReference{}, by_reload},
    Field{"dead_letter", &FunctionSettings::dead_letter, QueueReference{}, by_reload},
    Field{"dead_letters_bytes_max", &FunctionSettings::dead_letters_bytes_max,
          FunctionSettings::kDeadLettersBytes, by_reload},
    Field{"dead_letters_full", &FunctionSettings::dead_letters_full, Choice<DeadLettersFull>{},
          by_reload},
    Field{"idempotency_retention", &FunctionSettings::idempotency_retention,
          FunctionSettings::kIdempotencyRetention, by_reload},
    Field{"environment", &FunctionSettings::environment, EnvironmentRule{}, by_reload},
    Field{"retry", &FunctionSettings::retry, RetryRule{}, by_reload},
};

template <class Of, class Visit>
void each_field(Visit&& visit) {
  std::apply([&](const auto&... field) { (visit(field), ...); }, kFields<Of>);
}

// The tables of which there is one each.
template <class Of>
struct Section {
  std::string_view key;
  Of Settings::*member;
  using Fields = Of;
};

template <class Visit>
void each_section(Visit&& visit) {
  visit(Section<DaemonSettings>{"daemon", &Settings::daemon});
  visit(Section<SocketSettings>{"socket", &Settings::socket});
  visit(Section<LimitSettings>{"limits", &Settings::limits});
}

// The tables of which there is one for each name.
inline constexpr std::string_view kQueuesKey = "queues";
inline constexpr std::string_view kFunctionsKey = "functions";

// The keys of [functions.NAME.retry], in its three forms.
inline constexpr std::string_view kRetriesKey = "retries";
inline constexpr std::string_view kDelaysKey = "delays";
inline constexpr std::string_view kBackoffBaseKey = "backoff_base";
inline constexpr std::string_view kBackoffCapKey = "backoff_cap";

}  // namespace holdfast::config
