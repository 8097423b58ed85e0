// DamageMark: what a daemon leaves in the state directory when it meets damaged data
// while it serves, and stops. The next start looks at the whole store before it serves:
// all is whole, and the mark goes; or it is not, and the box is read-only (promise 9).
//
//    leave_damage_mark("/var/lib/holdfast", error.what);
//    ...
//    if (const auto met = damage_mark("/var/lib/holdfast")) look_at_everything();
//
// Reason   The log is audited at each start, the tables are not: that would read the
//          whole disk. Without the mark a box with one bad block would start, read it,
//          stop, and start again without end.
// Failure  None that matters. A mark that cannot be written is a start without a look.
#pragma once

#include <optional>
#include <string>

namespace holdfast::daemon {

// Durable when it returns, if the disk still takes anything.
void leave_damage_mark(const std::string& state_directory, const std::string& what);

// What was met; nothing if there is no mark.
std::optional<std::string> damage_mark(const std::string& state_directory);

void remove_damage_mark(const std::string& state_directory);

}  // namespace holdfast::daemon
