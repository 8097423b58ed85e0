#include "daemon/runner.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <map>

#include "daemon/spawner/launch.h"
#include "daemon/spawner/processes.h"
#include "storage/base/match.h"
#include "storage/limits.h"
#include "tests/daemon/loop_support.h"
#include "tests/daemon/process_help.h"

namespace holdfast::daemon {
namespace {

using namespace std::chrono_literals;
using core::AttemptReport;
using holdfast::testing::eventually;
using holdfast::testing::lives;
using holdfast::testing::open_fds;
using holdfast::testing::run_until;
using holdfast::testing::TempFolder;

// One word for table tests: the outcome and its number.
std::string word(const core::Outcome& outcome) {
  return std::visit(
      match{
          [](const core::Succeeded& succeeded) { return "succeeded: " + succeeded.result; },
          [](const core::Exited& exited) { return "exited " + std::to_string(exited.status); },
          [](const core::Signaled& by) { return "signaled " + std::to_string(by.signal); },
          [](const core::TimedOut& timed_out) {
            return "timed out " + std::to_string(timed_out.timeout.count());
          },
          [](const core::ResultTooLarge& over) {
            return "too large " + std::to_string(over.bytes_max);
          },
          [](const core::CannotStart& cannot) {
            return "cannot start " + cannot.program + ": " + cannot.reason;
          },
          [](const core::Failed& said) { return "failed " + said.error_message; },
          [](const core::WorkerLost&) { return std::string{"worker lost"}; },
          [](const core::Stopped&) { return std::string{"stopped"}; },
          [](const core::NotStarted&) { return std::string{"not started"}; },
      },
      outcome);
}

AttemptStart shell(uint64_t handle, const std::string& script, std::string payload = {}) {
  return {.handle = handle,
          .argv = {"/bin/sh", "-c", script},
          .environment = {"PATH=/usr/bin:/bin"},
          .working_directory = "/",
          .payload = std::make_shared<const std::string>(std::move(payload)),
          .result_bytes_max = 1u << 20,
          .timeout = 20s,
          .kill_grace = 100ms};
}

class RunnerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Result<spawner::Launched> launched = spawner::launch_spawner(directory_.path);
    ASSERT_TRUE(launched) << launched.error().what;
    spawner_ = std::move(*launched);
    link_.emplace(loop_, spawner_.socket.number(), [this] {
      ++spawners_lost_;
      loop_.stop();
    });
    runner_.emplace(
        loop_, *link_,
        [this](uint64_t handle, AttemptReport report) {
          EXPECT_FALSE(reports_.contains(handle)) << "reported twice";
          reports_.insert_or_assign(handle, std::move(report));
          if (next_) next_();
          if (runner_->running() == 0) loop_.stop();
        });
  }
  void TearDown() override {
    runner_.reset();
    link_.reset();
    spawner::end_spawner(std::move(spawner_));
  }

  // Until all attempts are reported or the spawner is lost.
  void run() {
    uv::Timer too_long{loop_, [this] {
                         ADD_FAILURE() << "still running: " << runner_->running();
                         loop_.stop();
                       }};
    too_long.arm(25s);
    loop_.run();
  }
  void run_for(Duration length) { holdfast::testing::run_for(loop_, length); }
  AttemptReport run(AttemptStart start) {
    const uint64_t handle = start.handle;
    runner_->start(std::move(start));
    run();
    return std::move(reports_[handle]);
  }
  std::string outcome_of(AttemptStart start) { return word(run(std::move(start)).outcome); }

  TempFolder directory_;
  uv::Loop loop_;
  spawner::Launched spawner_;
  std::optional<SpawnerLink> link_;
  std::optional<Runner> runner_;
  std::map<uint64_t, AttemptReport> reports_;
  std::function<void()> next_;
  int spawners_lost_ = 0;
};

