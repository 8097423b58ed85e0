#include "config/validate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/fields.h"

namespace holdfast::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

FunctionSettings function_of(std::vector<std::string> command = {"/bin/true"}) {
  FunctionSettings function;
  function.command = std::move(command);
  return function;
}

Settings with_function(FunctionSettings function = function_of()) {
  Settings settings;
  settings.functions["f"] = std::move(function);
  return settings;
}

std::vector<std::string> complaints_about(const Settings& settings) {
  std::vector<std::string> lines;
  for (const Complaint& complaint : validate(settings)) lines.push_back(to_text(complaint, ""));
  return lines;
}

TEST(Validate, TheDefaultsAreGood) {
  EXPECT_THAT(complaints_about(Settings{}), IsEmpty());
  EXPECT_THAT(complaints_about(with_function()), IsEmpty());
}

TEST(Validate, APersistentCommandNeedsOneAndAPoolThatFits) {
  FunctionSettings function = function_of();
  function.mode = CommandMode::persistent;
  function.concurrency_max = 4;
  function.concurrency_min = 4;
  EXPECT_THAT(complaints_about(with_function(function)), IsEmpty());
  function.concurrency_min = 5;
  EXPECT_THAT(complaints_about(with_function(function)),
              ElementsAre(HasSubstr("concurrency_min: 5 is over concurrency_max, 4")));
  function.mode = CommandMode::per_attempt;  // then it says nothing
  EXPECT_THAT(complaints_about(with_function(function)), IsEmpty());
  function = function_of({});
  function.workers = true;
  function.mode = CommandMode::persistent;
  EXPECT_THAT(complaints_about(with_function(function)),
              ElementsAre(HasSubstr("mode: \"persistent\" is about a command")));
}

TEST(Validate, PersistentProcessesAreBoundedTogether) {
  Settings settings;
  for (int n = 0; n < 4; ++n) {
    FunctionSettings& function = settings.functions["f" + std::to_string(n)];
    function = function_of();
    function.mode = CommandMode::persistent;
    function.concurrency_max = 1024;
  }
  EXPECT_THAT(complaints_about(settings), IsEmpty());
  settings.functions["g"] = settings.functions["f0"];
  settings.functions["g"].concurrency_max = 1;
  EXPECT_THAT(complaints_about(settings), ElementsAre(HasSubstr("may have 4097 processes")));
}

struct NameCase {
  std::string name;
  bool good;
};

class NameTest : public testing::TestWithParam<NameCase> {};

TEST_P(NameTest, IsTheSameRuleForFunctionsAndQueues) {
  Settings settings;
  settings.functions[GetParam().name].command = {"/bin/true"};
  settings.queues[GetParam().name] = {};
  EXPECT_EQ(validate(settings).size(), GetParam().good ? 0u : 2u) << GetParam().name;
}

INSTANTIATE_TEST_SUITE_P(Names, NameTest,
                         testing::Values(NameCase{"a", true}, NameCase{"azAZ09-_", true},
                                         NameCase{"-", true}, NameCase{std::string(64, 'x'), true},
                                         NameCase{std::string(65, 'x'), false}, NameCase{"", false},
                                         NameCase{"a b", false}, NameCase{"a.b", false},
                                         NameCase{"a/b", false}, NameCase{"a:b", false},
                                         NameCase{"\u00e9", false},
                                         NameCase{std::string("a\0b", 3), false}));

// --- paths -----------------------------------------------------------------------

TEST(Validate, TheSocketPathFitsIntoASocketAddress) {
  Settings settings;
  settings.socket.path = "/" + std::string(106, 's');
  EXPECT_THAT(complaints_about(settings), IsEmpty());
  settings.socket.path += "s";
  EXPECT_THAT(complaints_about(settings),
              ElementsAre("socket.path: a path of 108 bytes is over the longest, 107 bytes"));
}

