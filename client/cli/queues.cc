// holdfast queues: the local queues, by hand.
#include <memory>

#include "client/cli/context.h"
#include "client/cli/output.h"
#include "client/wire/limits.h"
#include "client/wire/message.h"

namespace holdfast::cli {
namespace {

struct QueuesArguments {
  std::string queue_name;
  std::string body;  // as named on the command line
  std::vector<std::string> attributes;
  uint32_t delay_seconds = 0;
  uint32_t messages_max = 1;
  std::optional<uint32_t> visibility_timeout_seconds;
  std::string receipt_handle;
};

void show_queues(const msgpack::object& reply) {
  Table table{{"QUEUE", "CONFIGURED", "MESSAGES", "BYTES", "BYTES MAX"}};
  for (const msgpack::object* row : rows_of(reply, "Queues")) {
    table.add({text_field(*row, "QueueName"), is_true(*row, "Configured") ? "yes" : "no",
               number_field(*row, "Messages"), bytes_field(*row, "Bytes"),
               bytes_field(*row, "BytesMax")});
  }
  print(table.text());
}

ExitCode send(const Context& context, const QueuesArguments& arguments) {
  client::SendMessage message{arguments.queue_name, "", {}, arguments.delay_seconds};
  for (const std::string& attribute : arguments.attributes) {
    const size_t equals = attribute.find('=');
    if (equals == 0 || equals == std::string::npos) {
      warn("an attribute is written NAME=VALUE, not " + printable(attribute));
      return ExitCode::usage;
    }
    message.attributes[attribute.substr(0, equals)] = attribute.substr(equals + 1);
  }
  const auto body = read_payload(arguments.body, wire::kMessageBodyBytesMax);
  if (!body) return ExitCode::usage;
  message.body = *body;
  return call_and_show(
      context, client::SendMessage::kMethod, [&](wire::MapWriter& params) { message.pack(params); },
      [](const msgpack::object& reply) { print(text_field(reply, "MessageId") + "\n"); });
}

void show_messages(const msgpack::object& reply) {
  const Rows messages = rows_of(reply, "Messages");
  if (messages.empty()) warn("no message is waiting");
  for (const msgpack::object* message : messages) {
    Table fields{{"MessageId", text_field(*message, "MessageId")}};
    fields.add({"ReceiptHandle", text_field(*message, "ReceiptHandle")});
    fields.add({"SentAt", time_field(*message, "SentAt")});
    fields.add({"ReceiveCount", number_field(*message, "ReceiveCount")});
    if (const auto* attributes = wire::find(*message, "MessageAttributes")) {
      fields.add({"Attributes", to_json(*attributes).dump()});
    }
    fields.add({"Body", text_field(*message, "Body")});
    print(fields.text() + "\n");
  }
}

ExitCode receive(const Context& context, const QueuesArguments& arguments) {
  const client::ReceiveMessage request{arguments.queue_name, arguments.messages_max,
                                       arguments.visibility_timeout_seconds};
  return call_and_show(
      context, client::ReceiveMessage::kMethod,
      [&](wire::MapWriter& params) { request.pack(params); }, show_messages);
}

ExitCode delete_message(const Context& context, const QueuesArguments& arguments) {
  const client::DeleteMessage request{arguments.queue_name, arguments.receipt_handle};
  return call_and_show(
      context, client::DeleteMessage::kMethod,
      [&](wire::MapWriter& params) { request.pack(params); }, [](const msgpack::object&) {});
}

}  // namespace

void add_queues(CLI::App& app, Context& context) {
  auto* group = app.add_subcommand("queues", "list queues; send, receive and delete messages");
  group->require_subcommand(1);
  auto arguments = std::make_shared<QueuesArguments>();
  const auto runs = [&context,
                     arguments](ExitCode (*verb)(const Context&, const QueuesArguments&)) {
    return [&context, arguments, verb] {
      context.run = [&context, arguments, verb] { return verb(context, *arguments); };
    };
  };

  auto* list_verb = group->add_subcommand("list", "all queues, and how full they are");
  list_verb->callback(runs([](const Context& global, const QueuesArguments&) {
    return call_and_show(
        global, "ListQueues", [](wire::MapWriter&) {}, show_queues);
  }));

  auto* send_verb = group->add_subcommand("send", "send a message and print its MessageId");
  send_verb->add_option("queue", arguments->queue_name)->required();
  send_verb->add_option("body", arguments->body, "TEXT, @FILE, or - for stdin")->required();
  send_verb->add_option("--attribute", arguments->attributes, "NAME=VALUE; may be repeated")
      ->allow_extra_args(false);
  send_verb->add_option("--delay", arguments->delay_seconds, "not to be received before then")
      ->type_name("SECONDS")
      ->check(CLI::Range(0u, wire::kMessageDelaySecondsMax));
  send_verb->callback(runs(send));

  auto* receive_verb =
      group->add_subcommand("receive", "receive messages, and hide them meanwhile");
  receive_verb->add_option("queue", arguments->queue_name)->required();
  receive_verb->add_option("--max", arguments->messages_max, "messages at most")
      ->check(CLI::Range(1u, wire::kReceiveMessagesMax))
      ->capture_default_str();
  receive_verb
      ->add_option("--visibility", arguments->visibility_timeout_seconds,
                   "how long they stay hidden from others")
      ->type_name("SECONDS")
      ->check(CLI::Range(0u, wire::kVisibilityTimeoutSecondsMax));
  receive_verb->callback(runs(receive));

  auto* delete_verb =
      group->add_subcommand("delete", "delete a received message: its work is done");
  delete_verb->add_option("queue", arguments->queue_name)->required();
  delete_verb->add_option("receipt-handle", arguments->receipt_handle)->required();
  delete_verb->callback(runs(delete_message));
}

}  // namespace holdfast::cli
