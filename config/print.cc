#include "config/print.h"

#include "config/fields.h"
#include "config/text.h"
#include "config/units.h"
#include "storage/base/match.h"

namespace holdfast::config {
namespace {

void print_setting(std::string& out, std::string_view key, std::string_view value) {
  out.append(key).append(" = ").append(value).append("\n");
}

std::string header(std::string_view table) {
  std::string text = "\n[";
  return text.append(table).append("]\n");
}

// --- one overload for each kind of value; `table` is the table it belongs to --

void print(std::string& out, std::string_view, std::string_view key, bool flag, Flag) {
  print_setting(out, key, flag ? "true" : "false");
}

void print(std::string& out, std::string_view, std::string_view key, uint32_t count,
           const Range<uint32_t>&) {
  print_setting(out, key, std::to_string(count));
}

void print(std::string& out, std::string_view, std::string_view key, uint64_t bytes,
           const Range<uint64_t>&) {
  const std::string text = bytes_text(bytes);
  // A number needs no quotes; one with a unit does.
  print_setting(out, key, text == std::to_string(bytes) ? text : quoted(text));
}

void print(std::string& out, std::string_view, std::string_view key, Duration duration,
           const Range<Duration>&) {
  print_setting(out, key, quoted(duration_text(duration)));
}

void print(std::string& out, std::string_view, std::string_view key, uint32_t mode, FileMode) {
  print_setting(out, key, quoted(mode_text(mode)));
}

void print(std::string& out, std::string_view, std::string_view key, const std::string& text,
           PlainText) {
  print_setting(out, key, quoted(text));
}

void print(std::string& out, std::string_view, std::string_view key, const std::string& path,
           const AbsolutePath&) {
  print_setting(out, key, quoted(path));
}

template <class Enum>
void print(std::string& out, std::string_view, std::string_view key, Enum choice, Choice<Enum>) {
  for (const Named<Enum>& known : kChoices<Enum>) {
    if (known.value == choice) print_setting(out, key, quoted(known.name));
  }
}

void print(std::string& out, std::string_view, std::string_view key,
           const std::optional<std::string>& queue, QueueReference) {
  print_setting(out, key, quoted(queue.value_or("")));
}

void print_texts(std::string& out, std::string_view key, const std::vector<std::string>& texts) {
  std::string list;
  for (const std::string& text : texts) list += (list.empty() ? "" : ", ") + quoted(text);
  print_setting(out, key, "[" + list + "]");
}

void print(std::string& out, std::string_view, std::string_view key,
           const std::vector<std::string>& command, CommandRule) {
  print_texts(out, key, command);
}

void print(std::string& out, std::string_view, std::string_view key,
           const std::vector<std::string>& users, UserNames) {
  print_texts(out, key, users);
}

void print(std::string& out, std::string_view table, std::string_view key,
           const std::map<std::string, std::string>& environment, EnvironmentRule) {
  if (environment.empty()) return;
  out += header(std::string{table} + "." + std::string{key});
  for (const auto& [name, value] : environment) print_setting(out, key_text(name), quoted(value));
}

void print(std::string& out, std::string_view table, std::string_view key,
           const RetrySettings& retry, RetryRule) {
  out += header(std::string{table} + "." + std::string{key});
  std::visit(match{
                 [&](const LambdaRetry& lambda) {
                   print(out, table, kRetriesKey, lambda.retries, kRetries);
                 },
                 [&](const ListedRetry& listed) {
                   std::string list;
                   for (const Duration delay : listed.delays) {
                     list += (list.empty() ? "" : ", ") + quoted(duration_text(delay));
                   }
                   print_setting(out, kDelaysKey, "[" + list + "]");
                 },
                 [&](const ExponentialRetry& exponential) {
                   print(out, table, kRetriesKey, exponential.retries, kRetries);
                   print(out, table, kBackoffBaseKey, exponential.backoff_base, kBackoff);
                   print(out, table, kBackoffCapKey, exponential.backoff_cap, kBackoff);
                 },
             },
             retry);
}

template <class Of>
void print_table(std::string& out, const std::string& table, const Of& settings) {
  out += header(table);
  each_field<Of>(
      [&](const auto& field) { print(out, table, field.key, settings.*field.member, field.rule); });
}

template <class Of>
void print_named(std::string& out, std::string_view key, const std::map<std::string, Of>& named) {
  for (const auto& [name, settings] : named) {
    print_table(out, std::string{key} + "." + key_text(name), settings);
  }
}

}  // namespace

std::string to_toml(const Settings& settings) {
  std::string out;
  each_section([&](const auto& section) {
    print_table(out, std::string{section.key}, settings.*section.member);
  });
  print_named(out, kQueuesKey, settings.queues);
  print_named(out, kFunctionsKey, settings.functions);
  return out.substr(1);  // without the empty line before the first table
}

}  // namespace holdfast::config
