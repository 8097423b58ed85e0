#include "config/load.h"

#include <gmock/gmock.h>

#include <cstdio>
#include <fstream>

#include "tests/config/support.h"

namespace holdfast::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

TEST(Load, AnEmptyFileIsAllDefaults) { EXPECT_EQ(parse_well(""), Settings{}); }

constexpr const char* kEverySetting = R"(
[daemon]
state_directory = "/data/holdfast"
drain_timeout = "1m"
log_level = "debug"
dark_time_ages = true
commit_linger = "50ms"
[socket]
path = "/run/h.sock"
mode = "0600"
group = ""
[limits]
connections_max = 1
requests_in_flight_max = 2
attempts_running_max = 3
memory_max = "17MiB"
disk_free_min = 1048577
idempotency_bytes_max = "2MiB"
history_age_max = "2d"
history_bytes_max = "3MiB"
interruptions_max = 7
worker_reattach_window = "30s"
[queues.orders]
bytes_max = "5MiB"
visibility_timeout = "1h"
[functions.resize]
command = ["/bin/resize", "-v"]
mode = "persistent"
framing = "length-prefixed"
recycle_after = 1000
concurrency_min = 3
workers = true
worker_users = ["alice", "bob"]
working_directory = "/tmp"
timeout = "20s"
kill_grace = "500ms"
concurrency_max = 9
event_age_max = "1h"
result_bytes_max = "1KiB"
on_success = "orders"
on_failure = "orders"
dead_letter = "orders"
dead_letters_bytes_max = "2MiB"
dead_letters_full = "drop_oldest"
idempotency_retention = "2h"
[functions.resize.environment]
MODEL = "small"
)";

TEST(Load, EverySettingIsTaken) {
  const Settings settings = parse_well(kEverySetting);
  Settings expected;
  expected.daemon = {"/data/holdfast", 1min, LogLevel::debug, true, 50ms};
  expected.socket = {"/run/h.sock", 0600, ""};
  expected.limits = {1, 2, 3, 17u << 20, 1048577, 2u << 20, 48h, 3u << 20, 7, 30s};
  expected.queues["orders"] = {5u << 20, 1h};
  expected.functions["resize"] = {{"/bin/resize", "-v"},
                                  true,
                                  {"alice", "bob"},
                                  {{"MODEL", "small"}},
                                  "/tmp",
                                  20s,
                                  500ms,
                                  9,
                                  CommandMode::persistent,
                                  3,
                                  Framing::length_prefixed,
                                  1000,
                                  LambdaRetry{},
                                  1h,
                                  1024,
                                  "orders",
                                  "orders",
                                  "orders",
                                  2u << 20,
                                  DeadLettersFull::drop_oldest,
                                  2h};
  EXPECT_EQ(settings, expected);
}

TEST(Load, AnEmptyQueueNameMeansNone) {
  const Settings settings =
      parse_well("[functions.resize]\ncommand = ['/bin/true']\non_success = ''\n");
  EXPECT_EQ(settings.functions.at("resize").on_success, std::nullopt);
}

// --- retry -------------------------------------------------------------------

struct RetryCase {
  const char* name;
  const char* text;
  RetrySettings expected;
};

class RetryTest : public testing::TestWithParam<RetryCase> {};