TEST_F(RunnerTest, AResultTakesNoMoreMemoryThanItMayHave) {
  AttemptStart start = shell(1, "head -c 4400000 /dev/zero; sleep 30");
  start.result_bytes_max = 4'600'000;
  const uint64_t result_bytes_max = start.result_bytes_max;
  runner_->start(std::move(start));
  ASSERT_TRUE(run_until(loop_, [&] { return runner_->memory_bytes() >= 4'400'000; }));
  run_for(50ms);
  EXPECT_LE(runner_->memory_bytes(), result_bytes_max + 1024);
  runner_->stop(1);
  run();
}

struct OutcomeCase {
  const char* name;
  const char* script;
  const char* outcome;
};
class OutcomeTest : public RunnerTest, public ::testing::WithParamInterface<OutcomeCase> {};

TEST_P(OutcomeTest, is_told_as_it_was) {
  EXPECT_EQ(outcome_of(shell(1, GetParam().script, "payload")), GetParam().outcome);
}

INSTANTIATE_TEST_SUITE_P(
    Endings, OutcomeTest,
    ::testing::Values(OutcomeCase{"status_zero_gives_the_output", "printf out", "succeeded: out"},
                      OutcomeCase{"the_payload_comes_in", "cat", "succeeded: payload"},
                      OutcomeCase{"no_output_is_an_empty_result", "exit 0", "succeeded: "},
                      OutcomeCase{"another_status_is_told", "printf out; exit 1", "exited 1"},
                      OutcomeCase{"the_highest_status_is_told", "exit 255", "exited 255"},
                      OutcomeCase{"a_signal_of_somebody_else_is_told", "kill -KILL $$",
                                  "signaled 9"},
                      OutcomeCase{"closed_descriptors_are_no_end",
                                  "exec <&- >&- 2>&-; sleep 0.1; exit 6", "exited 6"},
                      OutcomeCase{"output_of_the_group_counts", "(sleep 0.1; printf late) & wait",
                                  "succeeded: late"}),
    [](const auto& each) { return std::string{each.param.name}; });

TEST_F(RunnerTest, what_cannot_start_names_the_program_and_the_reason) {
  AttemptStart start = shell(1, "");
  start.argv = {"/nowhere/x", "y"};
  EXPECT_EQ(outcome_of(std::move(start)), "cannot start /nowhere/x: No such file or directory");
  start = shell(2, "");
  start.argv = {"/etc/passwd"};
  EXPECT_EQ(outcome_of(std::move(start)), "cannot start /etc/passwd: Permission denied");
  start = shell(3, "");
  start.working_directory = "/nowhere";
  EXPECT_EQ(outcome_of(std::move(start)),
            "cannot start /bin/sh: working directory /nowhere: No such file or directory");
}

TEST_F(RunnerTest, a_command_too_long_for_a_message_cannot_start) {
  AttemptStart start = shell(1, "");
  start.argv.push_back(std::string(spawner::kMessageBytesMax, 'x'));
  EXPECT_EQ(outcome_of(std::move(start)), "cannot start /bin/sh: Argument list too long");
}

TEST_F(RunnerTest, too_few_descriptors_are_a_reason_and_pass) {
  rlimit usual{};
  ::getrlimit(RLIMIT_NOFILE, &usual);
  rlimit low = usual;
  low.rlim_cur = open_fds(::getpid()) + 3;
  ::setrlimit(RLIMIT_NOFILE, &low);
  runner_->start(shell(1, "exit 0"));
  EXPECT_TRUE(reports_.empty()) << "never from within a call";
  EXPECT_EQ(runner_->running(), 1u);
  run();
  ::setrlimit(RLIMIT_NOFILE, &usual);
  EXPECT_EQ(word(reports_[1].outcome), "cannot start /bin/sh: Too many open files");
  EXPECT_EQ(outcome_of(shell(2, "exit 0")), "succeeded: ");
}

