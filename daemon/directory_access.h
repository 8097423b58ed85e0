// The state directory as an operator may have got it wrong.
#pragma once

#include <string>

#include "storage/base/result.h"

namespace holdfast::daemon {

// Makes the directory if it is not there, and sees whether this process may use it and
// the files that an earlier daemon left in it. Names daemon.state_directory, what is
// wrong and what to do. Errc::invalid: a setting or an owner is to be mended; anything
// else is the disk's.
Result<> prepare_state_directory(const std::string& directory);

}  // namespace holdfast::daemon
