// Every bounded setting, at each of its bounds and one step beyond.
#include <gmock/gmock.h>

#include "tests/config/support.h"

namespace holdfast::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct LimitCase {
  const char* table;  // daemon, socket, limits, queue, function or retry
  const char* key;
  const char* least;
  const char* under;  // empty: nothing lower can be written
  const char* most;
  const char* over;
};

// A file with one setting in its table, and whatever else is required.
std::string file_with(const LimitCase& limit, const char* value) {
  const std::string line = std::string{limit.key} + " = " + value + "\n";
  const std::string table = limit.table;
  const std::string function = "[functions.resize]\ncommand = [\"/bin/true\"]\n";
  if (table == "queue") return "[queues.orders]\n" + line;
  if (table == "function") return function + line;
  if (table == "retry") return function + "[functions.resize.retry]\n" + line;
  return "[" + table + "]\n" + line;
}

class LimitTest : public testing::TestWithParam<LimitCase> {};

TEST_P(LimitTest, IsTakenAtBothBounds) {
  EXPECT_THAT(complaints_about(file_with(GetParam(), GetParam().least)), IsEmpty());
  EXPECT_THAT(complaints_about(file_with(GetParam(), GetParam().most)), IsEmpty());
}

TEST_P(LimitTest, IsRefusedOneBeyond) {
  const std::string key = std::string{GetParam().key} + ": ";
  EXPECT_THAT(complaints_about(file_with(GetParam(), GetParam().over)),
              ElementsAre(testing::AllOf(HasSubstr(key), HasSubstr(" is over the "))));
  if (GetParam().under[0] == '\0') return;
  EXPECT_THAT(complaints_about(file_with(GetParam(), GetParam().under)),
              ElementsAre(testing::AllOf(HasSubstr(key), HasSubstr(" is under the "))));
}

INSTANTIATE_TEST_SUITE_P(
    Settings, LimitTest,
    testing::Values(
        LimitCase{"daemon", "drain_timeout", "'0s'", "", "'900s'", "'900001ms'"},
        LimitCase{"daemon", "commit_linger", "'0s'", "", "'1s'", "'1001ms'"},
        LimitCase{"limits", "connections_max", "1", "0", "65536", "65537"},
        LimitCase{"limits", "requests_in_flight_max", "1", "0", "65536", "65537"},
        LimitCase{"limits", "attempts_running_max", "0", "-1", "4096", "4097"},
        LimitCase{"limits", "memory_max", "'16MiB'", "16777215", "'64GiB'", "68719476737"},
        LimitCase{"limits", "disk_free_min", "'1MiB'", "1048575", "'16TiB'", "17592186044417"},
        LimitCase{"limits", "idempotency_bytes_max", "'1MiB'", "1048575", "'1TiB'",
                  "1099511627777"},
        LimitCase{"limits", "history_bytes_max", "'1MiB'", "1048575", "'1TiB'", "1099511627777"},
        LimitCase{"limits", "history_age_max", "'60s'", "'59999ms'", "'365d'", "'31536000001ms'"},
        LimitCase{"limits", "interruptions_max", "0", "-1", "100", "101"},
        LimitCase{"queue", "bytes_max", "'1MiB'", "1048575", "'1TiB'", "1099511627777"},
        LimitCase{"queue", "visibility_timeout", "'0s'", "", "'12h'", "'43200001ms'"},
        LimitCase{"function", "timeout", "'100ms'", "'99ms'", "'900s'", "'900001ms'"},
        LimitCase{"function", "kill_grace", "'0s'", "", "'60s'", "'60001ms'"},
        LimitCase{"function", "concurrency_max", "1", "0", "1024", "1025"},
        LimitCase{"function", "concurrency_min", "0", "-1", "1024", "1025"},
        LimitCase{"function", "recycle_after", "0", "-1", "1073741824", "1073741825"},
        LimitCase{"function", "event_age_max", "'60s'", "'59999ms'", "'14d'", "'1209600001ms'"},
        LimitCase{"function", "result_bytes_max", "1", "0", "6291556", "6291557"},
        LimitCase{"function", "dead_letters_bytes_max", "'1MiB'", "1048575", "'1TiB'",
                  "1099511627777"},
        LimitCase{"function", "idempotency_retention", "'1s'", "'999ms'", "'90d'",
                  "'7776000001ms'"},
        LimitCase{"retry", "retries", "0", "-1", "100", "101"},
        LimitCase{"retry", "delays", "[]", "", "['24h']", "['86400001ms']"},
        LimitCase{"retry", "backoff_cap", "'1s'", "", "'24h'", "'86400001ms'"}),
    [](const auto& tested) { return std::string{tested.param.table} + "_" + tested.param.key; });

TEST(Limits, BackoffBaseIsFromOneMillisecondToTheCap) {
  const auto with = [](const std::string& retry) {
    return complaints_about("[functions.resize]\ncommand = [\"/bin/true\"]\nretry = {" + retry +
                            "}\n");
  };
  EXPECT_THAT(with("backoff_base = '1ms'"), IsEmpty());
  EXPECT_THAT(with("backoff_base = '0ms'"),
              ElementsAre(HasSubstr("backoff_base: 0s is under the shortest, 1 ms")));
  EXPECT_THAT(with("backoff_base = '24h', backoff_cap = '24h'"), IsEmpty());
  EXPECT_THAT(with("backoff_base = '86400001ms', backoff_cap = '86400001ms'"),
              ElementsAre(HasSubstr("backoff_base: 86400001ms is over the longest, 24 h"),
                          HasSubstr("backoff_cap: 86400001ms is over the longest, 24 h")));
  EXPECT_THAT(with("backoff_base = '2s', backoff_cap = '2s'"), IsEmpty());
  EXPECT_THAT(with("backoff_base = '2001ms', backoff_cap = '2s'"),
              ElementsAre(HasSubstr("backoff_cap: 2s is shorter than backoff_base, 2001ms")));
}

TEST(Limits, ListedRetriesAreAtMostAHundred) {
  const auto with = [](int delays) {
    std::string list;
    for (int n = 0; n < delays; ++n) list += "'1s', ";
    return complaints_about("[functions.resize]\ncommand = [\"/bin/true\"]\nretry.delays = [" +
                            list + "]\n");
  };
  EXPECT_THAT(with(100), IsEmpty());
  EXPECT_THAT(with(101), ElementsAre(HasSubstr("delays: 101 retries are over the most, 100")));
}

TEST(Limits, NumbersBeyondOurTypesAreRefusedInTheSameWords) {
  EXPECT_THAT(complaints_about("[limits]\nconnections_max = 4294967297"),
              ElementsAre("test.toml:2: limits.connections_max: 4294967297 is over the most, "
                          "65536"));
  EXPECT_THAT(complaints_about("[limits]\nmemory_max = -9223372036854775808"),
              ElementsAre(HasSubstr("is under the least, 16 MiB")));
  EXPECT_THAT(complaints_about("[limits]\nmemory_max = '99999999TiB'"),
              ElementsAre(HasSubstr("\"99999999TiB\" is not bytes")));
}

}  // namespace
}  // namespace holdfast::config