TEST_F(RunnerTest, a_timeout_ends_the_handler_even_if_it_then_exits_zero) {
  AttemptStart start = shell(1, "trap 'exit 0' TERM; while :; do sleep 0.01; done");
  start.timeout = 1s;
  start.kill_grace = 10s;
  EXPECT_EQ(outcome_of(std::move(start)), "timed out 1000");
}

TEST_F(RunnerTest, a_handler_that_ignores_sigterm_is_killed_after_the_grace) {
  AttemptStart start = shell(1, "trap '' TERM; while :; do sleep 0.01; done");
  start.timeout = 1s;  // enough to come as far as the trap
  start.kill_grace = 300ms;
  const auto before = std::chrono::steady_clock::now();
  EXPECT_EQ(outcome_of(std::move(start)), "timed out 1000");
  const auto took = std::chrono::steady_clock::now() - before;
  EXPECT_GE(took, 1300ms);
  EXPECT_LT(took, 10s);
}

TEST_F(RunnerTest, a_stopped_attempt_is_stopped_whatever_its_status) {
  for (uint64_t handle = 1; handle <= 3; ++handle) {
    const char* const script = handle == 1 ? "exec sleep 1000"
                               : handle == 2
                                   ? "trap 'exit 0' TERM; echo; while :; do sleep 0.01; done"
                                   : "trap '' TERM; while :; do sleep 0.01; done";
    runner_->start(shell(handle, script));
  }
  run_for(300ms);
  for (uint64_t handle = 1; handle <= 3; ++handle) runner_->stop(handle);
  EXPECT_TRUE(reports_.empty());
  run();
  for (uint64_t handle = 1; handle <= 3; ++handle) {
    EXPECT_EQ(word(reports_[handle].outcome), "stopped") << handle;
  }
}

TEST_F(RunnerTest, a_stop_right_after_the_start_stops) {
  runner_->start(shell(1, "exec sleep 1000"));
  runner_->stop(1);
  run();
  EXPECT_EQ(word(reports_[1].outcome), "stopped");
}

TEST_F(RunnerTest, what_succeeded_before_the_stop_reached_it_succeeded) {
  const std::string pid_file = directory_.path + "/pid";
  const std::string go = directory_.path + "/go";
  runner_->start(shell(
      1, "echo $$ > " + pid_file + "; until [ -e " + go + " ]; do sleep 0.01; done; printf done"));
  pid_t handler = 0;
  ASSERT_TRUE(run_until(loop_, [&] {
    std::ifstream{pid_file} >> handler;
    return handler > 0;
  }));
  // A spawner that stands still cannot tell of the end, nor send the signal too early.
  ::kill(spawner_.pid, SIGSTOP);
  std::ofstream{go} << "now";
  ASSERT_TRUE(eventually([&] { return !lives(handler); }));
  runner_->stop(1);
  ::kill(spawner_.pid, SIGCONT);
  run();
  EXPECT_EQ(word(reports_[1].outcome), "succeeded: done");
}

TEST_F(RunnerTest, output_that_is_still_in_the_pipe_at_the_end_belongs_to_it) {
  runner_->start(shell(1, "sleep 0.1; printf out; printf log >&2"));
  // All of it happens before the loop looks; it hears from the spawner first.
  std::this_thread::sleep_for(500ms);
  run();
  EXPECT_EQ(word(reports_[1].outcome), "succeeded: out");
  EXPECT_EQ(reports_[1].log_tail, "log");
}

TEST_F(RunnerTest, the_first_reason_to_end_it_stays) {
  AttemptStart start = shell(1, "trap '' TERM; while :; do sleep 0.01; done");
  start.timeout = 1s;
  start.kill_grace = 600ms;
  runner_->start(std::move(start));
  run_for(1300ms);
  runner_->stop(1);
  run();
  EXPECT_EQ(word(reports_[1].outcome), "timed out 1000");
}

TEST_F(RunnerTest, a_grandchild_of_the_group_dies_with_the_handler) {
  const AttemptReport report = run(shell(1, "sleep 1000 & printf $!"));
  const auto* succeeded = std::get_if<core::Succeeded>(&report.outcome);
  ASSERT_NE(succeeded, nullptr);
  EXPECT_FALSE(lives(std::stoi(succeeded->result)));
}

