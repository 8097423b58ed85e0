#include "config/reload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::config {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(NeedsRestart, NothingWhenNothingChanged) {
  EXPECT_THAT(needs_restart(Settings{}, Settings{}), IsEmpty());
}

TEST(NeedsRestart, NamesWhatAReloadCannotChange) {
  Settings after;
  after.daemon.state_directory = "/data";
  after.daemon.dark_time_ages = true;
  after.socket = {"/run/other.sock", 0600, "other"};
  after.limits.memory_max += 1;
  EXPECT_THAT(needs_restart(Settings{}, after),
              ElementsAre("daemon.state_directory", "daemon.dark_time_ages", "socket.path",
                          "socket.mode", "socket.group", "limits.memory_max"));
}

TEST(NeedsRestart, SaysNothingOfWhatAReloadChanges) {
  Settings before;
  before.queues["gone"] = {};
  before.queues["changed"] = {};
  before.functions["gone"].command = {"/bin/true"};
  before.functions["changed"].command = {"/bin/true"};

  Settings after;
  after.daemon.drain_timeout = 1s;
  after.daemon.log_level = LogLevel::debug;
  after.daemon.commit_linger = 50ms;
  after.limits = {1, 1, 1, before.limits.memory_max, 1u << 20, 1u << 20, 60s, 1u << 20, 1};
  after.queues["new"] = {};
  after.queues["changed"] = {1u << 20, 1s};
  after.functions["new"].command = {"/bin/true"};
  after.functions["changed"].command = {"/bin/false"};
  EXPECT_THAT(needs_restart(before, after), IsEmpty());
}

}  // namespace
}  // namespace holdfast::config
