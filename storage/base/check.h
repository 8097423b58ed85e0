// CHECK(condition): our own mistakes stop the process, in release builds too.
//
// It is for what only a bug in this program can make false. It never looks at
// anything a client, a file or a handler sent: those get a Result or a reply.
// systemd restarts the daemon, and the next start trusts only what is on disk.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace holdfast {

[[noreturn]] inline void check_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: CHECK(%s) failed: this is a bug in holdfast\n", file, line,
               condition);
  std::abort();
}

}  // namespace holdfast

#define CHECK(condition)                                            \
  do {                                                              \
    if (!(condition)) [[unlikely]] {                                \
      ::holdfast::check_failed(#condition, __FILE__, __LINE__);     \
    }                                                               \
  } while (false)
