// The damage matrix: every byte of a small write-ahead log of several files, flipped and
// zeroed. Either everything acknowledged is there, or the damage is named with its file
// and offset, nothing was changed, and the store opens for reading. And the other way
// about: a log that was merely torn is never called damaged.
#include <gtest/gtest.h>
#include <rocksdb/db.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>

#include "storage/rocks/log_salt.h"
#include "storage/rocks/log_secret.h"
#include "storage/rocks/options.h"
#include "storage/rocks/rocks_store.h"
#include "storage/rocks/side_file.h"
#include "storage/rocks/store_env.h"
#include "tests/crash/crash_env.h"
#include "tests/support/log_bytes.h"

namespace holdfast::crash {
namespace {

using namespace storage;
using Files = std::map<std::string, std::string>;

constexpr uint64_t kBatchesPerLog = 6;
constexpr uint64_t kLogs = 3;
constexpr uint64_t kBatches = kLogs * kBatchesPerLog;

constexpr uint32_t kSecret = 0xC0FFEE;  // of the logs

// How much of the preallocated zeros behind the last record is damaged, too.
constexpr size_t kZerosTried = 40;

std::string key_of(uint64_t n) { return "key" + std::to_string(1000 + n); }
std::string value_of(uint64_t n) {
  return std::string(20 + n * 7 % 60, static_cast<char>('a' + n));
}

bool is_log(const std::string& path) { return path.ends_with(".log"); }

// A database whose process died with all of its batches in three logs, as when it dies
// while flushes are under way: each began a new log, and none has come to its end.
class SmallLog {
 public:
  SmallLog() : disk_(1), env_(disk_) {
    disk_.make_directory("/db");
    SideFile::open_or_none(env_, std::string{"/db/"} + kLogSecretName).write(kSecret);
    open();
    for (uint64_t n = 0; n < kBatches; ++n) {
      if (n > 0 && n % kBatchesPerLog == 0) begin_log();
      before_last_ = disk_.files();
      write(n);
      SideFile::open_or_none(env_, "/db/acknowledged").write(db_->GetLatestSequenceNumber());
    }
    files_ = disk_.files();  // what a dead process would leave; this one closes it
    close();
  }

  const Files& files() const { return files_; }
  // As it was when the last batch had not been written.
  const Files& files_before_last() const { return before_last_; }

 private:
  void open() {
    std::vector<rocksdb::ColumnFamilyDescriptor> families{
        {rocksdb::kDefaultColumnFamilyName, default_family_options(parts_)}};
    for (const FamilyRow& row : kFamilies) {
      families.emplace_back(std::string{row.name}, family_options(parts_, row.family));
    }
    log_env_ = store_env(env_, PrepareLogs::in_small_steps, {});
    for (rocksdb::ColumnFamilyDescriptor& family : families) {
      family.options.max_write_buffer_number = 8;  // so that commits go on meanwhile
    }
    rocksdb::DB* db = nullptr;
    const rocksdb::Status opened =
        rocksdb::DB::Open(database_options(parts_, *log_env_), "/db", families, &handles_, &db);
    CHECK(opened.ok());
    db_.reset(db);
    CHECK(db_->PauseBackgroundWork().ok());
  }

  void close() {
    CHECK(db_->ContinueBackgroundWork().ok());
    for (rocksdb::ColumnFamilyHandle* handle : handles_) db_->DestroyColumnFamilyHandle(handle);
    db_.reset();
  }

  rocksdb::ColumnFamilyHandle* handle(Family family) {
    return handles_[1 + static_cast<size_t>(family)];
  }

  void write(uint64_t n) {
    rocksdb::WriteBatch batch;
    CHECK(batch.Put(handle(Family::events), key_of(n), value_of(n)).ok());
    CHECK(batch.Put(handle(Family::waiting), key_of(n), value_of(n)).ok());
    CHECK(batch.Put(handles_[0], kCommitRow, "").ok());
    CHECK(db_->Write(commit_options(), &batch).ok());
  }

  void begin_log() {
    rocksdb::FlushOptions begin_only;
    begin_only.wait = false;
    begin_only.allow_write_stall = true;
    CHECK(db_->Flush(begin_only, handles_).ok());
  }

