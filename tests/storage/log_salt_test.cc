// The salt of a log's checksums, and what it is for: a log that is written over an older
// one, whose records are still there.
#include "storage/rocks/log_salt.h"

#include <algorithm>
#include <set>
#include <span>

#include "storage/base/random.h"
#include "storage/rocks/log_files.h"
#include "storage/rocks/log_secret.h"
#include "storage/rocks/rocks_store.h"
#include "storage/rocks/wal_stream.h"
#include "tests/storage/store_support.h"
#include "tests/support/log_bytes.h"

namespace holdfast::storage {
namespace {

using test::batch;
using test::kBlockBytes;
using test::log_of;

constexpr uint32_t kSecret = 0xC0FFEE;

std::string salted(const std::string& log, uint64_t number) {
  return test::with_salt(log, log_salt(number, kSecret));
}

// `log` as it stands in a file that held `older`.
std::string written_over(const std::string& older, const std::string& log) {
  return log + older.substr(std::min(older.size(), log.size()));
}

AuditReport verdict_on(const std::string& log, uint64_t number = 5) {
  WalStream stream{std::nullopt};
  LogReader reader = test::reader_of(log, log_salt(number, kSecret));
  CHECK(static_cast<bool>(stream.read_log("00000" + std::to_string(number) + ".log", reader)));
  return stream.finish();
}

std::string many_batches(uint64_t from, int count, size_t bytes) {
  std::vector<std::string> batches;
  for (uint64_t n = 0; n < static_cast<uint64_t>(count); ++n) {
    batches.push_back(batch(from + n, 1, bytes));
  }
  return log_of(batches);
}

TEST(LogSalt, is_another_one_for_each_log) {
  std::set<uint32_t> salts;
  for (uint64_t number = 0; number < 100'000; ++number) salts.insert(log_salt(number, kSecret));
  EXPECT_EQ(salts.size(), 100'000u);
}

TEST(LogSalt, belongs_to_logs_by_their_name) {
  EXPECT_EQ(log_number_of("000012.log"), 12u);
  EXPECT_EQ(log_number_of("/var/lib/holdfast/db/1234567.log"), 1234567u);
  for (const char* name : {"", ".log", "12", "12.sst", "MANIFEST-000012", "x12.log", "/db/LOG",
                           "12.log.trash", "spare_log"}) {
    EXPECT_EQ(log_number_of(name), std::nullopt) << name;
  }
}

// Headers and payloads may come in any pieces, and records end anywhere near a block's end.
TEST(SaltStream, salts_every_record_however_its_bytes_come) {
  Random random{7};
  for (size_t room = 0; room < 30; ++room) {
    const size_t filler = kBlockBytes - LogReader::kHeaderBytes - 12 - room;
    const std::string log =
        log_of({batch(1, 1, filler), batch(2, 1), batch(3, 1, 100'000), batch(4, 1)});
    const std::string whole = salted(log, 5);
    EXPECT_EQ(verdict_on(whole).batch_count, 4u) << room;
    EXPECT_EQ(verdict_on(whole, 6).batch_count, 0u) << room;
    EXPECT_EQ(salted(whole, 5), log) << room;

    std::string pieces = log;
    SaltStream salt{log_salt(5, kSecret)};
    for (size_t at = 0; at < pieces.size();) {
      const size_t count = std::min<size_t>(
          pieces.size() - at, random.chance(50) ? 1 + random.up_to(9) : random.up_to(40'000));
      salt.apply(std::span{pieces}.subspan(at, count));
      at += count;
    }
    EXPECT_EQ(pieces, whole) << room;
  }
}

TEST(SaltStream, of_what_is_no_record_it_finds_the_next_block) {
  const std::string good = log_of({batch(1, 1)});
  std::string log = std::string(kBlockBytes, '\xff') + good;
  SaltStream salt{log_salt(5, kSecret)};
  salt.apply(log);
  EXPECT_EQ(log.substr(kBlockBytes), salted(good, 5));
}

TEST(WrittenOver, what_is_left_of_the_older_log_is_not_read) {
  // Batches of the same size stand at the same places in both.
  const std::string older = salted(many_batches(1, 400, 500), 4);
  for (const int count : {0, 1, 63, 64, 65, 300}) {
    const std::string own = salted(many_batches(401, count, 500), 5);
    const AuditReport report = verdict_on(written_over(older, own));
    EXPECT_EQ(report.verdict, WalVerdict::torn_tail) << count;
    EXPECT_EQ(report.batch_count, static_cast<uint64_t>(count));
    EXPECT_EQ(report.whole_bytes.at("000005.log"), own.size());
  }
}

// The front of a batch with the end of an older one, each intact, and both of one length.
TEST(WrittenOver, no_batch_is_put_together_from_two_logs) {
  const std::string older = salted(log_of({batch(1, 1), batch(2, 1, 100'000)}), 4);
  const std::string own = salted(log_of({batch(3, 1), batch(4, 1, 100'000)}), 5);
  for (size_t blocks = 1; blocks <= 3; ++blocks) {
    const AuditReport report = verdict_on(written_over(older, own.substr(0, blocks * kBlockBytes)));
    EXPECT_EQ(report.verdict, WalVerdict::torn_tail);
    EXPECT_EQ(report.batch_count, 1u);
    EXPECT_EQ(report.last_good_sequence, 3u);
  }
  EXPECT_EQ(verdict_on(own).batch_count, 2u);
}

// A write the disk has lost shows the older log in the middle of the newer one.
TEST(WrittenOver, an_older_record_between_two_of_its_own_is_damage) {
  const std::string older = salted(many_batches(1, 100, 500), 4);
  const std::string own = salted(many_batches(101, 50, 500), 5);
  const size_t record = own.size() / 50;
  std::string log = written_over(older, own);
  log.replace(10 * record, record, older, 10 * record, record);
  const AuditReport report = verdict_on(log);
  EXPECT_EQ(report.verdict, WalVerdict::damaged);
  EXPECT_EQ(report.batch_count, 10u);
  EXPECT_EQ(report.next_intact_sequence, 112u);
  EXPECT_FALSE(report.whole_bytes.contains("000005.log")) << "nobody may take it for whole";
}

// An event may carry any bytes, also those of a log record that would come next. What is
// left of it behind the end of a newer log is proof of nothing, also where the first batch of
// that one never came to be.
TEST(WrittenOver, a_payload_that_looks_like_a_record_is_no_proof) {
  const std::string forged = log_of({batch(5, 1)});
  const std::string own = salted(log_of({batch(4, 1)}), 5);
  for (const std::string& record : {forged, test::with_salt(forged, log_salt(5, 0)),
                                    test::with_salt(forged, log_salt(5, kSecret + 1))}) {
    for (const std::string& front : {own, own.substr(0, own.size() - 5), std::string{}}) {
      const AuditReport report = verdict_on(front + "what is left" + record + "of a payload");
      EXPECT_EQ(report.verdict, WalVerdict::torn_tail) << report.sentence;
      EXPECT_EQ(report.batch_count, front == own ? 1u : 0u);
    }
  }
}

std::vector<std::filesystem::path> logs_in(const std::string& directory) {
  std::vector<std::filesystem::path> logs;
  for (const auto& file : std::filesystem::directory_iterator(directory)) {
    if (file.path().extension() == ".log") logs.push_back(file.path());
  }
  std::ranges::sort(logs);
  return logs;
}

// A live store whose logs have been written over one another, and what a crash leaves of it.
class Reuse : public testing::Test {
 protected:
  static constexpr uint64_t kFlushes = 6;
  static constexpr uint64_t kRowsAFlush = 40;

  Reuse() {
    store_ = open(directory_ / "db");
    for (uint64_t flush = 0; flush < kFlushes; ++flush) {
      // Fewer each time, so that more and more of the older log is left.
      for (uint64_t n = 0; n < kRowsAFlush - flush; ++n) add_row();
      if (flush + 1 == kFlushes) break;
      CHECK(static_cast<bool>(store_->flush()));
      rows_in_tables_ = rows_;
    }
    std::filesystem::copy(directory_ / "db", crashed_);
  }

  static std::unique_ptr<RocksStore> open(const std::string& path) {
    Result<std::unique_ptr<RocksStore>> store = RocksStore::open({.directory = path});
    CHECK(static_cast<bool>(store));
    return std::move(*store);
  }
  void add_row() {
    commit(*store_, {put(Family::events, key64(rows_++), std::string(700, 'p'))});
  }

  TempDirectory directory_;
  std::unique_ptr<RocksStore> store_;
  std::string crashed_ = directory_ / "crashed";
  uint64_t rows_ = 0;
  uint64_t rows_in_tables_ = 0;
};

TEST_F(Reuse, logs_are_written_over_older_ones) {
  const std::vector<std::filesystem::path> logs = logs_in(crashed_);
  ASSERT_FALSE(logs.empty());
  const std::string log = read_file(logs.back());
  const AuditReport report = *audit_wal(crashed_);
  const uint64_t end = report.whole_bytes.at(logs.back().filename().string());
  EXPECT_EQ(report.batch_count, kRowsAFlush - kFlushes + 1);
  // Behind its end stands a payload of another log.
  EXPECT_NE(log.find(std::string(600, 'p'), end), std::string::npos);
}

TEST_F(Reuse, after_a_crash_every_row_is_there_once) {
  for (int life = 0; life < 3; ++life) {
    const auto store = open(crashed_);
    EXPECT_EQ(store->open_report().audit.verdict,
              life == 0 ? WalVerdict::torn_tail : WalVerdict::clean);
    EXPECT_EQ(row_count(*store, Family::events), rows_);
    EXPECT_TRUE(static_cast<bool>(store->verify_checksums()));
  }
}

// It would take the older log for damage, and say so to the operator after every crash.
TEST_F(Reuse, RocksDB_does_not_see_the_older_log) {
  std::vector<std::string> warnings;
  const auto store = RocksStore::open({
      .directory = crashed_,
      .on_warning = [&](std::string_view line) { warnings.emplace_back(line); },
  });
  ASSERT_TRUE(static_cast<bool>(store)) << store.error().what;
  EXPECT_EQ(warnings, std::vector<std::string>{});
}

TEST_F(Reuse, a_reader_sees_the_same) {
  const auto store = RocksStore::open({.directory = crashed_, .read_only = true});
  ASSERT_TRUE(static_cast<bool>(store)) << store.error().what;
  EXPECT_EQ(row_count(**store, Family::events), rows_);
}

TEST_F(Reuse, what_an_earlier_process_kept_is_not_used) {
  store_.reset();
  write_file(directory_ / "db/spare_log", std::string(5'000'000, 'x'));
  store_ = open(directory_ / "db");
  add_row();
  EXPECT_FALSE(std::filesystem::exists(directory_ / "db/spare_log"));
  store_.reset();
  EXPECT_EQ(row_count(*open(directory_ / "db"), Family::events), rows_);
}

TEST_F(Reuse, one_file_is_kept_and_no_more) {
  const auto files = std::filesystem::directory_iterator(directory_ / "db");
  const auto is_spare = [](const auto& file) { return file.path().filename() == "spare_log"; };
  EXPECT_LE(std::ranges::count_if(files, is_spare), 1);
  EXPECT_LE(logs_in(directory_ / "db").size(), 2u);
}

TEST_F(Reuse, each_database_has_a_secret_of_its_own_twice) {
  rocksdb::Env& env = *rocksdb::Env::Default();
  const TempDirectory other;
  open(other / "db");
  const uint32_t secret = *read_log_secret(env, crashed_);
  EXPECT_NE(secret, 0u);
  EXPECT_NE(secret, *read_log_secret(env, other / "db"));
  const std::string path = crashed_ + "/log_secret";
  const std::string bytes = read_file(path);
  for (const size_t sector : {size_t{0}, size_t{512}}) {
    std::string damaged = bytes;
    damaged[sector + 10] = static_cast<char>(damaged[sector + 10] ^ 1);
    write_file(path, damaged);
    EXPECT_EQ(*read_log_secret(env, crashed_), secret) << sector;
  }
}

// Also where nothing else tells that there was anything in the logs.
TEST_F(Reuse, without_their_secret_logs_are_refused_and_stay) {
  std::filesystem::remove(crashed_ + "/acknowledged");
  std::filesystem::rename(crashed_ + "/log_secret", crashed_ + "/elsewhere");
  for (const char* told : {"log_secret is missing", "log_secret is damaged"}) {
    for (int start = 0; start < 2; ++start) {
      const Result<std::unique_ptr<RocksStore>> store = RocksStore::open({.directory = crashed_});
      ASSERT_FALSE(store);
      EXPECT_EQ(store.error().code, Errc::corrupt);
      EXPECT_NE(store.error().what.find(told), std::string::npos) << store.error().what;
    }
    write_file(crashed_ + "/log_secret", "whatever");
  }
  std::filesystem::rename(crashed_ + "/elsewhere", crashed_ + "/log_secret");
  EXPECT_EQ(row_count(*open(crashed_), Family::events), rows_);
}

TEST_F(Reuse, without_their_secret_the_tables_can_be_read) {
  std::filesystem::remove(crashed_ + "/log_secret");
  const auto store = RocksStore::open({.directory = crashed_, .read_only = true});
  ASSERT_TRUE(static_cast<bool>(store)) << store.error().what;
  EXPECT_EQ((*store)->open_report().audit.verdict, WalVerdict::damaged);
  EXPECT_EQ(row_count(**store, Family::events), rows_in_tables_);
  EXPECT_FALSE(std::filesystem::exists(crashed_ + "/log_secret"));
}

TEST_F(Reuse, an_accepted_loss_of_the_secret_makes_a_new_one) {
  std::filesystem::remove(crashed_ + "/log_secret");
  for (int life = 0; life < 2; ++life) {
    const auto store = RocksStore::open({.directory = crashed_, .accept_loss = true});
    ASSERT_TRUE(static_cast<bool>(store)) << store.error().what;
    (*store)->settle_loss();
    EXPECT_EQ(row_count(**store, Family::events), rows_in_tables_);
    commit(**store, {put(Family::events, key64(rows_), "anew")});
    ++rows_in_tables_;
    ++rows_;
  }
  EXPECT_EQ(row_count(*open(crashed_), Family::events), rows_in_tables_);
}

// The real file system, whose log_secret can be opened some times and no more.
class FailingSecret final : public rocksdb::EnvWrapper {
 public:
  explicit FailingSecret(int opens) : EnvWrapper(rocksdb::Env::Default()), opens_left_(opens) {}

  rocksdb::Status NewSequentialFile(const std::string& path,
                                    std::unique_ptr<rocksdb::SequentialFile>* file,
                                    const rocksdb::EnvOptions& options) override {
    const bool fails = path.ends_with("log_secret") && --opens_left_ < 0;
    if (fails) return rocksdb::Status::IOError(path);
    return target()->NewSequentialFile(path, file, options);
  }

 private:
  int opens_left_;
};

TEST_F(Reuse, a_secret_that_cannot_be_read_for_a_while_is_not_replaced) {
  const std::string secret = read_file(crashed_ + "/log_secret");
  bool opened = false;
  int opens = 0;
  for (; !opened; ++opens) {
    ASSERT_LT(opens, 20);
    FailingSecret env{opens};
    opened = static_cast<bool>(RocksStore::open({.directory = crashed_, .env = &env}));
    ASSERT_EQ(read_file(crashed_ + "/log_secret"), secret) << opens;
  }
  EXPECT_GT(opens, 3);  // by the audit, for each log, and for logs to come
  EXPECT_EQ(row_count(*open(crashed_), Family::events), rows_);
}

TEST_F(Reuse, a_running_store_does_not_ask_for_its_secret_again) {
  write_file(directory_ / "db/log_secret", "whatever");
  for (int flush = 0; flush < 3; ++flush) {
    add_row();
    ASSERT_TRUE(static_cast<bool>(store_->flush()));
  }
  add_row();
}

}  // namespace
}  // namespace holdfast::storage
