// A worker made with serve(), for worker_library_test.py. It ends gracefully with SIGTERM.
//
//   worker_program SOCKET FUNCTION FOLDER
//
// The payload tells what to do with an attempt, whose beginning is a line in FOLDER/notes.
//   fail     it fails, with words of its own
//   throw    it fails by an exception
//   wait     it succeeds as soon as there is a file FOLDER/go; or is stopped, and says so
//   others   are given back
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>

#include "client/worker.h"

namespace {

using namespace holdfast::client;

AttemptResult run(const Attempt& attempt, const std::filesystem::path& folder) {
  std::ofstream{folder / "notes", std::ios::app}
      << attempt.request_id() + " " + std::to_string(attempt.number()) + " began\n";
  if (attempt.payload() == "fail") return failure("NoCat", "no cat in it", "looked everywhere");
  if (attempt.payload() == "throw") throw std::runtime_error("no cat at all");
  if (attempt.payload() != "wait") return success(attempt.payload());
  while (!attempt.stopped() && !std::filesystem::exists(folder / "go")) {
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
  if (!attempt.stopped()) return success("at last");
  std::ofstream{folder / "notes", std::ios::app}
      << attempt.request_id() + " " + std::to_string(attempt.number()) + " stopped\n";
  return failure("Stopped", "as told");
}

// Before there is a second thread, so that it is blocked in all of them.
sigset_t block_sigterm() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const sigset_t signals = block_sigterm();
  std::stop_source source;
  std::thread stopper{[&] {
    int signal = 0;
    sigwait(&signals, &signal);
    source.request_stop();
  }};
  const std::filesystem::path folder = argv[3];
  const auto served = serve({.function_name = argv[2],
                             .socket_path = argv[1],
                             .concurrency = 2,
                             .stop = source.get_token()},
                            [&](const Attempt& attempt) { return run(attempt, folder); });
  kill(getpid(), SIGTERM);  // it may not have come yet
  stopper.join();
  if (!served) std::cerr << served.error().message << "\n";
  if (served) std::cout << served->answered << "\n";
  return served ? 0 : 1;
}
