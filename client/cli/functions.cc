// holdfast functions: what can be invoked, and who serves it.
#include <memory>
#include <string>
#include <vector>

#include "client/cli/context.h"
#include "client/cli/output.h"
#include "client/wire/message.h"

namespace holdfast::cli {
namespace {

std::string command_text(const msgpack::object& function) {
  const auto* command = wire::find(function, "Command");
  if (command == nullptr) return "-";
  if (const auto text = wire::as_text(*command)) return printable(*text);
  std::string words;
  for (const msgpack::object* word : rows_of(function, "Command")) {
    if (!words.empty()) words += ' ';
    words += printable(wire::as_bytes(*word).value_or(""));
  }
  return words;
}

// What runs its attempts: "command, worker".
std::string kinds_text(const msgpack::object& function) {
  std::string kinds;
  for (const msgpack::object* kind : rows_of(function, "Kinds")) {
    if (!kinds.empty()) kinds += ", ";
    kinds += printable(wire::as_text(*kind).value_or("?"));
  }
  return kinds.empty() ? "-" : kinds;
}

void show_functions(const msgpack::object& reply) {
  Table table{{"FUNCTION", "CONFIGURED", "KINDS", "BACKLOG", "RUNNING", "SLOTS", "RETRIES",
               "TIMEOUT MS", "DEAD LETTERS", "COMMAND"}};
  for (const msgpack::object* row : rows_of(reply, "Functions")) {
    table.add({text_field(*row, "FunctionName"), is_true(*row, "Configured") ? "yes" : "no",
               kinds_text(*row), number_field(*row, "Backlog"), number_field(*row, "Running"),
               number_field(*row, "ConcurrencyMax"), number_field(*row, "Retries"),
               number_field(*row, "Timeout"), number_field(*row, "DeadLetters"),
               command_text(*row)});
  }
  print(table.text());
}

// The rows of ListFunctions that are asked for: one, or all if the name is empty.
Rows functions_named(const msgpack::object& reply, const std::string& name) {
  Rows rows = rows_of(reply, "Functions");
  if (name.empty()) return rows;
  std::erase_if(rows, [&](const auto* row) { return bytes_of(*row, "FunctionName") != name; });
  return rows;
}

void show_workers(const Rows& functions) {
  Table table{{"FUNCTION", "WORKER", "PID", "UID", "SINCE", "LAST SEEN", "RUNNING", "STATE"}};
  for (const msgpack::object* function : functions) {
    for (const msgpack::object* row : rows_of(*function, "Workers")) {
      table.add({text_field(*function, "FunctionName"), number_field(*row, "WorkerId"),
                 number_field(*row, "Pid"), number_field(*row, "Uid"), time_field(*row, "Since"),
                 time_field(*row, "LastSeen"),
                 number_field(*row, "Running") + " of " + number_field(*row, "Concurrency"),
                 is_true(*row, "Detaching") ? "detaching" : "attached"});
    }
  }
  print(table.text());
}

void print_workers(const Rows& functions) {
  Json workers = Json::array();
  for (const msgpack::object* function : functions) {
    for (const msgpack::object* row : rows_of(*function, "Workers")) {
      Json worker{{"FunctionName", text_field(*function, "FunctionName")}};
      const Json fields = to_json(*row);
      if (fields.is_object()) worker.update(fields);
      workers.push_back(std::move(worker));
    }
  }
  print_json(Json{{"Workers", workers}});
}

ExitCode list_workers(const Context& context, const std::string& function_name) {
  auto client = connect(context);
  if (!client) return complain(context, client.error());
  const auto reply = client->call("ListFunctions", [](wire::MapWriter&) {});
  if (!reply) return complain(context, reply.error());
  const Rows functions = functions_named(reply->get(), function_name);
  if (functions.empty() && !function_name.empty()) {
    return complain(context, {client::FailureKind::refused, "ResourceNotFoundException",
                              "there is no function " + printable(function_name)});
  }
  if (context.json) {
    print_workers(functions);
  } else {
    show_workers(functions);
  }
  return ExitCode::done;
}

}  // namespace

void add_functions(CLI::App& app, Context& context) {
  auto* group = app.add_subcommand("functions", "list functions and their workers");
  group->require_subcommand(1);
  auto* list_verb = group->add_subcommand("list", "all functions, and how much waits for them");
  list_verb->callback([&context] {
    context.run = [&context] {
      return call_and_show(
          context, "ListFunctions", [](wire::MapWriter&) {}, show_functions);
    };
  });
  auto* workers_verb = group->add_subcommand("workers", "who is attached, and what they run");
  auto function_name = std::make_shared<std::string>();
  workers_verb->add_option("function", *function_name, "only of this function");
  workers_verb->callback([&context, function_name] {
    context.run = [&context, function_name] { return list_workers(context, *function_name); };
  });
}

}  // namespace holdfast::cli
