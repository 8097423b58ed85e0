// holdfastd: see README.md. Three ways to run: the daemon, --check-config, and
// --spawner, which the daemon starts for itself.
#include <malloc.h>
#include <poll.h>
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <random>
#include <string>

#include "config/load.h"
#include "config/print.h"
#include "config/warnings.h"
#include "daemon/exit_code.h"
#include "daemon/log.h"
#include "daemon/notify.h"
#include "daemon/service.h"
#include "daemon/spawner/launch.h"
#include "daemon/spawner/process_lock.h"
#include "daemon/spawner/spawner.h"
#include "storage/base/crash_point.h"
#include "storage/rocks/rocks_store.h"

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
  for (const std::string& warning : config::warnings(*settings)) {
    std::fprintf(stderr, "warning: %s\n", warning.c_str());
  }
  std::fputs(config::to_toml(*settings).c_str(), stdout);
  return ExitCode::success;
}

// The state directory, and the right to be its only daemon.
Result<spawner::Fd> take_state_directory(const std::string& directory) {
  if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return Error{Errc::io, "cannot make the state directory " + directory + ": " +
                               std::strerror(errno) + " (its parent must exist)"};
  }
  // One that was just killed may take a moment to be gone.
  for (int tries_left = 20;; --tries_left) {
    Result<spawner::LockTry> lock = spawner::try_lock_file(directory + "/daemon.lock");
    if (!lock) return lock.error();
    if (lock->held) return std::move(lock->held);
    if (tries_left == 0) {
      return Error{Errc::refused, "another holdfastd, pid " + std::to_string(lock->holder) +
                                      ", has the state directory " + directory};
    }
    poll(nullptr, 0, 50);
  }
}

ExitCode exit_code_of(const Error& error) {
  if (error.code == Errc::refused) return ExitCode::in_use;
  return error.code == Errc::corrupt ? ExitCode::damaged : ExitCode::storage_failed;
}

ExitCode serve(storage::RocksStore& store, const config::Settings& settings,
               const std::string& config_path, int spawner_fd) {
  const auto begun = std::chrono::steady_clock::now();
  Result<storage::Recovered> recovered = storage::load_recovered(store);
  if (!recovered) {
    spdlog::critical("{}", recovered.error().what);
    return exit_code_of(recovered.error());
  }
  std::random_device entropy;
  const storage::BoxTag box{entropy() & storage::kBoxTagMax};
  Clock clock{recovered->state.clock, read_kernel_clocks(), settings.daemon.dark_time_ages};
  core::Lifecycle core{*recovered, box, settings, (uint64_t{entropy()} << 32) | entropy()};
  const storage::Seq cutoff = core.ledger().state().history_cutoff;
  if (Result<> dropped = store.drop_below(storage::Family::history, storage::history_key(cutoff));
      !dropped) {
    spdlog::critical("{}", dropped.error().what);
    return ExitCode::storage_failed;
  }
  const auto loaded =
      std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now() - begun);
  uv::Loop loop;
  Service service{{loop, store, core, std::move(clock), settings, config_path, spawner_fd,
                   loaded + store.open_report().duration}};
  Result<ExitCode> ended = service.run();
  if (!ended) {
    spdlog::critical("{}", ended.error().what);
    return ExitCode::socket;
  }
  return *ended;
}

ExitCode run(const std::string& config_path) {
  Result<config::Settings> settings = config::load(config_path);
  if (!settings) {
    std::fprintf(stderr, "%s\n", settings.error().what.c_str());
    return ExitCode::config;
  }
  resolve_attempts_running_max(*settings);
  start_log(settings->daemon.log_level);
  const std::string& directory = settings->daemon.state_directory;
  Result<spawner::Fd> lock = take_state_directory(directory);
  if (!lock) {
    spdlog::critical("{}", lock.error().what);
    return exit_code_of(lock.error());
  }
  notify_status("waiting for handlers of an earlier daemon");
  Result<spawner::Launched> spawner = spawner::launch_spawner(directory);
  if (!spawner) {
    spdlog::critical("{}", spawner.error().what);
    return exit_code_of(spawner.error());
  }
  notify_status("recovering");
  notify_extend_timeout(kRecoveryTimeMax);
  crash_point("before_open");
  storage::OpenOptions options;
  options.directory = directory + "/db";
  options.on_warning = [](std::string_view text) { spdlog::warn("rocksdb: {}", text); };
  Result<std::unique_ptr<storage::RocksStore>> store = storage::RocksStore::open(options);
  if (!store) {
    spdlog::critical("{}", store.error().what);
    return exit_code_of(store.error());
  }
  spdlog::info("{}", (*store)->open_report().audit.sentence);
  crash_point("after_open");
  const ExitCode code = serve(**store, *settings, config_path, spawner->socket.number());
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
  // Few arenas: the threads share a small memory.
  mallopt(M_ARENA_MAX, 2);
  CLI::App app{"holdfastd: durable events for one machine"};
  std::string config_path = holdfast::daemon::kDefaultConfig;
  bool check_only = false;
  app.add_option("--config", config_path, "configuration file (TOML)")->capture_default_str();
  app.add_flag("--check-config", check_only,
               "print the effective settings, or what is wrong with them, and exit");
  app.set_version_flag("--version", HOLDFAST_VERSION);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : static_cast<int>(ExitCode::usage);
  }
  return static_cast<int>(check_only ? holdfast::daemon::check_config(config_path)
                                     : holdfast::daemon::run(config_path));
}
