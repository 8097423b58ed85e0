// holdfast invoke: run a function now, or hand over an event for later.
#include <memory>

#include "client/cli/context.h"
#include "client/cli/output.h"
#include "client/wire/limits.h"

namespace holdfast::cli {
namespace {

using client::Client;
using client::EventReply;
using client::GetEvent;
using client::InvokeReply;

struct InvokeArguments {
  std::string function_name;
  std::string payload;  // as named on the command line
  std::string key;
  uint32_t delay_seconds = 0;
  bool event = false;
  bool wait = false;
};

// What the caller sees of an ending, whichever answer it came with.
ExitCode show_ending(const std::string& state, const std::optional<std::string>& result,
                     uint64_t result_bytes, const std::string& error) {
  if (state != "succeeded") {
    warn("the event ended as " + printable(state) + (error.empty() ? "" : ": " + printable(error)));
    return ExitCode::function_failed;
  }
  if (result) {
    print(*result);
  } else if (result_bytes > 0) {
    warn("it succeeded; its result of " + bytes_text(result_bytes) + " was too large to be kept");
  }
  return ExitCode::done;
}

ExitCode wait_for_ending(const Context& context, Client& client, const std::string& request_id) {
  const auto pack = [&](wire::MapWriter& params) {
    GetEvent{request_id, wire::kWaitSecondsMax}.pack(params);
  };
  while (true) {
    const auto raw = client.call(GetEvent::kMethod, pack);
    if (!raw) {
      warn("event " + printable(request_id) +
           " was accepted, and will run whether or not somebody waits");
      return complain(context, raw.error());
    }
    const auto event = EventReply::unpack(raw->get());
    if (!event) {
      return complain(context, {client::FailureKind::unknown, "", "the answer has no State", 0});
    }
    if (!event->ended()) continue;
    if (context.json) {
      print_json(to_json(raw->get()));
      return event->state == "succeeded" ? ExitCode::done : ExitCode::function_failed;
    }
    const std::string error =
        event->condition + " " + event->error_type + " " + event->error_message;
    return show_ending(event->state, event->result, event->result_bytes, error);
  }
}

// A function error's payload is a JSON object that says what happened.
ExitCode show_function_error(const std::string& payload) {
  const Json error = Json::parse(payload, nullptr, false);
  if (error.is_object() && error.value("errorMessage", Json{}).is_string()) {
    const Json type = error.value("errorType", Json{});
    warn("the function failed: " + printable(type.is_string() ? type.get<std::string>() : "") +
         ": " + printable(error["errorMessage"].get<std::string>()));
  } else {
    warn("the function failed: " + printable(payload));
  }
  return ExitCode::function_failed;
}

ExitCode show_synchronous(const Context& context, Client& client, const msgpack::object& raw,
                          const InvokeReply& reply) {
  if (reply.status_code == 202 && !reply.ending) {
    warn("the key belongs to event " + printable(reply.request_id) + "; waiting for it to end");
    return wait_for_ending(context, client, reply.request_id);
  }
  if (context.json) {
    print_json(to_json(raw));
    const bool failed =
        reply.function_error || (reply.ending && reply.ending->state != "succeeded");
    return failed ? ExitCode::function_failed : ExitCode::done;
  }
  if (reply.status_code == 202) {
    const auto& ending = *reply.ending;
    return show_ending(ending.state, ending.payload, ending.payload_bytes,
                       ending.condition + " " + ending.error_type + " " + ending.error_message);
  }
  if (reply.function_error) return show_function_error(reply.payload);
  print(reply.payload);
  return ExitCode::done;
}

ExitCode show_accepted(const Context& context, Client& client, bool wait,
                       const msgpack::object& raw, const InvokeReply& reply) {
  if (wait) {
    if (!context.json) warn("accepted as " + printable(reply.request_id));
    return wait_for_ending(context, client, reply.request_id);
  }
  if (context.json) {
    print_json(to_json(raw));
    return ExitCode::done;
  }
  if (reply.duplicate) warn("the key was known: this is the first request's id");
  print(printable(reply.request_id) + "\n");
  return ExitCode::done;
}

ExitCode invoke(const Context& context, const InvokeArguments& arguments) {
  const auto payload =
      read_payload(arguments.payload, arguments.event ? wire::kPayloadBytesMaxEvent
                                                      : wire::kPayloadBytesMaxSynchronous);
  if (!payload) return ExitCode::usage;
  auto client = connect(context);
  if (!client) return complain(context, client.error());

  const auto raw = client->call("Invoke", [&](wire::MapWriter& params) {
    if (arguments.event) {
      client::InvokeEvent{arguments.function_name, *payload, arguments.key, arguments.delay_seconds}
          .pack(params);
    } else {
      client::Invoke{arguments.function_name, *payload, arguments.key}.pack(params);
    }
  });
  if (!raw) return complain(context, raw.error());
  const auto reply = InvokeReply::unpack(raw->get());
  if (!reply) {
    return complain(context, {client::FailureKind::unknown, "", "the answer has no RequestId", 0});
  }
  if (arguments.event) return show_accepted(context, *client, arguments.wait, raw->get(), *reply);
  return show_synchronous(context, *client, raw->get(), *reply);
}

}  // namespace

void add_invoke(CLI::App& app, Context& context) {
  auto* verb = app.add_subcommand("invoke", "run a function and print its result");
  auto arguments = std::make_shared<InvokeArguments>();
  verb->add_option("function", arguments->function_name, "the function's name")->required();
  verb->add_option("payload", arguments->payload, "the payload: TEXT, @FILE, or - for stdin");
  auto* event = verb->add_flag("--event", arguments->event,
                               "hand it over: print its RequestId once it is on disk");
  verb->add_flag("--wait", arguments->wait, "with --event: wait for its ending, print its result")
      ->needs(event);
  verb->add_option("--key", arguments->key, "idempotency key: the same key runs only once")
      ->type_name("KEY");
  verb->add_option("--delay", arguments->delay_seconds, "with --event: not before then")
      ->type_name("SECONDS")
      ->check(CLI::Range(0u, wire::kInvokeDelaySecondsMax))
      ->needs(event);
  verb->callback([&context, arguments] {
    context.run = [&context, arguments] { return invoke(context, *arguments); };
  });
}

}  // namespace holdfast::cli
