// What the exit status of `holdfast` means. Scripts depend on the numbers: they
// are added to, never changed. `holdfast --help` shows the same list.
#pragma once

#include <cstdint>
#include <string_view>

namespace holdfast::cli {

enum class ExitCode : uint8_t {
  done = 0,
  function_failed = 1,
  usage = 2,
  refused = 3,
  unreachable = 4,
  unknown = 5,
  trouble = 6,
  output_failed = 7,
};

inline constexpr std::string_view kExitCodesHelp =
    "Exit status:\n"
    "  0  done\n"
    "  1  the function failed, or the event ended without success\n"
    "  2  the command line cannot be understood, or a file it names cannot be read\n"
    "  3  the daemon refused; nothing was kept\n"
    "  4  the daemon cannot be reached; nothing happened\n"
    "  5  unknown: the connection was lost before the reply; repeat with the same --key\n"
    "  6  `status --check` found trouble\n"
    "  7  it was done, but the output could not be written\n";

}  // namespace holdfast::cli
