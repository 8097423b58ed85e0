// What the commands of holdfastd for operators (--verify, --accept-wal-loss) print, and how
// they end when they cannot go on.
#pragma once

#include <cstdio>
#include <string>

#include "daemon/state_directory.h"
#include "storage/base/result.h"

namespace holdfast::daemon {

// A line on standard output, at once: what follows may end the process.
inline void say(const std::string& sentence) {
  std::printf("%s\n", sentence.c_str());
  std::fflush(stdout);
}

inline ExitCode give_up(const Error& error) {
  std::fprintf(stderr, "%s\n", error.what.c_str());
  const bool no_such_box = error.code == Errc::invalid || error.code == Errc::not_found;
  return no_such_box ? ExitCode::usage : exit_code_of(error);
}

}  // namespace holdfast::daemon
