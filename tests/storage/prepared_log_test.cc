#include "storage/rocks/prepared_log.h"

#include <gtest/gtest.h>
#include <sys/sysmacros.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>

#include "storage/base/random.h"
#include "tests/storage/store_support.h"

namespace holdfast::storage {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

// What became of a log, and who wrote it.
struct Paper {
  std::string bytes;
  std::string appended;
  int zeros_written = 0;  // bytes
  int syncs = 0;
  bool zeros_fail = false;

  void put(uint64_t offset, const Slice& piece) {
    if (bytes.size() < offset + piece.size()) bytes.resize(offset + piece.size());
    bytes.replace(offset, piece.size(), piece.ToString());
  }
};

class PaperLog final : public rocksdb::FSWritableFile {
 public:
  explicit PaperLog(Paper& paper) : paper_(paper) {}
  using FSWritableFile::Append;
  IOStatus Append(const Slice& bytes, const IOOptions&, IODebugContext*) override {
    paper_.put(paper_.appended.size(), bytes);
    paper_.appended += bytes.ToString();
    return IOStatus::OK();
  }
  IOStatus Sync(const IOOptions&, IODebugContext*) override {
    ++paper_.syncs;
    return IOStatus::OK();
  }
  IOStatus Close(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  IOStatus Flush(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }

 private:
  Paper& paper_;
};

class PaperAhead final : public rocksdb::FSRandomRWFile {
 public:
  explicit PaperAhead(Paper& paper) : paper_(paper) {}
  IOStatus Write(uint64_t offset, const Slice& bytes, const IOOptions&, IODebugContext*) override {
    if (paper_.zeros_fail) return IOStatus::IOError("as wished");
    EXPECT_GE(offset, paper_.appended.size()) << "over what has been appended";
    EXPECT_EQ(bytes.ToString(), std::string(bytes.size(), '\0'));
    paper_.put(offset, bytes);
    paper_.zeros_written += static_cast<int>(bytes.size());
    return IOStatus::OK();
  }
  IOStatus Read(uint64_t, size_t, const IOOptions&, Slice*, char*,
                IODebugContext*) const override {
    return IOStatus::NotSupported();
  }
  IOStatus Flush(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  IOStatus Sync(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  IOStatus Close(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }

 private:
  Paper& paper_;
};

class Prepared : public testing::Test {
 protected:
  static constexpr int kStretch = PreparedLog::kStretchBytes;
  static constexpr size_t kSmall = PreparedLog::kSmallCommitBytesMax;

  void commit(size_t bytes) {
    const std::string piece(bytes, static_cast<char>('a' + commits_++ % 26));
    ASSERT_TRUE(log_.Append(piece, {}, nullptr).ok());
    ASSERT_TRUE(log_.Sync({}, nullptr).ok());
  }
  // The log from its start, and zeros as far as it was prepared.
  void expect_whole() const {
    EXPECT_EQ(paper_.bytes.substr(0, paper_.appended.size()), paper_.appended);
    const std::string rest = paper_.bytes.substr(paper_.appended.size());
    EXPECT_EQ(rest, std::string(rest.size(), '\0'));
  }

  Paper paper_;
  PreparedLog log_{std::make_unique<PaperLog>(paper_), std::make_unique<PaperAhead>(paper_),
                   PreparedLog::kStretchBytes};
  int commits_ = 0;
};

TEST_F(Prepared, small_commits_are_written_over_zeros) {
  for (int n = 0; n < 100; ++n) {
    commit(1000);
    EXPECT_EQ(paper_.zeros_written, kStretch) << "one stretch for all of them";
    EXPECT_EQ(paper_.bytes.size(), paper_.zeros_written);
    expect_whole();
  }
  EXPECT_EQ(paper_.syncs, 100);
  while (paper_.appended.size() <= kStretch) commit(1000);
  EXPECT_EQ(paper_.zeros_written, 2 * kStretch);
  expect_whole();
}

TEST_F(Prepared, large_commits_are_not_prepared_for) {
  commit(kSmall + 1);
  EXPECT_EQ(paper_.zeros_written, 0);
  commit(100);
  EXPECT_EQ(paper_.zeros_written, 0) << "the one before was large";
  commit(100);
  EXPECT_EQ(paper_.zeros_written, kStretch);
  expect_whole();
}

TEST_F(Prepared, a_commit_is_all_that_comes_until_its_sync) {
  commit(100);
  for (int n = 0; n < 40; ++n) ASSERT_TRUE(log_.Append(std::string(4000, 'x'), {}, nullptr).ok());
  ASSERT_TRUE(log_.Sync({}, nullptr).ok());
  const int zeros = paper_.zeros_written;
  for (int n = 0; n < 2; ++n) {
    ASSERT_TRUE(log_.Append(std::string(kStretch, 'x'), {}, nullptr).ok());
  }
  commit(4000);
  EXPECT_EQ(paper_.zeros_written, zeros);
  expect_whole();
}

// The file of an older log: the last page of it may not be whole.
TEST(PreparedOver, zeros_go_only_behind_what_was_written_before) {
  constexpr size_t kWritten = 9 * PreparedLog::kPageBytes + 100;
  Paper paper;
  paper.bytes = std::string(kWritten, 'o');
  PreparedLog log{std::make_unique<PaperLog>(paper), std::make_unique<PaperAhead>(paper),
                  PreparedLog::kStretchBytes, kWritten};
  const std::string piece(1000, 'n');
  while (paper.appended.size() + piece.size() <= 9 * PreparedLog::kPageBytes) {
    ASSERT_TRUE(log.Append(piece, {}, nullptr).ok());
    ASSERT_TRUE(log.Sync({}, nullptr).ok());
    ASSERT_EQ(paper.zeros_written, 0);
  }
  ASSERT_TRUE(log.Append(piece, {}, nullptr).ok());
  EXPECT_EQ(paper.zeros_written, static_cast<int>(PreparedLog::kStretchBytes));
  EXPECT_EQ(paper.bytes.substr(0, paper.appended.size()), paper.appended);
}

TEST_F(Prepared, whatever_comes_the_log_is_what_was_appended) {
  Random random{3};
  for (int n = 0; n < 600; ++n) {
    commit(random.chance(80) ? random.up_to(3000) : random.up_to(30'000));
  }
  EXPECT_GT(paper_.zeros_written, 2 * kStretch);
  expect_whole();
}

TEST_F(Prepared, where_zeros_cannot_be_written_the_log_goes_on_without) {
  commit(1000);
  paper_.zeros_fail = true;
  while (paper_.appended.size() < 3 * kStretch) commit(1000);
  paper_.zeros_fail = false;
  for (int n = 0; n < 200; ++n) commit(1000);
  EXPECT_EQ(paper_.zeros_written, kStretch);
  EXPECT_EQ(paper_.bytes, paper_.appended);
}

TEST(Ext4HasJournal, as_the_kernel_shows_it) {
  const TempDirectory sysfs;
  const auto shows = [&](unsigned minor, const std::string& name, const char* task) {
    const std::string number = "254:" + std::to_string(minor);
    std::filesystem::create_directories(sysfs / "dev/block");
    std::filesystem::create_symlink("../../devices/block/" + name, sysfs / ("dev/block/" + number));
    if (task == nullptr) return;
    std::filesystem::create_directories(sysfs / ("fs/ext4/" + name));
    std::ofstream{sysfs / ("fs/ext4/" + name + "/journal_task")} << task << "\n";
  };
  shows(1, "mmcblk0p2", "1234");
  shows(2, "dm-0", "<none>");
  shows(3, "sda1", nullptr);
  EXPECT_TRUE(ext4_has_journal(makedev(254, 1), sysfs.path()));
  EXPECT_FALSE(ext4_has_journal(makedev(254, 2), sysfs.path()));
  EXPECT_FALSE(ext4_has_journal(makedev(254, 3), sysfs.path()));
  EXPECT_FALSE(ext4_has_journal(makedev(254, 4), sysfs.path()));
}

TEST(PreparingPays, not_where_there_is_no_journal_for_it) {
  EXPECT_FALSE(preparing_pays("/proc"));
  EXPECT_FALSE(preparing_pays("/sys"));
  EXPECT_FALSE(preparing_pays("/nowhere/at/all"));
}

}  // namespace
}  // namespace holdfast::storage
