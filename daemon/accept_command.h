// holdfastd --accept-wal-loss: the operator's word that what is damaged in the log is
// lost. Run once, with the daemon stopped; then the daemon starts as ever.
//
//   1. finds the damage, and which events it concerns; without damage changes nothing
//   2. copies the evidence aside, synced (evidence.h)
//   3. cuts the log off at the damage and opens what stands before it
//   4. moves the counter of numbers past all that the lost part can have given out
//   5. looks whether what is left is whole (storage/verify.h), and tells
//
// Rule    It may be cut short anywhere, and repeated.
// Reason  Until 4 is on disk the side file tells of the loss: the box stays read-only.
//
// Rule    Numbers go on kSeqsSkippedByLoss behind the highest one known.
// Reason  The damage can have taken the very commit in which the last life wrote that it
//         had skipped kSeqsSkippedAtStart. The next start would skip to the same place,
//         and a RequestId would name two events.
//
// It works as the owner of the state directory, if root runs it: the daemon must be able
// to open what it leaves.
#pragma once

#include "config/settings.h"
#include "daemon/exit_code.h"

namespace holdfast::daemon {

ExitCode accept_wal_loss(const config::Settings& settings);

}  // namespace holdfast::daemon
