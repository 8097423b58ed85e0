#include "config/machine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::config {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Settings with(uint32_t connections_max, uint32_t attempts_running_max) {
  Settings settings;
  settings.limits.connections_max = connections_max;
  settings.limits.attempts_running_max = attempts_running_max;
  return settings;
}

TEST(Machine, GivesFourAttemptsForEachProcessorWhenNoNumberIsSet) {
  Settings settings;
  EXPECT_THAT(fit(settings, {.processors = 6, .descriptors_max = 65536}), IsEmpty());
  EXPECT_EQ(settings.limits.attempts_running_max, 24u);
  EXPECT_EQ(settings.limits.connections_max, LimitSettings{}.connections_max);
}

TEST(Machine, LeavesWhatFitsExactlyAndLowersOneConnectionMore) {
  const Machine machine{.processors = 1, .descriptors_max = 256 + 3 * 100 + 1000};
  Settings settings = with(1000, 100);
  EXPECT_THAT(fit(settings, machine), IsEmpty());
  EXPECT_EQ(settings, with(1000, 100));
  settings = with(1001, 100);
  EXPECT_THAT(fit(settings, machine),
              ElementsAre(AllOf(HasSubstr("limits.connections_max: lowered to 1000"),
                                HasSubstr("1556 open files"))));
  EXPECT_EQ(settings, with(1000, 100));
}

TEST(Machine, GivesAttemptsNoMoreThanHalf) {
  const Machine machine{.processors = 1, .descriptors_max = 256 + 600};
  Settings settings = with(300, 100);
  EXPECT_THAT(fit(settings, machine), IsEmpty());
  settings = with(300, 101);
  EXPECT_THAT(fit(settings, machine),
              ElementsAre(HasSubstr("limits.attempts_running_max: lowered to 100")));
  EXPECT_EQ(settings, with(300, 100));
}

TEST(Machine, GivesProcessesOfPersistentCommandsNoMoreThanAQuarter) {
  const Machine machine{.processors = 1, .descriptors_max = 256 + 1200};
  Settings settings = with(300, 100);
  const auto pool = [&](const char* name) -> FunctionSettings& {
    FunctionSettings& function = settings.functions[name];
    function.command = {"/bin/true"};
    function.mode = CommandMode::persistent;
    return function;
  };
  pool("a").concurrency_max = 75;
  pool("b").concurrency_max = 25;
  EXPECT_THAT(fit(settings, machine), IsEmpty());
  pool("a").concurrency_max = 300;
  pool("a").concurrency_min = 300;
  pool("b").concurrency_max = 100;
  EXPECT_THAT(fit(settings, machine),
              ElementsAre(HasSubstr("functions.a.concurrency_max: lowered to 75"),
                          HasSubstr("functions.b.concurrency_max: lowered to 25")));
  EXPECT_EQ(pool("a").concurrency_min, 75u);
  settings.limits.connections_max = 1024;
  EXPECT_THAT(fit(settings, machine), ElementsAre(HasSubstr("connections_max: lowered to 600")));
}

TEST(Machine, LeavesOneOfEachEvenWhereThereIsNoRoom) {
  Settings settings = with(1024, 0);
  EXPECT_EQ(fit(settings, {.processors = 0, .descriptors_max = 64}).size(), 2u);
  EXPECT_EQ(settings, with(1, 1));
}

}  // namespace
}  // namespace holdfast::config
