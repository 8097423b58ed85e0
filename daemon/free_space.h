// How much a program without special rights may still write where the state stands.
#pragma once

#include <cstdint>
#include <string>

namespace holdfast::daemon {

// 0, and a line in the log, if it cannot be measured.
uint64_t free_bytes(const std::string& directory);

}  // namespace holdfast::daemon
