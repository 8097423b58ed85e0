// holdfast events: look at events, and cancel them.
#include <memory>

#include "client/cli/context.h"
#include "client/cli/output.h"
#include "client/wire/limits.h"
#include "client/wire/message.h"

namespace holdfast::cli {
namespace {

struct EventsArguments {
  std::string function_name;
  std::string state;
  uint32_t limit = wire::kPageItemsDefault;
  std::vector<std::string> request_ids;
};

void show_events(const Rows& rows) {
  Table table{{"REQUEST ID", "FUNCTION", "STATE", "ATTEMPT", "ACCEPTED", "ENDED", "CONDITION"}};
  for (const msgpack::object* row : rows) {
    table.add({text_field(*row, "RequestId"), text_field(*row, "FunctionName"),
               text_field(*row, "State"), number_field(*row, "Attempt"),
               time_field(*row, "AcceptedAt"), time_field(*row, "EndedAt"),
               text_field(*row, "Condition")});
  }
  print(table.text());
}

ExitCode list_events(const Context& context, const EventsArguments& arguments) {
  const Listing listing{"ListEvents", "Events", arguments.limit, [&](wire::MapWriter& params) {
                          if (!arguments.function_name.empty()) {
                            params.text("FunctionName", arguments.function_name);
                          }
                          if (!arguments.state.empty()) params.text("State", arguments.state);
                        }};
  return list_and_show(context, listing, show_events);
}

void print_event(const msgpack::object& event) {
  Table fields{{"RequestId", text_field(event, "RequestId")}};
  for (const auto* key : {"FunctionName", "State", "InvocationType", "Condition", "ErrorType",
                          "ErrorMessage", "Result"}) {
    if (wire::find(event, key) != nullptr) fields.add({key, text_field(event, key)});
  }
  for (const auto* key : {"Attempt", "Failures", "Interruptions"}) {
    fields.add({key, number_field(event, key)});
  }
  for (const auto* key : {"AcceptedAt", "DueAt", "StartedAt", "DeadlineAt", "EndedAt"}) {
    if (wire::find(event, key) != nullptr) fields.add({key, time_field(event, key)});
  }
  for (const auto* key : {"PayloadBytes", "ResultBytes"}) {
    if (wire::find(event, key) != nullptr) fields.add({key, bytes_field(event, key)});
  }
  print(fields.text());
  show_attempts(event);
}

ExitCode show_event(const Context& context, const std::string& request_id) {
  return call_and_show(
      context, "GetEvent", [&](wire::MapWriter& params) { params.text("RequestId", request_id); },
      print_event);
}

// The bytes as they are, for a file or a pipe.
ExitCode payload(const Context& context, const std::string& request_id) {
  return call_and_show(
      context, "GetEventPayload",
      [&](wire::MapWriter& params) { params.text("RequestId", request_id); },
      [](const msgpack::object& answer) { print(bytes_of(answer, "Payload")); });
}

ExitCode cancel(const Context& context, const std::vector<std::string>& request_ids) {
  // With --json one line per event: an array would show nothing until the last one ended.
  const auto show_state = [&](const msgpack::object& reply) {
    if (context.json) {
      print(to_json(reply).dump() + "\n");
    } else {
      print(text_field(reply, "RequestId") + "  " + text_field(reply, "State") + "\n");
    }
  };
  return for_each_id(context, request_ids, "CancelEvent", show_state);
}

}  // namespace

void add_events(CLI::App& app, Context& context) {
  auto* group = app.add_subcommand("events", "list, show and cancel events");
  group->require_subcommand(1);
  auto arguments = std::make_shared<EventsArguments>();

  auto* list_verb = group->add_subcommand("list", "events, newest first within a state");
  list_verb->add_option("--function", arguments->function_name, "only of this function");
  list_verb->add_option("--state", arguments->state, "only in this state")
      ->check(CLI::IsMember({"pending", "running", "succeeded", "failed", "cancelled", "dead"}));
  list_verb->add_option("--limit", arguments->limit, "rows at most; 0: all")->capture_default_str();
  list_verb->callback([&context, arguments] {
    context.run = [&context, arguments] { return list_events(context, *arguments); };
  });

  auto* show_verb = group->add_subcommand("show", "everything about one event");
  show_verb->add_option("request-id", arguments->request_ids)->required()->expected(1);
  show_verb->callback([&context, arguments] {
    context.run = [&context, arguments] {
      return show_event(context, arguments->request_ids.front());
    };
  });

  auto* payload_verb =
      group->add_subcommand("payload", "the payload of an event that has not ended, or is dead");
  payload_verb->add_option("request-id", arguments->request_ids)->required()->expected(1);
  payload_verb->callback([&context, arguments] {
    context.run = [&context, arguments] {
      return payload(context, arguments->request_ids.front());
    };
  });

  auto* cancel_verb = group->add_subcommand("cancel", "end events before they run, or stop them");
  cancel_verb->add_option("request-id", arguments->request_ids)->required();
  cancel_verb->callback([&context, arguments] {
    context.run = [&context, arguments] { return cancel(context, arguments->request_ids); };
  });
}

}  // namespace holdfast::cli