TEST(Validate, OtherPathsFitIntoASystemCall) {
  FunctionSettings function = function_of({"/" + std::string(4094, 'p')});
  function.working_directory = "/" + std::string(4094, 'd');
  Settings settings = with_function(function);
  settings.daemon.state_directory = "/" + std::string(4094, 's');
  EXPECT_THAT(complaints_about(settings), IsEmpty());

  settings.functions["f"].command[0] += "p";
  settings.functions["f"].working_directory += "d";
  settings.daemon.state_directory += "s";
  EXPECT_THAT(
      complaints_about(settings),
      ElementsAre(StartsWith("daemon.state_directory: "), StartsWith("functions.f.command: "),
                  StartsWith("functions.f.working_directory: ")));
}

TEST(Validate, PathsAreAbsolute) {
  FunctionSettings function = function_of({"resize", "/x"});
  function.working_directory = "tmp";
  Settings settings = with_function(function);
  settings.daemon.state_directory = "";
  settings.socket.path = "./h.sock";
  EXPECT_THAT(complaints_about(settings),
              ElementsAre("daemon.state_directory: \"\" is not an absolute path",
                          "socket.path: \"./h.sock\" is not an absolute path",
                          "functions.f.command: \"resize\" is not an absolute path",
                          "functions.f.working_directory: \"tmp\" is not an absolute path"));
}

TEST(Validate, NothingThatGoesToTheKernelHoldsANul) {
  const std::string nul{"/a\0b", 4};
  FunctionSettings function = function_of({"/bin/true", "x", nul});
  function.working_directory = nul;
  function.environment = {{"A", nul}};
  Settings settings = with_function(function);
  settings.daemon.state_directory = nul;
  settings.socket.path = nul;
  settings.socket.group = nul;
  EXPECT_THAT(
      complaints_about(settings),
      ElementsAre("daemon.state_directory: must not hold a NUL byte",
                  "socket.path: must not hold a NUL byte", "socket.group: must not hold a NUL byte",
                  "functions.f.command: argument 2 must not hold a NUL byte",
                  "functions.f.working_directory: must not hold a NUL byte",
                  "functions.f.environment.A: must not hold a NUL byte"));

  EXPECT_THAT(complaints_about(with_function(function_of({nul}))),
              ElementsAre("functions.f.command: must not hold a NUL byte"));
}

TEST(Validate, TheSocketModeIsPermissionsOnly) {
  Settings settings;
  settings.socket.mode = 0777;
  EXPECT_THAT(complaints_about(settings), IsEmpty());
  settings.socket.mode = 01000;
  EXPECT_THAT(complaints_about(settings), ElementsAre(StartsWith("socket.mode: ")));
}

// --- command and environment -------------------------------------------------------

TEST(Validate, ACommandIsRequired) {
  EXPECT_THAT(complaints_about(with_function(FunctionSettings{})),
              ElementsAre(StartsWith("functions.f.command: is missing")));
}

TEST(Validate, ArgumentsAndEnvironmentAreBoundedTogether) {
  // "/bin/true" and its NUL are 10 bytes, "A=" and a NUL are 3.
  FunctionSettings function = function_of({"/bin/true", std::string(32768 - 11, 'x')});
  function.environment = {{"A", std::string(32768 - 3, 'y')}};
  EXPECT_THAT(complaints_about(with_function(function)), IsEmpty());

  FunctionSettings longer_command = function;
  longer_command.command[1] += "x";
  EXPECT_THAT(complaints_about(with_function(longer_command)),
              ElementsAre("functions.f.command: arguments and environment take 65537 bytes "
                          "together, over the most, 64 KiB"));
  FunctionSettings longer_variable = function;
  longer_variable.environment["A"] += "y";
  EXPECT_THAT(complaints_about(with_function(longer_variable)),
              ElementsAre(HasSubstr("take 65537 bytes together")));
}

struct VariableCase {
  std::string name;
  bool good;
};

class VariableTest : public testing::TestWithParam<VariableCase> {};

TEST_P(VariableTest, HasANameThatAHandlerCanRead) {
  FunctionSettings function = function_of();
  function.environment = {{GetParam().name, "value"}};
  EXPECT_EQ(validate(with_function(function)).empty(), GetParam().good) << GetParam().name;
}

