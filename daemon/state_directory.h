// The state directory, and who may have it: one daemon, or one offline command that
// changes it, or any number of those that only look.
//
//    Result<spawner::Fd> lock = take_state_directory(directory);
//    if (!lock) return exit_code_of(lock.error());   // refused: names the pid in the way
//
// Ownership  the lock ends with the descriptor, or with the process.
#pragma once

#include <string>

#include "daemon/exit_code.h"
#include "daemon/spawner/fd.h"
#include "storage/base/result.h"

namespace holdfast::daemon {

// Makes it if its parent is there. Waits a second for one who is about to be gone.
Result<spawner::Fd> take_state_directory(const std::string& directory);

// Of one that is there. Invalid if nothing in it says that it is a state directory.
Result<spawner::Fd> take_existing_state_directory(const std::string& directory);

// That no handler of an earlier daemon is alive, for those who start none.
Result<spawner::Fd> take_handlers_lock(const std::string& directory);

// To look only: nothing is written, and no daemon can start meanwhile. Empty if no
// daemon has ever had the directory, as in a copy of the database alone.
Result<spawner::Fd> share_state_directory(const std::string& directory);

inline std::string database_of(const std::string& state_directory) {
  return state_directory + "/db";
}

ExitCode exit_code_of(const Error& error);

}  // namespace holdfast::daemon
