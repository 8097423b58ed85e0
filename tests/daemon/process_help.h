// What the tests of real processes share: looking at processes from outside.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>

namespace holdfast::testing {

// A zombie does not live: whoever inherits it here may never reap it.
inline bool lives(pid_t pid) {
  std::ifstream file{"/proc/" + std::to_string(pid) + "/stat"};
  const std::string stat{std::istreambuf_iterator<char>{file}, {}};
  const size_t name_end = stat.rfind(')');
  return name_end != std::string::npos && stat.size() > name_end + 2 && stat[name_end + 2] != 'Z';
}

template <class Condition>
bool eventually(Condition condition) {
  for (int n = 0; n < 500; ++n) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
  return condition();
}

inline size_t open_fds(pid_t pid) {
  const std::filesystem::directory_iterator fds{"/proc/" + std::to_string(pid) + "/fd"};
  return static_cast<size_t>(std::distance(begin(fds), end(fds)));
}

}  // namespace holdfast::testing
