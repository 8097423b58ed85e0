// Evidence: a copy of what tells how a database came to its damage, made before an
// accepted loss changes anything: the logs, the MANIFESTs, CURRENT, IDENTITY, the
// options and the side file. Tables are not copied: they are not changed.
//
//    Result<std::string> folder = copy_evidence("/var/lib/holdfast");
//    if (!folder) return folder.error();   // full: not enough room, nothing was copied
//
// The folder is STATE_DIRECTORY/evidence-20260301T181605Z. It gets its name when it is
// whole and synced; one whose name ends in .partial was cut short and may be deleted.
#pragma once

#include <string>

#include "storage/base/result.h"

namespace holdfast::daemon {

Result<std::string> copy_evidence(const std::string& state_directory);

}  // namespace holdfast::daemon
