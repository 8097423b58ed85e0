// holdfast: the command for people and scripts. One file per group of verbs;
// exit_codes.h tells what the exit status means.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <string>

#include "client/cli/context.h"
#include "client/cli/exit_codes.h"
#include "client/cli/output.h"

namespace holdfast::cli {
namespace {

int main(int argc, char** argv) {
  Context context;
  CLI::App app{"Invoke functions of holdfastd and look after their events.", "holdfast"};
  app.footer(std::string{kExitCodesHelp});
  app.set_version_flag("--version", HOLDFAST_VERSION);
  app.require_subcommand(1);
  app.fallthrough();
  app.add_option("--socket", context.socket_path, "the daemon's socket")
      ->envname("HOLDFAST_SOCKET")
      ->type_name("PATH")
      ->capture_default_str();
  app.add_flag("--json", context.json, "print JSON, for programs");
  app.add_option("--timeout", context.timeout_seconds,
                 "give up when a reply takes longer; 0 waits for ever")
      ->type_name("SECONDS")
      ->check(CLI::Range(0, 86400))
      ->capture_default_str();

  add_invoke(app, context);
  add_events(app, context);
  add_functions(app, context);
  add_dead_letters(app, context);
  add_queues(app, context);
  add_status(app, context);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : static_cast<int>(ExitCode::usage);
  }
  const ExitCode code = context.run();
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    warn("standard output could not be written");
    if (code == ExitCode::done) return static_cast<int>(ExitCode::output_failed);
  }
  return static_cast<int>(code);
}

}  // namespace
}  // namespace holdfast::cli

int main(int argc, char** argv) { return holdfast::cli::main(argc, argv); }
