// holdfastd: see README.md. The daemon; what an operator runs while it is stopped
// (--check-config, --verify, --accept-wal-loss); and --spawner, which the daemon starts
// for itself.
#include <malloc.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "config/load.h"
#include "config/print.h"
#include "config/warnings.h"
#include "daemon/accept_command.h"
#include "daemon/exit_code.h"
#include "daemon/log.h"
#include "daemon/machine.h"
#include "daemon/notify.h"
#include "daemon/open_store.h"
#include "daemon/service.h"
#include "daemon/spawner/launch.h"
#include "daemon/spawner/spawner.h"
#include "daemon/state_directory.h"
#include "daemon/verify_command.h"
#include "storage/base/crash_point.h"

namespace holdfast::daemon {
namespace {

constexpr const char* kDefaultConfig = "/etc/holdfast/holdfast.toml";
// RocksDB's recovery replays at most max_total_wal_size; a slow card takes a while.
constexpr std::chrono::seconds kRecoveryTimeMax{600};

ExitCode check_config(const std::string& path) {
  Result<config::Settings> settings = config::load(path);
  if (!settings) {
    std::fprintf(stderr, "%s\n", settings.error().what.c_str());
    return ExitCode::config;
  }
  std::vector<std::string> warnings = config::warnings(*settings);
  for (std::string& warning : config::fit(*settings, this_machine())) {
    warnings.push_back(std::move(warning));
  }
  for (const std::string& warning : warnings) {
    std::fprintf(stderr, "warning: %s\n", warning.c_str());
  }
  std::fputs(config::to_toml(*settings).c_str(), stdout);
  return ExitCode::success;
}

ExitCode accept(const std::string& config_path) {
  const Result<config::Settings> settings = config::load(config_path);
  if (settings) return accept_wal_loss(*settings);
  std::fprintf(stderr, "%s\n", settings.error().what.c_str());
  return ExitCode::config;
}

ExitCode run(const std::string& config_path) {
  Result<config::Settings> settings = config::load(config_path);
  if (!settings) {
    refuse_start(settings.error().what);
    return ExitCode::config;
  }
  start_log(settings->daemon.log_level);
  const rlimit descriptors = raise_descriptors();
  for (const std::string& warning : config::fit(*settings, this_machine())) {
    spdlog::warn("{}", warning);
  }
  const std::string& directory = settings->daemon.state_directory;
  Result<spawner::Fd> lock = take_state_directory(directory);
  if (!lock) {
    spdlog::critical("{}", lock.error().what);
    return exit_code_of(lock.error());
  }
  crash_point("before_spawner");
  notify_status("waiting for handlers of an earlier daemon");
  Result<spawner::Launched> spawner = spawner::launch_spawner(
      directory, spawner::SpawnerProgram{.descriptors = descriptors});
  if (!spawner) {
    spdlog::critical("{}", spawner.error().what);
    return exit_code_of(spawner.error());
  }
  notify_status("recovering");
  notify_extend_timeout(kRecoveryTimeMax);
  crash_point("before_open");
  const ExitCode code = open_and_serve(*settings, config_path, spawner->socket.number());
  crash_point("after_close");
  spawner::end_spawner(std::move(*spawner));
  return code;
}

}  // namespace
}  // namespace holdfast::daemon

int main(int argc, char** argv) {
  using holdfast::daemon::ExitCode;
  if (argc == 4 && std::string{argv[1]} == "--spawner") {
    return holdfast::spawner::spawner_main(std::atoi(argv[2]), argv[3]);
  }
  // One arena for all threads: 52 MB at most while a million events wait, with two 61 (VmHWM).
  // The price is 3 to 4 % of accepts with a key from 64 connections.
  mallopt(M_ARENA_MAX, 1);
  CLI::App app{"holdfastd: durable events for one machine"};
  std::string config_path = holdfast::daemon::kDefaultConfig;
  bool check_only = false;
  app.add_option("--config", config_path, "configuration file (TOML)")->capture_default_str();
  app.add_flag("--check-config", check_only,
               "print the effective settings, or what is wrong with them, and exit");
  std::string verified;
  auto* verify = app.add_option("--verify", verified,
                                "look whether all of a state directory is whole, and exit")
                     ->type_name("DIRECTORY");
  bool accept_loss = false;
  app.add_flag("--accept-wal-loss", accept_loss,
               "give up what is damaged in the log: copy the evidence aside, open without it, exit")
      ->excludes(verify);
  app.set_version_flag("--version", HOLDFAST_VERSION);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : static_cast<int>(ExitCode::usage);
  }
  using namespace holdfast::daemon;
  if (verify->count() > 0) return static_cast<int>(verify_state_directory(verified));
  if (check_only) return static_cast<int>(check_config(config_path));
  return static_cast<int>(accept_loss ? accept(config_path) : run(config_path));
}
