#include "daemon/machine.h"

#include <thread>

namespace holdfast::daemon {
namespace {

rlimit descriptors() {
  rlimit limits{};
  getrlimit(RLIMIT_NOFILE, &limits);
  return limits;
}

}  // namespace

config::Machine this_machine() {
  return {std::thread::hardware_concurrency(), descriptors().rlim_max};
}

rlimit raise_descriptors() {
  const rlimit before = descriptors();
  const rlimit raised{before.rlim_max, before.rlim_max};
  setrlimit(RLIMIT_NOFILE, &raised);
  return before;
}

}  // namespace holdfast::daemon
