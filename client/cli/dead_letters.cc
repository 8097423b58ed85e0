// holdfast dead-letters: events that ended without success, kept for a person.
#include <memory>

#include "client/cli/context.h"
#include "client/cli/output.h"
#include "client/wire/limits.h"
#include "client/wire/message.h"

namespace holdfast::cli {
namespace {

struct DeadLettersArguments {
  std::string function_name;
  uint32_t limit = wire::kPageItemsDefault;
  std::vector<std::string> request_ids;
  std::string all_of_function;
};

// Redrive and discard differ in nothing but these words.
struct Disposal {
  std::string_view method;
  std::string_view count_field;
  std::string_view past_tense;
};
constexpr Disposal kRedrive{"RedriveDeadLetters", "Redriven", "redriven"};
constexpr Disposal kDiscard{"DiscardDeadLetters", "Discarded", "discarded"};

void show_dead_letters(const Rows& rows) {
  Table table{{"REQUEST ID", "FUNCTION", "DIED", "ATTEMPT", "CONDITION", "BYTES", "ERROR"}};
  for (const msgpack::object* row : rows) {
    table.add({text_field(*row, "RequestId"), text_field(*row, "FunctionName"),
               time_field(*row, "DiedAt"), number_field(*row, "Attempt"),
               text_field(*row, "Condition"), bytes_field(*row, "PayloadBytes"),
               text_field(*row, "ErrorMessage")});
  }
  print(table.text());
}

ExitCode list_dead_letters(const Context& context, const DeadLettersArguments& arguments) {
  const Listing listing{"ListDeadLetters", "DeadLetters", arguments.limit,
                        [&](wire::MapWriter& params) {
                          if (!arguments.function_name.empty()) {
                            params.text("FunctionName", arguments.function_name);
                          }
                        }};
  return list_and_show(context, listing, show_dead_letters);
}

void print_dead_letter(const msgpack::object& letter) {
  Table fields{{"RequestId", text_field(letter, "RequestId")}};
  for (const auto* key : {"FunctionName", "Condition", "ErrorType", "ErrorMessage", "Payload"}) {
    if (wire::find(letter, key) != nullptr) fields.add({key, text_field(letter, key)});
  }
  fields.add({"DiedAt", time_field(letter, "DiedAt")});
  fields.add({"Attempt", number_field(letter, "Attempt")});
  fields.add({"PayloadBytes", bytes_field(letter, "PayloadBytes")});
  print(fields.text());
  show_attempts(letter);
}

ExitCode show_dead_letter(const Context& context, const std::string& request_id) {
  return call_and_show(
      context, "GetDeadLetter",
      [&](wire::MapWriter& params) { params.text("RequestId", request_id); }, print_dead_letter);
}

void show_count(const Context& context, const Disposal& disposal, int64_t count) {
  if (context.json) {
    print_json(Json{{std::string{disposal.count_field}, count}});
  } else {
    print(std::to_string(count) + " " + std::string{disposal.past_tense} + "\n");
  }
}

// A page per call, until the daemon says that this was the last one.
ExitCode dispose_of_all(const Context& context, const Disposal& disposal,
                        const std::string& function_name) {
  auto client = connect(context);
  if (!client) return complain(context, client.error());
  int64_t count = 0;
  std::string marker;
  do {
    const auto reply = client->call(disposal.method, [&](wire::MapWriter& params) {
      params.text("FunctionName", function_name);
      if (!marker.empty()) params.text("Marker", marker);
    });
    if (!reply) {
      show_count(context, disposal, count);
      return complain(context, reply.error());
    }
    count += number_of(reply->get(), disposal.count_field);
    marker = bytes_of(reply->get(), "NextMarker");
  } while (!marker.empty());
  show_count(context, disposal, count);
  return ExitCode::done;
}

ExitCode dispose_of(const Context& context, const Disposal& disposal,
                    const DeadLettersArguments& arguments) {
  if (!arguments.all_of_function.empty()) {
    return dispose_of_all(context, disposal, arguments.all_of_function);
  }
  if (arguments.request_ids.empty()) {
    warn("name the events by their RequestIds, or all of a function with --all FUNCTION");
    return ExitCode::usage;
  }
  int64_t count = 0;
  const ExitCode code = for_each_id(
      context, arguments.request_ids, disposal.method,
      [&](const msgpack::object& reply) { count += number_of(reply, disposal.count_field); });
  show_count(context, disposal, count);
  return code;
}

void add_disposal(CLI::App& group, Context& context, const char* name, const char* description,
                  const Disposal& disposal,
                  const std::shared_ptr<DeadLettersArguments>& arguments) {
  auto* verb = group.add_subcommand(name, description);
  auto* ids = verb->add_option("request-id", arguments->request_ids);
  verb->add_option("--all", arguments->all_of_function, "all that this function has now")
      ->type_name("FUNCTION")
      ->excludes(ids);
  verb->callback([&context, &disposal, arguments] {
    context.run = [&context, &disposal, arguments] {
      return dispose_of(context, disposal, *arguments);
    };
  });
}

}  // namespace

void add_dead_letters(CLI::App& app, Context& context) {
  auto* group = app.add_subcommand("dead-letters", "list, show, redrive and discard dead letters");
  group->alias("dlq");
  group->require_subcommand(1);
  auto arguments = std::make_shared<DeadLettersArguments>();

  auto* list_verb = group->add_subcommand("list", "dead letters, newest first");
  list_verb->add_option("--function", arguments->function_name, "only of this function");
  list_verb->add_option("--limit", arguments->limit, "rows at most; 0: all")->capture_default_str();
  list_verb->callback([&context, arguments] {
    context.run = [&context, arguments] { return list_dead_letters(context, *arguments); };
  });

  auto* show_verb = group->add_subcommand("show", "one dead letter, its payload and attempts");
  show_verb->add_option("request-id", arguments->request_ids)->required()->expected(1);
  show_verb->callback([&context, arguments] {
    context.run = [&context, arguments] {
      return show_dead_letter(context, arguments->request_ids.front());
    };
  });

  add_disposal(*group, context, "redrive", "run them again, with all their retries", kRedrive,
               arguments);
  add_disposal(*group, context, "discard", "delete them for good", kDiscard, arguments);
}

}  // namespace holdfast::cli
