#include "config/reader.h"

#include <limits>

#include "config/fields.h"
#include "config/place.h"
#include "config/text.h"
#include "config/units.h"

namespace holdfast::config {
namespace {

constexpr std::string_view kDurationExpected =
    "a length of time such as \"500ms\", \"3s\", \"2m\", \"6h\" or \"14d\"";
constexpr std::string_view kBytesExpected = "bytes, a whole number or such as \"64MiB\"";
constexpr std::string_view kTableExpected = "a table";

void complain_value(const Place& place, const std::string& text, std::string_view expected) {
  place.complain(quoted_short(text).append(" is not ").append(expected));
}

// --- one overload for each kind of value ------------------------------------

void read(const Place& place, bool& flag, Flag) {
  if (const toml::value<bool>* value = place.node.as_boolean()) {
    flag = value->get();
  } else {
    place.complain_type("true or false");
  }
}

void read(const Place& place, uint32_t& count, const Range<uint32_t>& range) {
  const toml::value<int64_t>* value = place.node.as_integer();
  if (value == nullptr) {
    place.complain_type("a whole number");
  } else if (value->get() < 0) {
    place.complain(std::to_string(value->get()) + " is under the least, " +
                   std::to_string(range.min));
  } else if (value->get() > std::numeric_limits<uint32_t>::max()) {
    place.complain(std::to_string(value->get()) + " is over the most, " +
                   std::to_string(range.max));
  } else {
    count = static_cast<uint32_t>(value->get());
  }
}

void read(const Place& place, uint64_t& bytes, const Range<uint64_t>& range) {
  if (const toml::value<int64_t>* value = place.node.as_integer()) {
    if (value->get() >= 0) {
      bytes = static_cast<uint64_t>(value->get());
    } else {
      place.complain(std::to_string(value->get()) + " is under the least, " +
                     bytes_in_words(range.min));
    }
    return;
  }
  const std::string* text = read_text(place, kBytesExpected);
  if (text == nullptr) return;
  if (const std::optional<uint64_t> parsed = parse_bytes(*text)) {
    bytes = *parsed;
  } else {
    complain_value(place, *text, kBytesExpected);
  }
}

void read(const Place& place, Duration& duration, const Range<Duration>&) {
  const std::string* text = read_text(place, kDurationExpected);
  if (text == nullptr) return;
  if (const std::optional<Duration> parsed = parse_duration(*text)) {
    duration = *parsed;
  } else {
    complain_value(place, *text, kDurationExpected);
  }
}

void read(const Place& place, uint32_t& mode, FileMode) {
  constexpr std::string_view kExpected = "an octal mode in quotes such as \"0660\"";
  const std::string* text = read_text(place, kExpected);
  if (text == nullptr) return;
  if (const std::optional<uint32_t> parsed = parse_mode(*text)) {
    mode = *parsed;
  } else {
    complain_value(place, *text, kExpected);
  }
}

void read(const Place& place, std::string& out, PlainText) {
  if (const std::string* text = read_text(place, "a string")) out = *text;
}

void read(const Place& place, std::string& out, const AbsolutePath&) {
  if (const std::string* text = read_text(place, "a path in quotes")) out = *text;
}

template <class Enum>
void read(const Place& place, Enum& choice, Choice<Enum>) {
  std::string expected = "one of";
  for (const Named<Enum>& known : kChoices<Enum>) expected += " " + quoted(known.name);

  const std::string* text = read_text(place, expected);
  if (text == nullptr) return;
  for (const Named<Enum>& known : kChoices<Enum>) {
    if (known.name != *text) continue;
    choice = known.value;
    return;
  }
  complain_value(place, *text, expected);
}

void read(const Place& place, std::optional<std::string>& queue, QueueReference) {
  const std::string* text = read_text(place, "the name of a queue in quotes");
  if (text == nullptr) return;
  if (text->empty()) {
    queue.reset();
  } else {
    queue = *text;
  }
}

// A list is taken whole or not at all: an argument less is another command.
template <class ReadItem>
void read_list(const Place& place, std::string_view expected, const ReadItem& read_item) {
  const toml::array* list = place.node.as_array();
  if (list == nullptr) {
    place.complain_type(expected);
    return;
  }
  for (const toml::node& item : *list) read_item(Place{item, place.path, place.complaints});
}

void read_texts(const Place& place, std::string_view expected, std::vector<std::string>& list) {
  const size_t complaints_before = place.complaints.size();
  std::vector<std::string> texts;
  read_list(place, expected, [&](const Place& item) {
    if (const std::string* text = read_text(item, "a string")) texts.push_back(*text);
  });
  if (place.complaints.size() == complaints_before) list = std::move(texts);
}

void read(const Place& place, std::vector<std::string>& command, CommandRule) {
  read_texts(
      place,
      "a list of strings, the program and its arguments, such as [\"/usr/bin/env\", \"-i\"]",
      command);
}

void read(const Place& place, std::vector<std::string>& users, UserNames) {
  read_texts(place, "a list of user names, such as [\"www-data\"]", users);
}

void read(const Place& place, std::map<std::string, std::string>& environment, EnvironmentRule) {
  const toml::table* table = read_table(place, kTableExpected);
  if (table == nullptr) return;
  for (const auto& [name, node] : *table) {
    const Place variable = place.below(node, name.str());
    if (const std::string* text = read_text(variable, "a string")) {
      environment.emplace(name.str(), *text);
    }
  }
}

// --- retry: three forms -----------------------------------------------------

void read_retries(const Place& place, const toml::table& table, uint32_t& retries) {
  if (const toml::node* node = table.get(kRetriesKey)) {
    read(place.below(*node, kRetriesKey), retries, kRetries);
  }
}

ListedRetry read_listed(const Place& place) {
  ListedRetry listed;
  read_list(place, "a list of waits such as [\"1s\", \"1m\"]",
            [&](const Place& item) { read(item, listed.delays.emplace_back(), kRetryDelay); });
  return listed;
}

ExponentialRetry read_exponential(const Place& place, const toml::table& table) {
  ExponentialRetry exponential;
  read_retries(place, table, exponential.retries);
  if (const toml::node* node = table.get(kBackoffBaseKey)) {
    read(place.below(*node, kBackoffBaseKey), exponential.backoff_base, kBackoff);
  }
  if (const toml::node* node = table.get(kBackoffCapKey)) {
    read(place.below(*node, kBackoffCapKey), exponential.backoff_cap, kBackoff);
  }
  return exponential;
}

void read(const Place& place, RetrySettings& retry, RetryRule) {
  const toml::table* table = read_table(place, kTableExpected);
  if (table == nullptr) return;
  refuse_unknown(place, *table,
                 {std::string{kRetriesKey}, std::string{kDelaysKey}, std::string{kBackoffBaseKey},
                  std::string{kBackoffCapKey}});

  const toml::node* delays = table->get(kDelaysKey);
  const bool backs_off = table->contains(kBackoffBaseKey) || table->contains(kBackoffCapKey);
  if (delays != nullptr && (backs_off || table->contains(kRetriesKey))) {
    place.complain(
        "mixes forms; write one of {retries = 2}, {delays = [\"1s\", \"2s\"]}, or "
        "{retries = 10, backoff_base = \"1s\", backoff_cap = \"5m\"}");
  } else if (delays != nullptr) {
    retry = read_listed(place.below(*delays, kDelaysKey));
  } else if (backs_off) {
    retry = read_exponential(place, *table);
  } else {
    LambdaRetry lambda;
    read_retries(place, *table, lambda.retries);
    retry = lambda;
  }
}

// --- tables -----------------------------------------------------------------

template <class Of>
void read_fields(const Place& place, std::string_view expected, Of& settings) {
  const toml::table* table = read_table(place, expected);
  if (table == nullptr) return;
  std::vector<std::string> known;
  each_field<Of>([&](const auto& field) {
    known.emplace_back(field.key);
    if (const toml::node* node = table->get(field.key)) {
      read(place.below(*node, field.key), settings.*field.member, field.rule);
    }
  });
  refuse_unknown(place, *table, known);
}

template <class Of>
void read_named(const toml::table& root, std::string_view key, std::map<std::string, Of>& named,
                std::vector<Complaint>& complaints) {
  const toml::node* node = root.get(key);
  if (node == nullptr) return;
  const Place place{*node, KeyPath{std::string{key}}, complaints};
  const std::string expected = "a table for each name, [" + std::string{key} + ".NAME]";
  const toml::table* table = read_table(place, expected);
  if (table == nullptr) return;
  for (const auto& [name, inner] : *table) {
    read_fields(place.below(inner, name.str()), expected, named[std::string{name.str()}]);
  }
}

}  // namespace

void read_settings(const toml::table& root, Settings& settings,
                   std::vector<Complaint>& complaints) {
  std::vector<std::string> known{std::string{kQueuesKey}, std::string{kFunctionsKey}};
  each_section([&](const auto& section) {
    known.emplace_back(section.key);
    if (const toml::node* node = root.get(section.key)) {
      const Place place{*node, KeyPath{std::string{section.key}}, complaints};
      read_fields(place, kTableExpected, settings.*section.member);
    }
  });
  read_named(root, kQueuesKey, settings.queues, complaints);
  read_named(root, kFunctionsKey, settings.functions, complaints);
  refuse_unknown(Place{root, {}, complaints}, root, known);
}

toml::source_position locate(const toml::table& root, const KeyPath& path) {
  toml::source_position position = root.source().begin;
  const toml::node* node = &root;
  for (const std::string& key : path) {
    const toml::table* table = node->as_table();
    node = table == nullptr ? nullptr : table->get(key);
    if (node == nullptr) break;
    position = node->source().begin;
  }
  return position;
}

}  // namespace holdfast::config