TEST_F(RunnerTest, an_escaped_process_that_holds_the_output_open_holds_nothing_up) {
  const AttemptReport report =
      run(shell(1, "setsid sh -c 'while :; do echo noise >&2; done' & printf $!; sleep 0.5"));
  const auto* succeeded = std::get_if<core::Succeeded>(&report.outcome);
  ASSERT_NE(succeeded, nullptr) << word(report.outcome);
  const pid_t escaped = std::stoi(succeeded->result);
  runner_.reset();
  spawner::end_spawner(std::exchange(spawner_, {}));
  EXPECT_FALSE(lives(escaped));
  SetUp();
}

TEST_F(RunnerTest, a_big_payload_need_not_be_read) {
  EXPECT_EQ(outcome_of(shell(1, "printf done", std::string(6291556, 'x'))), "succeeded: done");
}

TEST_F(RunnerTest, a_payload_is_whole_and_ends_whatever_a_pipe_holds) {
  uint64_t handle = 0;
  for (const size_t bytes : {0u, 1u, 4096u, 4097u, 65536u, 65537u, 300'000u}) {
    const std::string payload(bytes, 'x');
    EXPECT_EQ(outcome_of(shell(++handle, "cat", payload)), "succeeded: " + payload) << bytes;
  }
}

TEST_F(RunnerTest, more_than_a_pipe_holds_is_read_while_the_handler_runs) {
  const AttemptReport report =
      run(shell(1, "head -c 300000 /dev/zero >&2; head -c 300000 /dev/zero | tr '\\0' x"));
  EXPECT_EQ(word(report.outcome), "succeeded: " + std::string(300'000, 'x'));
  EXPECT_EQ(report.log_tail.size(), storage::kLogTailBytesMax);
}

TEST_F(RunnerTest, the_largest_payload_comes_back_whole) {
  std::string payload;
  for (uint32_t n = 0; payload.size() < storage::kSynchronousPayloadBytesMax; ++n) {
    payload += std::to_string(n) + ' ';
  }
  payload.resize(storage::kSynchronousPayloadBytesMax);
  AttemptStart start = shell(1, "exec cat", payload);
  start.result_bytes_max = payload.size();
  const AttemptReport report = run(std::move(start));
  const auto* succeeded = std::get_if<core::Succeeded>(&report.outcome);
  ASSERT_NE(succeeded, nullptr) << word(report.outcome);
  EXPECT_TRUE(succeeded->result == payload);
  EXPECT_EQ(runner_->memory_bytes(), 0u);
}

TEST_F(RunnerTest, output_at_the_limit_passes_and_one_byte_over_does_not) {
  AttemptStart start = shell(1, "head -c 100000 /dev/zero");
  start.result_bytes_max = 100000;
  EXPECT_EQ(outcome_of(std::move(start)).size(), std::string{"succeeded: "}.size() + 100000);
  start = shell(2, "head -c 100001 /dev/zero");
  start.result_bytes_max = 100000;
  EXPECT_EQ(outcome_of(std::move(start)), "too large 100000");
}

TEST_F(RunnerTest, output_without_end_is_ended_and_not_kept) {
  const std::string asked = directory_.path + "/asked";
  AttemptStart start =
      shell(1, "trap 'touch " + asked + "' TERM; while :; do echo more; done; exit 0");
  start.result_bytes_max = 100000;
  start.kill_grace = 500ms;
  runner_->start(std::move(start));
  EXPECT_TRUE(run_until(loop_, [&] { return std::filesystem::exists(asked); }));
  EXPECT_LT(runner_->memory_bytes(), 1000u);
  if (reports_.empty()) run();
  EXPECT_EQ(word(reports_[1].outcome), "too large 100000");
}

TEST_F(RunnerTest, the_last_bytes_of_standard_error_are_kept) {
  EXPECT_EQ(run(shell(1, "printf oops >&2; exit 1")).log_tail, "oops");
  const AttemptReport report =
      run(shell(2, "head -c 300000 /dev/zero >&2; printf end >&2; exit 1"));
  EXPECT_EQ(report.log_tail.size(), storage::kLogTailBytesMax);
  EXPECT_EQ(report.log_tail.substr(report.log_tail.size() - 4), std::string("\0end", 4));
}

TEST_F(RunnerTest, memory_is_counted_while_it_is_held) {
  runner_->start(shell(1, "head -c 50000 /dev/zero; exec sleep 1000", std::string(2'000'000, 'x')));
  EXPECT_TRUE(run_until(loop_, [&] { return runner_->memory_bytes() >= 2'050'000u; }));
  runner_->stop(1);
  run();
  EXPECT_EQ(runner_->memory_bytes(), 0u);
}

TEST_F(RunnerTest, a_lost_spawner_is_told_once_and_nothing_is_told_as_finished) {
  const std::string pids = directory_.path + "/pids";
  runner_->start(shell(
      1, "sleep 1000 & setsid sh -c 'echo '$$' '$!' $$ > " + pids + "; exec sleep 1000' & wait"));
  runner_->start(shell(2, "exec sleep 1000"));
  pid_t handler = 0;
  pid_t grandchild = 0;
  pid_t escaped = 0;
  ASSERT_TRUE(run_until(loop_, [&] {
    std::ifstream{pids} >> handler >> grandchild >> escaped;
    return escaped > 0;
  }));
  ASSERT_TRUE(lives(handler));
  ASSERT_TRUE(lives(grandchild));
  ASSERT_TRUE(lives(escaped));

  ::kill(spawner_.pid, SIGKILL);
  run();
  EXPECT_EQ(spawners_lost_, 1);
  EXPECT_FALSE(lives(handler));
  EXPECT_FALSE(lives(grandchild));
  EXPECT_FALSE(lives(escaped));
  runner_->start(shell(3, "exit 0"));
  runner_->stop(1);
  run_for(200ms);
  EXPECT_EQ(spawners_lost_, 1);
  EXPECT_TRUE(reports_.empty());
}

TEST_F(RunnerTest, two_hundred_attempts_leave_no_descriptor_and_no_zombie) {
  run(shell(1000, "exit 0"));  // what is only made once is there now
  const size_t here = open_fds(::getpid());
  const size_t there = open_fds(spawner_.pid);
  uint64_t handle = 1;
  next_ = [&] {
    if (handle < 200) runner_->start(shell(++handle, "cat; echo >&2", "x"));
  };
  run(shell(handle, "cat", "x"));
  EXPECT_EQ(reports_.size(), 201u);
  // Closed handles leave the loop a turn later, the spawner's when it gets a processor.
  run_until(loop_, [&] {
    return open_fds(::getpid()) <= here && open_fds(spawner_.pid) <= there &&
           spawner::children_of(spawner_.pid).empty();
  });
  EXPECT_LE(open_fds(::getpid()), here);
  EXPECT_LE(open_fds(spawner_.pid), there);
  EXPECT_TRUE(spawner::children_of(spawner_.pid).empty());
}

TEST_F(RunnerTest, a_hundred_attempts_at_once_are_all_reported) {
  for (uint64_t handle = 1; handle <= 100; ++handle) {
    runner_->start(shell(handle, "cat; exit " + std::to_string(handle % 3), "x"));
  }
  EXPECT_EQ(runner_->running(), 100u);
  run();
  ASSERT_EQ(reports_.size(), 100u);
  for (const auto& [handle, report] : reports_) {
    EXPECT_EQ(word(report.outcome),
              handle % 3 == 0 ? "succeeded: x" : "exited " + std::to_string(handle % 3));
  }
}

}  // namespace
}  // namespace holdfast::daemon