TEST_P(RetryTest, IsReadInItsForm) {
  const Settings settings = parse_well("[functions.resize]\ncommand = ['/bin/true']\nretry = " +
                                       std::string{GetParam().text});
  EXPECT_EQ(settings.functions.at("resize").retry, GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(
    Forms, RetryTest,
    testing::Values(RetryCase{"nothing_is_lambdas_default", "{}", LambdaRetry{2}},
                    RetryCase{"retries_alone_are_lambdas_ladder", "{retries = 5}", LambdaRetry{5}},
                    RetryCase{"delays_are_listed", "{delays = ['1s', '2m']}",
                              ListedRetry{{1s, 2min}}},
                    RetryCase{"no_delays_are_no_retries", "{delays = []}", ListedRetry{}},
                    RetryCase{"backoff_is_exponential",
                              "{retries = 10, backoff_base = '2s', backoff_cap = '3m'}",
                              ExponentialRetry{10, 2s, 3min}},
                    RetryCase{"backoff_base_alone_keeps_the_other_defaults",
                              "{backoff_base = '2s'}", ExponentialRetry{2, 2s, 5min}},
                    RetryCase{"backoff_cap_alone_keeps_the_other_defaults", "{backoff_cap = '3m'}",
                              ExponentialRetry{2, 1s, 3min}}),
    [](const auto& tested) { return std::string{tested.param.name}; });

TEST(Load, MixedFormsOfRetryAreRefusedAndAllThreeNamed) {
  for (const char* mixed : {"retries = 1, delays = ['1s']", "delays = [], backoff_base = '1s'",
                            "delays = ['1s'], backoff_cap = '1s'"}) {
    EXPECT_THAT(complaints_about("[functions.resize]\ncommand = ['/bin/true']\nretry = {" +
                                 std::string{mixed} + "}"),
                ElementsAre("test.toml:3: functions.resize.retry: mixes forms; write one of "
                            "{retries = 2}, {delays = [\"1s\", \"2s\"]}, or "
                            "{retries = 10, backoff_base = \"1s\", backoff_cap = \"5m\"}"));
  }
}

// --- complaints ----------------------------------------------------------------

struct ComplaintCase {
  const char* name;
  const char* text;
  const char* expected;
};

class ComplaintTest : public testing::TestWithParam<ComplaintCase> {};

TEST_P(ComplaintTest, NamesThePlaceAndTheRemedy) {
  EXPECT_THAT(complaints_about(GetParam().text), ElementsAre(GetParam().expected));
}

INSTANTIATE_TEST_SUITE_P(
    Keys, ComplaintTest,
    testing::Values(
        ComplaintCase{"unknown_table_near", "\n[deamon]\n",
                      "test.toml:2: deamon: unknown table; did you mean \"daemon\"?"},
        ComplaintCase{"unknown_table_far", "[webserver]\n",
                      "test.toml:1: webserver: unknown table"},
        ComplaintCase{"unknown_key_near", "[limits]\nconections_max = 5\n",
                      "test.toml:2: limits.conections_max: unknown key; did you mean "
                      "\"connections_max\"?"},
        ComplaintCase{"unknown_key_part", "[queues.q]\nvisibility = '3s'\n",
                      "test.toml:2: queues.q.visibility: unknown key; did you mean "
                      "\"visibility_timeout\"?"},
        ComplaintCase{"unknown_key_far", "[socket]\ncolour = 'red'\n",
                      "test.toml:2: socket.colour: unknown key"},
        ComplaintCase{"key_outside_of_tables", "group = 'x'\n", "test.toml:1: group: unknown key"},
        ComplaintCase{"unknown_key_in_retry",
                      "[functions.f]\ncommand = ['/bin/true']\nretry = {retrys = 1}\n",
                      "test.toml:3: functions.f.retry.retrys: unknown key; did you mean "
                      "\"retries\"?"},
        ComplaintCase{"section_is_no_table", "daemon = 3\n",
                      "test.toml:1: daemon: expected a table, found a whole number"},
        ComplaintCase{"section_is_a_list", "[[socket]]\n",
                      "test.toml:1: socket: expected a table, found a list"},
        ComplaintCase{"name_forgotten", "[functions]\ntimeout = '3s'\n",
                      "test.toml:2: functions.timeout: expected a table for each name, "
                      "[functions.NAME], found a string"},
        ComplaintCase{"queues_are_no_table", "queues = true\n",
                      "test.toml:1: queues: expected a table for each name, [queues.NAME], "
                      "found true or false"}),
    [](const auto& tested) { return std::string{tested.param.name}; });

INSTANTIATE_TEST_SUITE_P(
    Values, ComplaintTest,
    testing::Values(
        ComplaintCase{"duration_is_a_number", "[daemon]\ndrain_timeout = 20\n",
                      "test.toml:2: daemon.drain_timeout: expected a length of time such as "
                      "\"500ms\", \"3s\", \"2m\", \"6h\" or \"14d\", found a whole number"},
        ComplaintCase{"duration_without_unit", "[daemon]\ndrain_timeout = '20'\n",
                      "test.toml:2: daemon.drain_timeout: \"20\" is not a length of time such as "
                      "\"500ms\", \"3s\", \"2m\", \"6h\" or \"14d\""},
        ComplaintCase{"bytes_with_decimal_unit", "[limits]\nmemory_max = '64MB'\n",
                      "test.toml:2: limits.memory_max: \"64MB\" is not bytes, a whole number or "
                      "such as \"64MiB\""},
        ComplaintCase{"bytes_are_a_list", "[limits]\nmemory_max = []\n",
                      "test.toml:2: limits.memory_max: expected bytes, a whole number or such as "
                      "\"64MiB\", found a list"},
        ComplaintCase{"count_is_a_string", "[limits]\nconnections_max = '5'\n",
                      "test.toml:2: limits.connections_max: expected a whole number, found a "
                      "string"},
        ComplaintCase{"count_has_a_point", "[limits]\nconnections_max = 5.0\n",
                      "test.toml:2: limits.connections_max: expected a whole number, found a "
                      "number with a point"},
        ComplaintCase{"flag_is_a_number", "[daemon]\ndark_time_ages = 1\n",
                      "test.toml:2: daemon.dark_time_ages: expected true or false, found a whole "
                      "number"},
        ComplaintCase{"choice_unknown", "[daemon]\nlog_level = 'verbose'\n",
                      "test.toml:2: daemon.log_level: \"verbose\" is not one of \"debug\" "
                      "\"info\" \"warning\" \"error\""},
        ComplaintCase{"mode_is_a_number", "[socket]\nmode = 0o660\n",
                      "test.toml:2: socket.mode: expected an octal mode in quotes such as "
                      "\"0660\", found a whole number"},
        ComplaintCase{"mode_is_not_octal", "[socket]\nmode = '0680'\n",
                      "test.toml:2: socket.mode: \"0680\" is not an octal mode in quotes such as "
                      "\"0660\""},
        ComplaintCase{"mode_sets_more_than_permissions", "[socket]\nmode = '1000'\n",
                      "test.toml:2: socket.mode: only the permissions of user, group and others "
                      "count, at most \"0777\""},
        ComplaintCase{"command_is_a_string", "[functions.f]\ncommand = '/bin/true'\n",
                      "test.toml:2: functions.f.command: expected a list of strings, the program "
                      "and its arguments, such as [\"/usr/bin/env\", \"-i\"], found a string"},
        ComplaintCase{"argument_is_a_number", "[functions.f]\ncommand = ['/bin/true',\n 5]\n",
                      "test.toml:3: functions.f.command: expected a string, found a whole number"},
        ComplaintCase{"variable_is_a_number",
                      "[functions.f]\ncommand = ['/bin/true']\nenvironment = {A = 1}\n",
                      "test.toml:3: functions.f.environment.A: expected a string, found a whole "
                      "number"},
        ComplaintCase{"delay_is_a_number",
                      "[functions.f]\ncommand = ['/bin/true']\nretry.delays = ['1s',\n 5]\n",
                      "test.toml:4: functions.f.retry.delays: expected a length of time such as "
                      "\"500ms\", \"3s\", \"2m\", \"6h\" or \"14d\", found a whole number"},
        ComplaintCase{"timeout_too_long",
                      "[functions.resize]\ncommand = ['/bin/true']\n\n"
                      "timeout = '20m'\n",
                      "test.toml:4: functions.resize.timeout: 20m is over the longest, 900 s"},
        ComplaintCase{"absent_key_is_told_at_its_table", "\n\n[functions.f]\ntimeout = '3s'\n",
                      "test.toml:3: functions.f.command: is missing: the program and its "
                      "arguments, such as [\"/usr/bin/true\"]; or workers = true, if programs "
                      "attach and serve it"}),
    [](const auto& tested) { return std::string{tested.param.name}; });

TEST(Load, ALongWrongValueIsCutBetweenCharacters) {
  std::string value(63, 'x');
  value += "\u00e9 and more";
  EXPECT_THAT(complaints_about("[daemon]\nlog_level = '" + value + "'"),
              ElementsAre(HasSubstr('"' + std::string(63, 'x') + "\"... is not one of")));
}

TEST(Load, ControlCharactersDoNotReachTheTerminal) {
  EXPECT_THAT(complaints_about("[\"a\\u001b[2J\"]"),
              ElementsAre("test.toml:1: \"a\\u001B[2J\": unknown table"));
}

TEST(Load, AllComplaintsAreToldTogetherInTheOrderOfTheFile) {
  EXPECT_THAT(complaints_about("[functions.f]\n"
                               "timeout = '20m'\n"
                               "comand = ['/bin/true']\n"
                               "on_success = 'ordres'\n"
                               "[limits]\n"
                               "memory_max = true\n"
                               "connections_max = 0\n"
                               "[queues.orders]\n"
                               "[queus]\n"),
              ElementsAre(StartsWith("test.toml:1: functions.f.command: is missing"),
                          StartsWith("test.toml:2: functions.f.timeout: 20m is over"),
                          StartsWith("test.toml:3: functions.f.comand: unknown key"),
                          StartsWith("test.toml:4: functions.f.on_success: there is no queue"),
                          StartsWith("test.toml:6: limits.memory_max: expected bytes"),
                          StartsWith("test.toml:7: limits.connections_max: 0 is under"),
                          StartsWith("test.toml:9: queus: unknown table")));
}

TEST(Load, AQueueWithAMistakeStillExists) {
  EXPECT_THAT(complaints_about("[functions.f]\ncommand = ['/bin/true']\non_success = 'q'\n"
                               "[queues]\nq = 5\n"),
              ElementsAre(StartsWith("test.toml:5: queues.q: expected a table")));
}

TEST(Load, ASyntaxErrorIsToldWithItsLine) {
  EXPECT_THAT(complaints_about("[daemon]\n\ndrain_timeout = \n"),
              ElementsAre(StartsWith("test.toml:3: ")));
  EXPECT_THAT(complaints_about("[daemon\n"), ElementsAre(StartsWith("test.toml:1: ")));
  EXPECT_THAT(complaints_about("[daemon]\nlog_level = 'info'\nlog_level = 'error'\n"),
              ElementsAre(StartsWith("test.toml:3: ")));
  EXPECT_THAT(complaints_about("[daemon]\nlog_level = '\xff'\n"),
              ElementsAre(StartsWith("test.toml:2: ")));
}

// The parser quotes the file in its complaint.
TEST(Load, ASyntaxErrorCannotReachTheTerminal) {
  const std::vector<std::string> complaints = complaints_about("a = tru\x1b\n");
  ASSERT_EQ(complaints.size(), 1u);
  EXPECT_EQ(complaints[0].find('\x1b'), std::string::npos);
  EXPECT_NE(complaints[0].find("\\u001B"), std::string::npos) << complaints[0];
}

// The parser would free a table for each dot, one inside the other, until no stack is left.
TEST(Load, AKeyOfVeryManyTablesIsRefusedBeforeItIsParsed) {
  std::string deep = "a";
  for (int n = 0; n < 100'000; ++n) deep += ".a";
  const auto refused = ElementsAre(StartsWith("test.toml:2: a key names more tables"));
  EXPECT_THAT(complaints_about("\n" + deep + " = 1\n"), refused);
  EXPECT_THAT(complaints_about("\n[" + deep + "]\n"), refused);
  EXPECT_THAT(complaints_about("\nx = [{" + deep + " = 1}]\n"), refused);
  const std::string behind_strings = "#'\na = \"\\\"'\" # \"\nb.c = \"\"\"\n\"\\\"\"\"\"\"\n";
  EXPECT_THAT(complaints_about(behind_strings + deep + "=1"),
              ElementsAre(StartsWith("test.toml:5: a key names more tables")));
}

TEST(Load, DotsInTextsAndCommentsAreNoTables) {
  const std::string dots(100, '.');
  const Settings settings = parse_well("[functions.f]  # " + dots + "\ncommand = ['/" + dots +
                                       "', \"\\\"" + dots + "\", \"\"\"\n\"" + dots +
                                       "\"\"\"\"\", '''" + dots + "''''']\n");
  EXPECT_EQ(settings.functions.at("f").command,
            (std::vector<std::string>{"/" + dots, "\"" + dots, "\"" + dots + "\"\"", dots + "''"}));
}

TEST(Load, ColumnsAreKept) {
  const Parsed parsed = parse("[daemon]\nlog_level = 'loud'\n", "test.toml");
  const Complaints& complaints = std::get<Complaints>(parsed);
  ASSERT_EQ(complaints.list.size(), 1u);
  EXPECT_EQ(complaints.list[0].column, 13u);
}

TEST(Load, BeyondAHundredComplaintsTheRestIsCounted) {
  std::string text = "[socket]\n";
  for (int n = 0; n < 100; ++n) text += "unknown" + std::to_string(n) + " = 1\n";
  EXPECT_THAT(to_text(std::get<Complaints>(parse(text, "t"))), HasSubstr("unknown99: "));
  text += "unknown100 = 1\nunknown101 = 1\n";
  const std::string told = to_text(std::get<Complaints>(parse(text, "t")));
  EXPECT_THAT(told, testing::EndsWith("\nand 2 more"));
  EXPECT_THAT(told, testing::Not(HasSubstr("unknown100: ")));
}

// --- files ---------------------------------------------------------------------

class LoadFile : public testing::Test {
 protected:
  void write(const std::string& text) { std::ofstream{path_, std::ios::binary} << text; }
  void TearDown() override { std::remove(path_.c_str()); }

  const std::string path_ = testing::TempDir() + "holdfast_load_test_" +
                            testing::UnitTest::GetInstance()->current_test_info()->name() + ".toml";
};

TEST_F(LoadFile, IsReadWhole) {
  std::string text = "[daemon]\n";
  text += "#" + std::string(200'000, 'x') + "\nlog_level = 'error'\n";
  write(text);
  const Result<Settings> settings = load(path_);
  ASSERT_TRUE(settings) << settings.error().what;
  EXPECT_EQ(settings->daemon.log_level, LogLevel::error);
}

TEST_F(LoadFile, WithMistakesIsInvalidAndNamesEach) {
  write("[daemon]\nlog_level = 1\nfoo = 2\n");
  const Result<Settings> settings = load(path_);
  ASSERT_FALSE(settings);
  EXPECT_EQ(settings.error().code, Errc::invalid);
  EXPECT_THAT(settings.error().what, HasSubstr(path_ + ":2: daemon.log_level: "));
  EXPECT_THAT(settings.error().what, HasSubstr("\n" + path_ + ":3: daemon.foo: "));
}

TEST_F(LoadFile, ThatDoesNotExistIsNotFound) {
  const Result<Settings> settings = load(path_);
  ASSERT_FALSE(settings);
  EXPECT_EQ(settings.error().code, Errc::not_found);
  EXPECT_THAT(settings.error().what, StartsWith(path_));
}

TEST_F(LoadFile, ThatIsADirectoryCannotBeRead) {
  const Result<Settings> settings = load(testing::TempDir());
  ASSERT_FALSE(settings);
  EXPECT_EQ(settings.error().code, Errc::io);
}

TEST_F(LoadFile, IsTakenAtTheLargestSizeAndRefusedBeyond) {
  write(std::string(kConfigFileBytesMax, '\n'));
  EXPECT_TRUE(load(path_));
  write(std::string(kConfigFileBytesMax + 1, '\n'));
  const Result<Settings> settings = load(path_);
  ASSERT_FALSE(settings);
  EXPECT_EQ(settings.error().code, Errc::invalid);
  EXPECT_THAT(settings.error().what, HasSubstr("is over the most, 16 MiB"));
}

}  // namespace
}  // namespace holdfast::config