  std::atomic<uint64_t> first_kept_ending_{0};
  SharedParts parts_{first_kept_ending_};
  CrashDisk disk_;
  CrashEnv env_;
  std::unique_ptr<rocksdb::Env> log_env_;
  std::vector<rocksdb::ColumnFamilyHandle*> handles_;
  std::unique_ptr<rocksdb::DB> db_;
  Files files_;
  Files before_last_;
};

// A machine that starts on these files.
struct Box {
  explicit Box(const Files& files) : disk(2), env(disk) {
    disk.make_directory("/db");
    for (const auto& [path, bytes] : files) disk.overwrite(path, bytes);
  }
  Result<std::unique_ptr<RocksStore>> open(bool read_only = false) {
    return RocksStore::open({.directory = "/db", .read_only = read_only, .env = &env});
  }

  CrashDisk disk;
  CrashEnv env;
};

uint64_t batches_in(const RocksStore& store) {
  for (uint64_t n = 0; n < kBatches; ++n) {
    for (const Family family : {Family::events, Family::waiting}) {
      const auto value = store.get(family, key_of(n));
      if (!value || !*value || **value != value_of(n)) return n;
    }
  }
  return kBatches;
}

// What an older log leaves behind, when each of `files` is written over it: its records stand
// where theirs do.
std::string older_log() {
  std::vector<std::string> batches;
  for (uint64_t n = 1; n < 40; ++n) batches.push_back(test::batch(n, 1, 20 + n * 7 % 60));
  return test::with_salt(test::log_of(batches), log_salt(1, kSecret));
}

std::string over(const std::string& older, const std::string& log) {
  return log + older.substr(std::min(log.size(), older.size()));
}

// The last byte of a batch is the length of the commit row's value, a zero.
size_t end_of(const std::string& log) { return log.find_last_not_of('\0') + 2; }

// The bytes of a log that hold something, and some of the zeros behind them.
size_t bytes_to_try(const std::string& log) {
  const size_t last = log.find_last_not_of('\0');
  return std::min(log.size(), last + 1 + kZerosTried);
}

class DamageMatrix : public testing::Test {
 protected:
  // `files` with one byte of `path` changed: what a start makes of it.
  void expect_whole_or_named(Files files, const std::string& path, size_t offset) {
    const std::string where = path + " byte " + std::to_string(offset);
    Box box{files};
    const auto store = box.open();
    if (store) {
      ++whole_;
      EXPECT_EQ(batches_in(**store), kBatches) << where << ": lost in silence";
      EXPECT_NE((*store)->open_report().audit.verdict, WalVerdict::damaged) << where;
      return;
    }
    ++named_;
    const std::string& what = store.error().what;
    EXPECT_EQ(store.error().code, Errc::corrupt) << where << ": " << what;
    EXPECT_NE(what.find(".log at byte "), std::string::npos) << where << ": " << what;
    for (const auto& [name, bytes] : files) {
      if (!is_log(name)) continue;
      EXPECT_EQ(box.disk.files().at(name), bytes) << where << ": the evidence was changed";
    }
    if (named_ % 16 != 0) return;  // slow, and the same for all
    const auto reader = box.open(/*read_only=*/true);
    ASSERT_TRUE(static_cast<bool>(reader)) << where << ": " << reader.error().what;
    EXPECT_EQ((*reader)->open_report().audit.verdict, WalVerdict::damaged) << where;
  }

