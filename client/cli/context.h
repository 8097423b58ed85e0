// Context: what every verb needs: the global options, a connection, and one way
// to tell a failure.
//
// A group of verbs declares its command line in add_...(app, context) and sets
// context.run to what shall happen; main() calls it once the whole command line
// has been understood.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/cli/exit_codes.h"
#include "client/client.h"

namespace holdfast::cli {

struct Context {
  std::string socket_path{client::kSocketPathDefault};
  bool json = false;
  uint32_t timeout_seconds = 0;  // 0: wait for ever
  std::function<ExitCode()> run;
};

void add_invoke(CLI::App& app, Context& context);
void add_events(CLI::App& app, Context& context);
void add_functions(CLI::App& app, Context& context);
void add_dead_letters(CLI::App& app, Context& context);
void add_queues(CLI::App& app, Context& context);
void add_status(CLI::App& app, Context& context);

client::Answer<client::Client> connect(const Context& context);

// Tells what went wrong and what to do about it, on standard error.
ExitCode complain(const Context& context, const client::Failure& failure);

// One call; its answer is printed as JSON, or by `show`.
using Show = std::function<void(const msgpack::object&)>;
ExitCode call_and_show(const Context& context, std::string_view method,
                       const client::Client::PackParams& pack_params, const Show& show);

// One call for each id. A refused one does not keep the others from being asked;
// the exit code is the first failure's.
ExitCode for_each_id(const Context& context, const std::vector<std::string>& request_ids,
                     std::string_view method, const Show& show);

// All pages of a list, up to `rows_max` rows (0: all), printed as JSON or by `show`.
struct Listing {
  std::string_view method;
  std::string_view rows_field;
  uint32_t rows_max;
  client::Client::PackParams pack_filter;
};
using Rows = std::vector<const msgpack::object*>;
ExitCode list_and_show(const Context& context, const Listing& listing,
                       const std::function<void(const Rows&)>& show);

// A payload as the command line names it: the text itself, @FILE, or - for
// standard input. Empty: it cannot be read, and the reason has been told.
std::optional<std::string> read_payload(const std::string& named, size_t bytes_max);

}  // namespace holdfast::cli
