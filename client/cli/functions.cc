// holdfast functions: what can be invoked.
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

void show_list(const msgpack::object& reply) {
  Table table{{"FUNCTION", "CONFIGURED", "BACKLOG", "RUNNING", "SLOTS", "RETRIES", "TIMEOUT MS",
               "DEAD LETTERS", "COMMAND"}};
  for (const msgpack::object* row : rows_of(reply, "Functions")) {
    table.add({text_field(*row, "FunctionName"), is_true(*row, "Configured") ? "yes" : "no",
               number_field(*row, "Backlog"), number_field(*row, "Running"),
               number_field(*row, "ConcurrencyMax"), number_field(*row, "Retries"),
               number_field(*row, "Timeout"), number_field(*row, "DeadLetters"),
               command_text(*row)});
  }
  print(table.text());
}

}  // namespace

void add_functions(CLI::App& app, Context& context) {
  auto* group = app.add_subcommand("functions", "list functions");
  group->require_subcommand(1);
  auto* list_verb = group->add_subcommand("list", "all functions, and how much waits for them");
  list_verb->callback([&context] {
    context.run = [&context] {
      return call_and_show(
          context, "ListFunctions", [](wire::MapWriter&) {}, show_list);
    };
  });
}

}  // namespace holdfast::cli
