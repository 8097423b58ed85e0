#include "daemon/verify_command.h"

#include <cinttypes>
#include <cstdio>

#include "daemon/command_output.h"
#include "daemon/damage.h"
#include "daemon/state_directory.h"
#include "storage/rocks/rocks_store.h"

namespace holdfast::daemon {
namespace {

using storage::RocksStore;

// What the logs say, and what the damage costs. False: they are damaged.
Result<bool> tell_of_logs(const RocksStore& store, const std::string& database) {
  const storage::OpenReport& report = store.open_report();
  say(report.audit.sentence);
  if (report.audit.verdict != storage::WalVerdict::damaged) return true;
  say("Acknowledged data is damaged in " + place_of_damage(report, database) + ".");
  const Result<storage::Loss> loss = storage::salvage_wal(store, report.audit, database);
  if (!loss) return loss.error();
  say(summary_of(*loss));
  for (const std::string& line : lines_of(*loss, storage::kLostEventsMax)) say("  " + line);
  say(remedy_of_damage());
  say("");
  return false;
}

// Nothing is wrong with the rest of the disk if a table file does not check out: that is
// a finding. That it cannot be read at all is a failure.
Result<bool> tell_of_tables(const RocksStore& store) {
  const Result<> verified = store.verify_checksums();
  if (verified) {
    say("The checksums of all table files are right.");
    return true;
  }
  if (verified.error().code != Errc::corrupt) return verified.error();
  say("DAMAGED: " + verified.error().what + ". Restore a backup; see README.md.");
  return false;
}

Result<bool> tell_of_rows(const RocksStore& store) {
  const Result<storage::Verification> found = storage::verify(store);
  if (!found && found.error().code == Errc::corrupt) {
    say("DAMAGED: " + found.error().what + ". The rows behind it were not looked at.");
    return false;
  }
  if (!found) return found.error();
  print_verification(*found);
  return found->complaint_count == 0;
}

}  // namespace

void print_verification(const storage::Verification& verification) {
  const auto count = [](std::string_view name, uint64_t number) {
    std::printf("  %-16.*s %12" PRIu64 "\n", static_cast<int>(name.size()), name.data(), number);
  };
  using storage::Family;
  std::printf("\nrows of each family\n");
  for (const storage::FamilyRow& row : storage::kFamilies) {
    count(row.name, verification.rows_of(row.family));
  }
  std::printf("\nevents\n");
  count("accepted", verification.accepted);
  count("ended", verification.ended);
  count("backlog", verification.fresh + verification.rows_of(Family::waiting));
  count("dead letters", verification.rows_of(Family::dead_letters));
  std::printf("\nbeside them\n");
  count("messages", verification.rows_of(Family::destinations));
  count("keys", verification.rows_of(Family::idempotency));
  std::printf("\n");
  if (verification.complaint_count == 0) {
    say("Every row has the neighbours it needs, and every counter is right.");
    return;
  }
  std::printf("%" PRIu64 " complaints%s:\n", verification.complaint_count,
              verification.complaint_count > verification.complaints.size() ? ", the first of them"
                                                                            : "");
  for (const std::string& complaint : verification.complaints) say("  " + complaint);
}

ExitCode verify_state_directory(const std::string& state_directory) {
  const Result<spawner::Fd> lock = share_state_directory(state_directory);
  if (!lock) return give_up(lock.error());
  const std::string database = database_of(state_directory);
  const Result<std::unique_ptr<RocksStore>> store =
      RocksStore::open({.directory = database, .read_only = true});
  if (!store) return give_up(store.error());
  bool whole = true;
  for (const Result<bool>& well :
       {tell_of_logs(**store, database), tell_of_tables(**store), tell_of_rows(**store)}) {
    if (!well) return give_up(well.error());
    whole = whole && *well;
  }
  say(whole ? "All is well." : "NOT all is well: see above.");
  return whole ? ExitCode::success : ExitCode::damaged;
}

}  // namespace holdfast::daemon
