// main() of the tests that need real processes: the test program is its own spawner,
// which launch_spawner() starts as /proc/self/exe, and a handler with odd habits.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>

#include "daemon/spawner/spawner.h"

namespace {

// Leaves a process that is in another group and never asks after its dead child, and
// that child in the group of the handler. Then ends.
int leave_a_child_behind() {
  int ready[2];
  if (::pipe(ready) != 0) return 1;
  if (::fork() == 0) {
    if (::fork() != 0) {
      ::setpgid(0, 0);
      if (::write(ready[1], "x", 1) != 1) ::_exit(1);
    }
    for (;;) ::pause();
  }
  char byte;
  return ::read(ready[0], &byte, 1) == 1 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view mode = argc > 1 ? argv[1] : "";
  if (mode == "--spawner" && argc == 4) {
    return holdfast::spawner::spawner_main(std::atoi(argv[2]), argv[3]);
  }
  if (mode == "--leave-a-child-behind") return leave_a_child_behind();
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