  SmallLog log_;
  uint64_t whole_ = 0;
  uint64_t named_ = 0;
};

TEST_F(DamageMatrix, a_changed_byte_is_harmless_or_named) {
  const Files files = log_.files();
  uint64_t logs = 0;
  for (const auto& [path, bytes] : files) {
    if (!is_log(path)) continue;
    ++logs;
    for (size_t at = 0; at < bytes_to_try(bytes); ++at) {
      for (const char changed : {static_cast<char>(bytes[at] ^ 0x10), '\0'}) {
        if (changed == bytes[at]) continue;
        Files damaged = files;
        damaged[path][at] = changed;
        expect_whole_or_named(std::move(damaged), path, at);
        if (HasFailure()) return;
      }
    }
  }
  std::printf("%llu changed bytes were harmless, %llu were named\n",
              static_cast<unsigned long long>(whole_), static_cast<unsigned long long>(named_));
  EXPECT_EQ(logs, kLogs);
  EXPECT_GT(named_, 1000u);
}

// The same where each log was written over an older one, and a byte may have become the
// older log's again.
TEST_F(DamageMatrix, a_changed_byte_before_an_older_log_is_harmless_or_named) {
  const std::string older = older_log();
  Files files = log_.files();
  for (auto& [path, bytes] : files) {
    if (is_log(path)) bytes = over(older, bytes.substr(0, end_of(bytes)));
  }
  {
    Box box{files};
    const auto store = box.open();
    ASSERT_TRUE(static_cast<bool>(store)) << store.error().what;
    EXPECT_EQ(batches_in(**store), kBatches);
  }
  for (const auto& [path, bytes] : files) {
    if (!is_log(path)) continue;
    ASSERT_GT(older.size(), end_of(log_.files().at(path)));
    for (size_t at = 0; at < end_of(log_.files().at(path)); ++at) {
      if (bytes[at] == older[at]) continue;
      Files damaged = files;
      damaged[path][at] = older[at];
      expect_whole_or_named(std::move(damaged), path, at);
      if (HasFailure()) return;
    }
  }
  EXPECT_GT(named_, 1000u);
}

// A MANIFEST ends where it is damaged, as a torn one does. If anything rested on what
// stood behind, the logs no longer fit, or a table file is missing.
TEST_F(DamageMatrix, a_changed_byte_of_the_manifest_is_harmless_or_refused) {
  const Files files = log_.files();
  uint64_t manifests = 0;
  for (const auto& [path, bytes] : files) {
    if (path.find("/MANIFEST-") == std::string::npos) continue;
    ++manifests;
    for (size_t at = 0; at < bytes.size(); ++at) {
      Files damaged = files;
      damaged[path][at] = static_cast<char>(bytes[at] ^ 0x10);
      Box box{damaged};
      const auto store = box.open();
      if (store) {
        ASSERT_EQ(batches_in(**store), kBatches) << path << " byte " << at << ": lost in silence";
        ++whole_;
      } else {
        ASSERT_EQ(store.error().code, Errc::corrupt) << at << ": " << store.error().what;
        ++named_;
      }
    }
  }
  std::printf("%llu changed bytes were harmless, %llu were refused\n",
              static_cast<unsigned long long>(whole_), static_cast<unsigned long long>(named_));
  EXPECT_EQ(manifests, 1u);
}

TEST_F(DamageMatrix, a_lost_log_is_named) {
  const Files files = log_.files();
  for (const auto& [path, bytes] : files) {
    if (!is_log(path)) continue;
    Files damaged = files;
    damaged.erase(path);
    Box box{damaged};
    const auto store = box.open();
    ASSERT_FALSE(static_cast<bool>(store)) << path;
    EXPECT_EQ(store.error().code, Errc::corrupt) << store.error().what;
  }
}

// The last batch was never acknowledged: the side file is the one before it. Its bytes
// may end anywhere, or be zeros or an older log's from anywhere on.
TEST_F(DamageMatrix, a_torn_last_batch_is_never_called_damage) {
  const Files files = log_.files();
  const Files before = log_.files_before_last();
  std::string last;
  for (const auto& [path, bytes] : before) {
    if (is_log(path)) last = std::max(last, path);
  }
  const std::string whole = files.at(last);
  const size_t begin = end_of(before.at(last));
  const size_t end = end_of(whole);
  ASSERT_GT(end, begin);
  enum class Behind : uint8_t { nothing, zeros, an_older_log };
  for (size_t at = begin; at <= end; ++at) {
    for (const Behind behind : {Behind::nothing, Behind::zeros, Behind::an_older_log}) {
      Files torn = before;
      torn[last] = whole.substr(0, at);
      if (behind == Behind::zeros) torn[last].resize(whole.size());
      if (behind == Behind::an_older_log) torn[last] = over(older_log(), torn[last]);
      Box box{torn};
      const auto store = box.open();
      ASSERT_TRUE(static_cast<bool>(store)) << at << ": " << store.error().what;
      EXPECT_GE(batches_in(**store), kBatches - 1) << at;
    }
  }
}

}  // namespace
}  // namespace holdfast::crash
