#include "daemon/open_store.h"

#include <unistd.h>

#include <chrono>
#include <memory>
#include <optional>
#include <random>
#include <utility>

#include "daemon/damage.h"
#include "daemon/damage_mark.h"
#include "daemon/damaged_service.h"
#include "daemon/log.h"
#include "daemon/notify.h"
#include "daemon/service.h"
#include "daemon/state_directory.h"
#include "storage/base/crash_point.h"
#include "storage/keys.h"
#include "storage/pages.h"
#include "storage/rocks/rocks_store.h"
#include "storage/verify.h"

namespace holdfast::daemon {
namespace {

using storage::RocksStore;

// More than these are for --verify to list.
constexpr size_t kEventsLoggedMax = 20;
// A look reads the whole database once; ten million events on a slow card take a while.
constexpr std::chrono::seconds kLookTimeMax{3600};

// What both kinds of daemon begin with.
struct Beginning {
  Clock clock;
  core::Lifecycle core;
};

Result<std::unique_ptr<Beginning>> begin_with(RocksStore& store,
                                              const config::Settings& settings) {
  Result<storage::Recovered> recovered = storage::load_recovered(store);
  if (!recovered) return recovered.error();
  std::random_device entropy;
  const storage::BoxTag box{entropy() & storage::kBoxTagMax};
  const uint64_t seed = (uint64_t{entropy()} << 32) | entropy();
  auto beginning = std::unique_ptr<Beginning>(new Beginning{
      Clock{recovered->state.clock, read_kernel_clocks(), settings.daemon.dark_time_ages},
      core::Lifecycle{*recovered, box, settings, seed}});
  const storage::Seq cutoff = beginning->core.ledger().state().history_cutoff;
  if (Result<> dropped = store.drop_below(storage::Family::history, storage::history_key(cutoff));
      !dropped) {
    return dropped.error();
  }
  return beginning;
}

ExitCode give_up_start(const Error& error) {
  spdlog::critical("{}", error.what);
  return exit_code_of(error);
}

ExitCode give_up_socket(const Error& error) {
  spdlog::critical("{}", error.what);
  return ExitCode::socket;
}

ExitCode serve(RocksStore& store, const config::Settings& settings,
               const std::string& config_path, int spawner_fd) {
  const auto begun = std::chrono::steady_clock::now();
  Result<std::unique_ptr<Beginning>> beginning = begin_with(store, settings);
  if (!beginning) return give_up_start(beginning.error());
  const auto loaded =
      std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now() - begun);
  uv::Loop loop;
  Service service{{loop, store, (*beginning)->core, std::move((*beginning)->clock), settings,
                   config_path, spawner_fd, loaded + store.open_report().duration}};
  Result<ExitCode> ended = service.run();
  return ended ? *ended : give_up_socket(ended.error());
}

ExitCode serve_damaged(RocksStore& store, const config::Settings& settings,
                       const std::string& refusal, const std::string& events) {
  Result<std::unique_ptr<Beginning>> beginning = begin_with(store, settings);
  if (!beginning) return give_up_start(beginning.error());
  api::StatusReport report;
  report.version = HOLDFAST_VERSION;
  report.pid = getpid();
  report.started_wall = from_ms<WallTime>(read_kernel_clocks().wall_ms);
  report.recovery_duration = store.open_report().duration;
  report.wal_audit = store.open_report().audit.sentence;
  report.damage = events.empty() ? refusal : refusal + ". " + events;
  uv::Loop loop;
  DamagedService service{{loop, store, (*beginning)->core, std::move((*beginning)->clock),
                          settings, std::move(report), refusal}};
  Result<ExitCode> ended = service.run();
  return ended ? *ended : give_up_socket(ended.error());
}

// All tables and all rows. Errc::corrupt: the first that is not whole.
Result<> look_at_everything(const RocksStore& store) {
  if (const Result<> tables = store.verify_checksums(); !tables) return tables.error();
  const Result<storage::Verification> found = storage::verify(store);
  if (!found) return found.error();
  if (found->complaint_count == 0) return ok();
  return Error{Errc::corrupt, std::to_string(found->complaint_count) +
                                  " rows do not fit together, the first: " +
                                  found->complaints.front()};
}

// An earlier daemon met damage and stopped. If it is still there the box is shown, and
// the code is how that ended. Otherwise there is none, and the start goes on: of a box
// that is whole after all, without the mark; or of one whose log is damaged besides,
// which is told apart from all else.
std::optional<ExitCode> look_again(storage::OpenOptions options, const config::Settings& settings,
                                   const std::string& met) {
  spdlog::warn("an earlier daemon met damaged data ({}): looking at everything", met);
  notify_status("an earlier daemon met damaged data: looking at everything");
  notify_extend_timeout(kLookTimeMax);
  options.read_only = true;
  const Result<std::unique_ptr<RocksStore>> store = RocksStore::open(options);
  if (!store || (*store)->open_report().audit.verdict == storage::WalVerdict::damaged) {
    return std::nullopt;
  }
  const Result<> whole = look_at_everything(**store);
  if (whole) {
    spdlog::warn("all checksums are right and all rows are whole: going on");
    remove_damage_mark(settings.daemon.state_directory);
    return std::nullopt;
  }
  if (whole.error().code != Errc::corrupt) return give_up_start(whole.error());
  const std::string refusal = refusal_of_damaged_tables(whole.error().what);
  spdlog::critical("{}", refusal);
  return serve_damaged(**store, settings, refusal, "");
}

// Acknowledged data is damaged. Only a database that cannot even be read ends the daemon.
ExitCode open_and_show(storage::OpenOptions options, const config::Settings& settings,
                       const Error& damage) {
  spdlog::critical("{}", damage.what);
  options.read_only = true;
  Result<std::unique_ptr<RocksStore>> store = RocksStore::open(options);
  if (!store) {
    spdlog::critical("it cannot even be opened for reading: {}. Copy the state directory away, "
                     "look at the disk, restore a backup",
                     store.error().what);
    return ExitCode::damaged;
  }
  const storage::OpenReport& report = (*store)->open_report();
  std::string events;
  if (report.audit.verdict == storage::WalVerdict::damaged) {
    const Result<storage::Loss> loss =
        storage::salvage_wal(**store, report.audit, options.directory);
    spdlog::critical("acknowledged data is damaged in {}. {}",
                     place_of_damage(report, options.directory),
                     loss ? summary_of(*loss) : loss.error().what);
    if (loss) {
      for (const std::string& line : lines_of(*loss, kEventsLoggedMax)) spdlog::critical(line);
      events = summary_of(*loss);
    }
    spdlog::critical("to see all of it: stop the daemon, run `holdfastd --verify {}`",
                     settings.daemon.state_directory);
  }
  spdlog::critical("{}", remedy_of_damage());
  return serve_damaged(**store, settings, refusal_of_damage(report, options.directory), events);
}

}  // namespace

ExitCode open_and_serve(const config::Settings& settings, const std::string& config_path,
                        int spawner_fd) {
  storage::OpenOptions options;
  options.directory = database_of(settings.daemon.state_directory);
  options.on_warning = [](std::string_view text) { spdlog::warn("rocksdb: {}", text); };
  if (const auto met = damage_mark(settings.daemon.state_directory)) {
    if (const auto code = look_again(options, settings, *met)) return *code;
  }
  Result<std::unique_ptr<RocksStore>> store = RocksStore::open(options);
  if (!store) {
    if (store.error().code != Errc::corrupt) return give_up_start(store.error());
    return open_and_show(std::move(options), settings, store.error());
  }
  spdlog::info("{}", (*store)->open_report().audit.sentence);
  crash_point("after_open");
  const ExitCode code = serve(**store, settings, config_path, spawner_fd);
  crash_point("after_serving");
  return code;
}

}  // namespace holdfast::daemon
