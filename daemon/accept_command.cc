#include "daemon/accept_command.h"

#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

#include "daemon/command_output.h"
#include "daemon/damage.h"
#include "daemon/evidence.h"
#include "daemon/state_directory.h"
#include "daemon/verify_command.h"
#include "storage/batch.h"
#include "storage/batch_writes.h"
#include "storage/codec.h"
#include "storage/limits.h"
#include "storage/pages.h"
#include "storage/rocks/rocks_store.h"

namespace holdfast::daemon {
namespace {

using storage::RocksStore;

// The last life began kSeqsSkippedAtStart behind the counter, and a log of its bounded
// size cannot hold as many numbers again.
constexpr uint64_t kSeqsSkippedByLoss = 2 * storage::kSeqsSkippedAtStart;

Result<> become_owner_of(const std::string& directory) {
  struct stat owner {};
  if (stat(directory.c_str(), &owner) != 0) {
    return Error{Errc::io, "cannot look at " + directory + ": " + std::strerror(errno)};
  }
  if (geteuid() == owner.st_uid) return ok();
  if (geteuid() != 0) {
    return Error{Errc::io, directory + " is another user's: run this as root or as its owner"};
  }
  if (setgroups(0, nullptr) == 0 && setgid(owner.st_gid) == 0 && setuid(owner.st_uid) == 0) {
    return ok();
  }
  return Error{Errc::io, "cannot become the owner of " + directory + ": " + std::strerror(errno)};
}

Result<> raise_numbers(RocksStore& store, const storage::Loss& loss) {
  Result<storage::Recovered> recovered = storage::load_recovered(store);
  if (!recovered) return recovered.error();
  // A box without a state begins anew, under another tag: its ids are none of the old ones.
  if (recovered->fresh_directory) {
    store.settle_loss();
    return ok();
  }
  storage::StateRecord& state = recovered->state;
  state.next_seq = storage::Seq{std::max(state.next_seq, loss.next_seq).value + kSeqsSkippedByLoss};
  state.next_function = std::max(state.next_function, loss.next_function);
  state.next_queue = std::max(state.next_queue, loss.next_queue);
  state.batch_number += 1;
  storage::Batch batch;
  batch.push(storage::PutState{state});
  return store.commit(storage::encode(batch));
}

// Steps 3 and 4.
Result<std::unique_ptr<RocksStore>> open_without(const storage::Loss& loss,
                                                 const std::string& database) {
  Result<std::unique_ptr<RocksStore>> store =
      RocksStore::open({.directory = database, .accept_loss = true});
  if (!store) return store.error();
  if (const Result<> raised = raise_numbers(**store, loss); !raised) return raised.error();
  return store;
}

ExitCode tell_of_the_rest(const RocksStore& store) {
  const Result<storage::Verification> found = storage::verify(store);
  if (!found) return give_up(found.error());
  print_verification(*found);
  if (found->complaint_count == 0) {
    say("The loss is accepted, and what is left is whole. Start the daemon.");
    return ExitCode::success;
  }
  say("The loss is accepted, but what is left is not whole: more than the log is damaged. The "
      "events that are named above may be lost, or run once more; the daemon may stop when it "
      "meets them. Restore a backup if there is one.");
  return ExitCode::damaged;
}

}  // namespace

ExitCode accept_wal_loss(const config::Settings& settings) {
  const std::string& directory = settings.daemon.state_directory;
  if (const Result<> owner = become_owner_of(directory); !owner) return give_up(owner.error());
  const Result<spawner::Fd> lock = take_existing_state_directory(directory);
  if (!lock) return give_up(lock.error());
  const Result<spawner::Fd> handlers = take_handlers_lock(directory);
  if (!handlers) return give_up(handlers.error());

  const std::string database = database_of(directory);
  Result<std::unique_ptr<RocksStore>> damaged =
      RocksStore::open({.directory = database, .read_only = true});
  if (!damaged) return give_up(damaged.error());
  const storage::OpenReport report = (*damaged)->open_report();
  say(report.audit.sentence);
  if (report.audit.verdict != storage::WalVerdict::damaged) {
    say("There is no loss to accept: nothing was changed. `holdfastd --verify " + directory +
        "` looks at all the rest.");
    return ExitCode::success;
  }
  const Result<storage::Loss> loss = storage::salvage_wal(**damaged, report.audit, database);
  if (!loss) return give_up(loss.error());
  damaged->reset();
  say("Lost, because of damage in " + place_of_damage(report, database) + ":");
  say(summary_of(*loss));
  for (const std::string& line : lines_of(*loss, storage::kLostEventsMax)) say("  " + line);

  const Result<std::string> evidence = copy_evidence(directory);
  if (!evidence) return give_up(evidence.error());
  say("The evidence is in " + *evidence + ". Delete it when nobody needs it any more.");
  const Result<std::unique_ptr<RocksStore>> store = open_without(*loss, database);
  if (!store) return give_up(store.error());
  return tell_of_the_rest(**store);
}

}  // namespace holdfast::daemon
