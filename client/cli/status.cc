// holdfast status: how the daemon is, and whether somebody should worry.
#include <memory>

#include "client/cli/context.h"
#include "client/cli/output.h"
#include "client/cli/trouble.h"
#include "client/wire/message.h"

namespace holdfast::cli {
namespace {

void show_summary(const msgpack::object& status) {
  const auto of = [&](std::string_view used, std::string_view max) {
    return bytes_field(status, used) + " of " + bytes_field(status, max);
  };
  Table fields{{"Version", text_field(status, "Version")}};
  fields.add({"State", text_field(status, "State") + ", pid " + number_field(status, "Pid") +
                           ", since " + time_field(status, "StartedAt")});
  fields.add(
      {"Accepting", is_true(status, "Accepting") ? "yes" : "no: " + text_field(status, "Refusal")});
  fields.add({"Attempts running", number_field(status, "AttemptsRunning") + " of " +
                                      number_field(status, "AttemptsRunningMax") +
                                      (is_true(status, "StartsWaitForDisk")
                                           ? ", others wait for disk space"
                                           : "")});
  fields.add({"Connections", number_field(status, "Connections")});
  fields.add({"Disk free", bytes_field(status, "DiskFreeBytes") + " (at least " +
                               bytes_field(status, "DiskFreeMinBytes") + ", reserved " +
                               bytes_field(status, "DiskReservedBytes") + ")"});
  fields.add({"Idempotency", of("IdempotencyBytes", "IdempotencyBytesMax")});
  fields.add({"History", of("HistoryBytes", "HistoryBytesMax")});
  fields.add({"Last sync", time_field(status, "LastSyncAt")});
  fields.add({"Accepted / ended",
              number_field(status, "Accepted") + " / " + number_field(status, "Ended")});
  if (const auto* recovery = wire::find(status, "Recovery")) {
    fields.add({"Recovery", number_field(*recovery, "DurationMs") + " ms, " +
                                number_field(*recovery, "InterruptedEvents") + " interrupted, " +
                                number_field(*recovery, "Waiting") + " waiting"});
  }
  print(fields.text());
}

// "2 busy, 1 idle of 8"; why it is broken stands in `status --check`.
std::string pool_text(const msgpack::object& pool) {
  if (wire::find(pool, "Broken") != nullptr) return "BROKEN";
  std::string text = number_field(pool, "Busy") + " busy, " + number_field(pool, "Idle") + " idle";
  if (number_of(pool, "Starting") > 0) text += ", " + number_field(pool, "Starting") + " starting";
  return text + " of " + number_field(pool, "Max");
}

void show_status(const msgpack::object& status) {
  show_summary(status);
  Table functions{{"FUNCTION", "BACKLOG", "OLDEST S", "RUNNING", "WORKERS", "POOL", "SUCCEEDED",
                   "FAILED", "DEAD LETTERS", "BYTES", "DROPPED"}};
  for (const msgpack::object* row : rows_of(status, "Functions")) {
    const msgpack::object* pool = wire::find(*row, "Pool");
    const std::string note = is_true(*row, "Configured") ? "" : " (not configured)";
    functions.add({text_field(*row, "FunctionName") + note, number_field(*row, "Backlog"),
                   number_field(*row, "OldestAgeSeconds"), number_field(*row, "Running"),
                   number_field(*row, "Workers"), pool == nullptr ? "-" : pool_text(*pool),
                   number_field(*row, "Succeeded"),
                   number_field(*row, "Failed"), number_field(*row, "DeadLetters"),
                   bytes_field(*row, "DeadLettersBytes"),
                   number_field(*row, "DeadLettersDropped")});
  }
  print("\n" + functions.text());
  if (rows_of(status, "Queues").empty()) return;
  Table queues{{"QUEUE", "MESSAGES", "BYTES", "BYTES MAX"}};
  for (const msgpack::object* row : rows_of(status, "Queues")) {
    queues.add({text_field(*row, "QueueName"), number_field(*row, "Messages"),
                bytes_field(*row, "Bytes"), bytes_field(*row, "BytesMax")});
  }
  print("\n" + queues.text());
}

ExitCode check(const Context& context) {
  auto client = connect(context);
  if (!client) return complain(context, client.error());
  const auto reply = client->call("GetStatus", [](wire::MapWriter&) {});
  if (!reply) return complain(context, reply.error());
  const std::vector<std::string> trouble = find_trouble(reply->get());
  if (context.json) {
    print_json(Json{{"Trouble", trouble}});
  } else if (trouble.empty()) {
    print("all is well\n");
  } else {
    for (const std::string& sentence : trouble) print(sentence + "\n");
  }
  return trouble.empty() ? ExitCode::done : ExitCode::trouble;
}

}  // namespace

void add_status(CLI::App& app, Context& context) {
  auto* verb = app.add_subcommand("status", "how the daemon is");
  auto only_check = std::make_shared<bool>(false);
  verb->add_flag("--check", *only_check, "print only what is wrong; exit status 6 if anything is");
  verb->callback([&context, only_check] {
    context.run = [&context, only_check] {
      if (*only_check) return check(context);
      return call_and_show(
          context, "GetStatus", [](wire::MapWriter&) {}, show_status);
    };
  });
}

}  // namespace holdfast::cli
