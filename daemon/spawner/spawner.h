// The spawner: a small process beside the daemon that starts and reaps every
// handler, so that no handler outlives the daemon, however that dies.
//
// Rule    It lives exactly as long as the daemon holds the other end of the socket.
//         Signals that ask it to end are not heard.
// Reason  Only while it lives can a new daemon know that handlers may live. systemd
//         and a terminal signal the whole family at once; the daemon needs its
//         spawner while it drains.
//
// Rule    It takes the lock of the state directory before it starts anything, and
//         frees it only when it has no descendant left, escaped ones included.
// Reason  Who has the lock may run the events again: no event runs twice at once.
//
// Rule    An attempt has ended when nothing of its process group lives any more.
// Reason  The next attempt of the same event must not meet the last one.
//
// Rule    If this process itself is killed, the first processes of all handlers die with
//         it (PDEATHSIG), and the daemon, which inherits the rest, ends them.
// Reason  Nothing can be trusted to live; each of the two stands in for the other.
//
// One thread. What it keeps is a few hundred bytes for each running handler.
#pragma once

#include <string>

namespace holdfast::spawner {

// The whole life of the process `holdfastd --spawner FD STATE_DIRECTORY`: returns its
// exit status once the socket has closed and every descendant is dead and reaped.
int spawner_main(int socket_fd, const std::string& state_directory);

}  // namespace holdfast::spawner
