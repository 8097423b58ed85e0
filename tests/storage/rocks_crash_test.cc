// What the store does when the disk or the process fails under it.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "tests/storage/faulty_env.h"
#include "tests/storage/rocks_support.h"

namespace holdfast::storage {
namespace {

class Faulty : public testing::Test {
 protected:
  Faulty() : env_(faults_) {}
  void open() { store_ = open_store({.directory = directory_ / "db", .env = &env_}); }

  TempDirectory directory_;
  Faults faults_;
  FaultyEnv env_;
  std::unique_ptr<RocksStore> store_;
};

TEST_F(Faulty, syncs_the_log_once_for_every_commit) {
  open();
  const int before = faults_.log_sync_count;
  for (int n = 0; n < 10; ++n) {
    ASSERT_TRUE(commit(*store_, {put(Family::meta, "a", std::to_string(n))}));
    EXPECT_EQ(faults_.log_sync_count, before + n + 1);
  }
}

// A duplicate asks every table of the first level.
TEST_F(Faulty, opens_no_table_again_for_a_lookup) {
  constexpr int kTables = 31;  // with one more they are merged
  open();
  ASSERT_TRUE(commit(*store_, {put(Family::idempotency, "m", "1")}));
  for (int n = 0; n < kTables; ++n) {
    ASSERT_TRUE(commit(*store_, {put(Family::idempotency, "a" + std::to_string(n), "1"),
                                 put(Family::idempotency, "z" + std::to_string(n), "1")}));
    ASSERT_TRUE(static_cast<bool>(store_->flush()));
  }
  ASSERT_EQ(store_->table_stats(Family::idempotency)->table_count, size_t{kTables});
  const int before = faults_.table_open_count;
  EXPECT_GE(before, kTables);
  for (int n = 0; n < 10; ++n) EXPECT_EQ(value_of(*store_, Family::idempotency, "m"), "1");
  EXPECT_EQ(faults_.table_open_count, before);
}

TEST_F(Faulty, refuses_every_commit_after_a_failed_sync) {
  open();
  ASSERT_TRUE(commit(*store_, {put(Family::events, "before", "1")}));
  faults_.log_syncs_fail = true;
  const std::vector<Write> writes{put(Family::events, "doubtful", "1"),
                                  put(Family::due, "doubtful", "1")};
  const Result<> failed = store_->commit(writes);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Errc::io);
  EXPECT_TRUE(store_->failure().has_value());
  EXPECT_EQ(value_of(*store_, Family::events, "doubtful"), "(none)");

  faults_.log_syncs_fail = false;  // the disk is well again, but we do not trust the log
  const Result<> later = store_->commit(writes);
  ASSERT_FALSE(later);
  EXPECT_EQ(later.error().code, Errc::refused);

  store_.reset();
  open();
  EXPECT_EQ(value_of(*store_, Family::events, "before"), "1");
  EXPECT_EQ(value_of(*store_, Family::events, "doubtful"),
            value_of(*store_, Family::due, "doubtful"))
      << "a batch is whole or absent";
}

TEST_F(Faulty, refuses_commits_after_a_failed_flush) {
  open();
  ASSERT_TRUE(commit(*store_, {put(Family::events, "a", "1")}));
  faults_.table_writes_fail = true;
  EXPECT_FALSE(store_->flush());
  ASSERT_TRUE(store_->failure().has_value());
  faults_.table_writes_fail = false;
  const std::vector<Write> writes{put(Family::events, "b", "1")};
  const Result<> later = store_->commit(writes);
  ASSERT_FALSE(later);
  EXPECT_EQ(later.error().code, Errc::refused);

  store_.reset();
  open();
  EXPECT_EQ(value_of(*store_, Family::events, "a"), "1");
}

// The child of the test below. It lives in a process of its own, since RocksDB's
// threads do not survive a fork. It reports each acknowledged number into a pipe.
constexpr const char* kChildDirectory = "HOLDFAST_TEST_COMMIT_INTO";
constexpr const char* kChildReportFd = "HOLDFAST_TEST_REPORT_TO";

TEST(RocksChild, commits_and_reports_until_it_is_killed) {
  const char* directory = std::getenv(kChildDirectory);
  if (directory == nullptr) GTEST_SKIP() << "only a part of the test of SIGKILL";
  const int report_fd = std::atoi(std::getenv(kChildReportFd));
  const auto store = open_store({.directory = directory});
  for (uint64_t n = row_count(*store, Family::events);; ++n) {
    const std::string payload(n * 997 % 50'000, 'p');
    if (!commit(*store, {put(Family::events, key64(n), payload), put(Family::due, key64(n), "")})) {
      return;
    }
    if (::write(report_fd, &n, sizeof n) != sizeof n) return;
  }
}

// Runs the child for a while; gives how many rows it had reported, or 0.
uint64_t run_and_kill(const std::string& directory, std::chrono::milliseconds life) {
  int pipe[2];
  CHECK(::pipe(pipe) == 0);
  ::setenv(kChildDirectory, directory.c_str(), 1);
  ::setenv(kChildReportFd, std::to_string(pipe[1]).c_str(), 1);
  const pid_t child = ::fork();
  CHECK(child >= 0);
  if (child == 0) {
    ::execl("/proc/self/exe", "child", "--gtest_filter=RocksChild.*", "--gtest_brief=1", nullptr);
    ::_exit(127);
  }
  ::unsetenv(kChildDirectory);
  ::close(pipe[1]);
  uint64_t reported_count = 0;
  std::thread reader{[&] {
    for (uint64_t number; ::read(pipe[0], &number, sizeof number) == sizeof number;) {
      reported_count = number + 1;
    }
  }};
  std::this_thread::sleep_for(life);
  ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
  reader.join();
  ::close(pipe[0]);
  EXPECT_TRUE(WIFSIGNALED(status)) << "the child ended by itself";
  return reported_count;
}

TEST(RocksParent, has_every_acknowledged_commit_after_SIGKILL) {
  const TempDirectory directory;
  uint64_t acknowledged = 0;
  for (int life = 0; life < 8; ++life) {
    const std::chrono::milliseconds time{60 + 37 * life};
    acknowledged = std::max(acknowledged, run_and_kill(directory / "db", time));
    const auto store = open_store({.directory = directory / "db"});
    ASSERT_NE(store->open_report().audit.verdict, WalVerdict::damaged);
    const size_t rows = row_count(*store, Family::events);
    ASSERT_GE(rows, acknowledged);
    ASSERT_LE(rows, acknowledged + 1) << "at most one commit was in flight";
    ASSERT_EQ(row_count(*store, Family::due), rows) << "half of a batch";
    acknowledged = rows;  // what is recovered must stay
  }
  EXPECT_GT(acknowledged, 10u);
}

}  // namespace
}  // namespace holdfast::storage
