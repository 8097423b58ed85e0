// How holdfastd ends, for systemd and for scripts. README.md repeats the table.
#pragma once

namespace holdfast::daemon {

enum class ExitCode : int {
  success = 0,         // drained
  usage = 2,           // the command line is wrong
  config = 3,          // the configuration is wrong, or an owner; or it cannot be read
  in_use = 4,          // another daemon, or its handlers, has the state directory
  storage_failed = 5,  // a write or a read failed: restart, and read what the disk holds
  damaged = 6,         // the database cannot be read; or an offline command found damage
  socket = 7,          // the socket cannot be had
  spawner_lost = 8,    // the process that owns the handlers died: restart
};

}  // namespace holdfast::daemon
