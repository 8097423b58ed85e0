// Mutants: promises that a test breaks on purpose, to see that some test notices.
//
//    if (!broken(Mutant::sync_off)) options.sync = true;
//
// A process runs at most one, named by the environment: HOLDFAST_MUTANT=sync_off. They
// exist only in builds with HOLDFAST_TEST_HOOKS; in all others broken() is the constant
// false and nothing of them remains. tests/crash/mutants_test.py runs them all.
//
// Rule  One mutant, one line of code. What takes more is another mutant.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <string_view>

namespace holdfast {

enum class Mutant : uint8_t {
  none,
  // The commit path
  sync_off,              // a commit is not synced
  failed_sync_ignored,   // a commit that failed counts as done
  reply_before_commit,   // an answer leaves before its batch is durable
  start_before_commit,   // an attempt starts before its number is durable
  audit_skipped,         // the log is opened as it is
  // The outcome batch: this part of it goes into the next batch
  dead_letter_apart,
  destination_apart,
  answer_apart,
  // The rules
  late_outcome_not_fenced,    // a report of an older attempt counts
  expiry_by_wall_clock,       // a key expires by a clock that may be unset
  cancelled_event_retried,    // a failure after an acknowledged wish to cancel is retried
  lookup_answered_stale,      // the disk's answer overrules a newer change in memory
  generation_not_raised,      // a row moves without a new generation
  redrive_copies,             // the dead letter stays where it was
  interruptions_not_counted,  // an event that kills the daemon does so for ever
  broken_command_used,        // a command that does not start is given events
  not_started_counts,         // an attempt that no handler has seen counts as a failure
  // Workers
  worker_not_fenced,       // any worker may answer for the one that has the attempt
  silent_worker_kept,      // what a worker did not stop in time runs again beside it
  adrift_settled_at_once,  // a worker cannot take up what it had before a restart
  adrift_forgotten,        // what no worker took up again is never settled
  // The pages
  page_boundary_skipped,  // the first row after a page is lost from sight
  page_row_doubled,       // the last row of a page is also the first of the next
  // The processes
  handlers_outlive,  // the spawner leaves its handlers alone when the daemon dies
};

#ifdef HOLDFAST_TEST_HOOKS

inline constexpr std::string_view kMutantNames[] = {
    "none",
    "sync_off",
    "failed_sync_ignored",
    "reply_before_commit",
    "start_before_commit",
    "audit_skipped",
    "dead_letter_apart",
    "destination_apart",
    "answer_apart",
    "late_outcome_not_fenced",
    "expiry_by_wall_clock",
    "cancelled_event_retried",
    "lookup_answered_stale",
    "generation_not_raised",
    "redrive_copies",
    "interruptions_not_counted",
    "broken_command_used",
    "not_started_counts",
    "worker_not_fenced",
    "silent_worker_kept",
    "adrift_settled_at_once",
    "adrift_forgotten",
    "page_boundary_skipped",
    "page_row_doubled",
    "handlers_outlive",
};
static_assert(std::size(kMutantNames) == static_cast<size_t>(Mutant::handlers_outlive) + 1);

// A name nobody knows would be a mutant that nothing catches: it ends the process.
inline Mutant mutant_of_environment() {
  const char* wanted = std::getenv("HOLDFAST_MUTANT");
  if (wanted == nullptr || *wanted == '\0') return Mutant::none;
  for (size_t n = 0; n < std::size(kMutantNames); ++n) {
    if (kMutantNames[n] == wanted) return static_cast<Mutant>(n);
  }
  std::fprintf(stderr, "HOLDFAST_MUTANT: there is no mutant %s\n", wanted);
  std::_Exit(2);
}

inline bool broken(Mutant mutant) {
  static const Mutant chosen = mutant_of_environment();
  return chosen == mutant;
}

#else

constexpr bool broken(Mutant /*mutant*/) { return false; }

#endif

}  // namespace holdfast
