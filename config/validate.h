// Every rule that settings obey, in one place.
//
//    for (const Complaint& complaint : validate(settings)) ...
//
// Pure: looks at nothing but the settings; whether a handler's program exists is not its
// question (warnings.h), since it may be installed later. load() runs the same rules and
// adds the lines of the file. Any thread.
#pragma once

#include <vector>

#include "config/complaint.h"
#include "config/settings.h"

namespace holdfast::config {

// Empty: the settings are good. The complaints have no lines.
std::vector<Complaint> validate(const Settings& settings);

}  // namespace holdfast::config
