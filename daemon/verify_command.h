// holdfastd --verify DIRECTORY: looks at a state directory that no daemon has, and tells
// on standard output whether all of it is whole: the logs, the checksums of all tables,
// and every row against its neighbours (storage/verify.h). Changes nothing.
//
//   0  all is well; a torn tail is well, too, and is said
//   2  it is no state directory
//   4  a daemon has it
//   5  it could not be read
//   6  damage, or a complaint; the lines say what, where, and which events it concerns
#pragma once

#include <string>

#include "daemon/exit_code.h"
#include "storage/verify.h"

namespace holdfast::daemon {

ExitCode verify_state_directory(const std::string& state_directory);

// The counts as a table, and the complaints.
void print_verification(const storage::Verification& verification);

}  // namespace holdfast::daemon