INSTANTIATE_TEST_SUITE_P(
    Names, VariableTest,
    testing::Values(VariableCase{"MODEL", true}, VariableCase{"a.b c", true},
                    VariableCase{"HOLDFAST", true}, VariableCase{"MY_HOLDFAST_X", true},
                    VariableCase{"HOLDFAST_", false}, VariableCase{"HOLDFAST_ATTEMPT", false},
                    VariableCase{"", false}, VariableCase{"A=B", false}, VariableCase{"=", false},
                    VariableCase{std::string("A\0B", 3), false}));

// --- queues ------------------------------------------------------------------------

TEST(Validate, DestinationsAreQueuesThatExist) {
  FunctionSettings function = function_of();
  function.on_success = function.on_failure = function.dead_letter = "orders";
  Settings settings = with_function(function);
  settings.queues["orders"] = {};
  EXPECT_THAT(complaints_about(settings), IsEmpty());

  settings.functions["f"].on_success = "ordres";
  settings.functions["f"].on_failure = "elsewhere";
  settings.functions["f"].dead_letter = "";
  EXPECT_THAT(
      complaints_about(settings),
      ElementsAre("functions.f.on_success: there is no queue \"ordres\" in [queues]; did you "
                  "mean \"orders\"?",
                  "functions.f.on_failure: there is no queue \"elsewhere\" in [queues]",
                  "functions.f.dead_letter: there is no queue \"\" in [queues]"));
}

TEST(Validate, QueuesAreAtMost256) {
  Settings settings;
  while (settings.queues.size() < 256)
    settings.queues["q" + std::to_string(settings.queues.size())];
  EXPECT_THAT(complaints_about(settings), IsEmpty());
  settings.queues["one-more"];
  EXPECT_THAT(complaints_about(settings),
              ElementsAre("queues: 257 of them are over the most, 256"));
}

TEST(Validate, FunctionsAreAtMost4096) {
  Settings settings;
  while (settings.functions.size() < 4096) {
    settings.functions["f" + std::to_string(settings.functions.size())].command = {"/bin/true"};
  }
  EXPECT_THAT(complaints_about(settings), IsEmpty());
  settings.functions["one-more"].command = {"/bin/true"};
  EXPECT_THAT(complaints_about(settings),
              ElementsAre("functions: 4097 of them are over the most, 4096"));
}

// --- retry -------------------------------------------------------------------------

struct RetryRule {
  const char* name;
  RetrySettings retry;
  bool good;
};

class RetryRuleTest : public testing::TestWithParam<RetryRule> {};

TEST_P(RetryRuleTest, IsKept) {
  FunctionSettings function = function_of();
  function.retry = GetParam().retry;
  EXPECT_EQ(validate(with_function(function)).empty(), GetParam().good);
}

INSTANTIATE_TEST_SUITE_P(
    Forms, RetryRuleTest,
    testing::Values(
        RetryRule{"lambda_most", LambdaRetry{100}, true},
        RetryRule{"lambda_beyond", LambdaRetry{101}, false},
        RetryRule{"listed_most", ListedRetry{std::vector<Duration>(100, 24h)}, true},
        RetryRule{"listed_too_many", ListedRetry{std::vector<Duration>(101, 1s)}, false},
        RetryRule{"listed_at_once", ListedRetry{{0s}}, true},
        RetryRule{"listed_negative", ListedRetry{{-1ms}}, false},
        RetryRule{"listed_second_too_long", ListedRetry{{1s, 24h + 1ms}}, false},
        RetryRule{"exponential_most", ExponentialRetry{100, 24h, 24h}, true},
        RetryRule{"exponential_too_many", ExponentialRetry{101, 1s, 1s}, false},
        RetryRule{"exponential_shortest", ExponentialRetry{1, 1ms, 1ms}, true},
        RetryRule{"exponential_no_base", ExponentialRetry{1, 0ms, 1ms}, false},
        RetryRule{"exponential_cap_too_long", ExponentialRetry{1, 1s, 24h + 1ms}, false},
        RetryRule{"exponential_cap_below_base", ExponentialRetry{1, 2s, 2s - 1ms}, false}),
    [](const auto& tested) { return std::string{tested.param.name}; });

}  // namespace
}  // namespace holdfast::config
