#include "storage/rocks/wal_audit.h"

#include <dlfcn.h>

#include <algorithm>
#include <ostream>

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
using test::fragment;
using test::kBlockBytes;
using test::log_of;

constexpr size_t kHeaderBytes = 7;

// Without salts, which log_salt_test has.
AuditReport audit_of(const std::vector<std::string>& logs) {
  WalStream stream{std::nullopt};
  for (size_t n = 0; n < logs.size(); ++n) {
    LogReader reader = test::reader_of(logs[n]);
    const Result<bool> go_on =
        stream.read_log("00000" + std::to_string(n + 4) + ".log", reader);
    CHECK(static_cast<bool>(go_on));
    if (!*go_on) break;
  }
  return stream.finish();
}

std::string torn(std::string log) {
  log.resize(log.size() - 5);
  return log;
}
std::string flipped(std::string log, size_t at) {
  log[at] = static_cast<char>(log[at] ^ 0x10);
  return log;
}
std::string with_zeros(std::string log) { return log + std::string(100'000, '\0'); }

TEST(Crc32c, matches_the_published_check_value) {
  EXPECT_EQ(crc32c("123456789"), 0xE3069283u);
  EXPECT_EQ(crc32c("456789", crc32c("123")), 0xE3069283u);
  EXPECT_EQ(crc32c_by_table("456789", crc32c_by_table("123")), 0xE3069283u);
}

TEST(Crc32c, is_the_same_by_instruction_and_by_table) {
  Random random{5};
  std::string bytes;
  for (int n = 0; n < 300; ++n) bytes.push_back(static_cast<char>(random.up_to(255)));
  for (size_t from = 0; from < 9; ++from) {
    for (size_t count = 0; count < 280; ++count) {
      const std::string_view piece = std::string_view{bytes}.substr(from, count);
      ASSERT_EQ(crc32c(piece, 77), crc32c_by_table(piece, 77)) << from << " " << count;
    }
  }
}

#ifdef __x86_64__
// Where the dynamic linker finds the function for every caller, RocksDB's library included.
TEST(Crc32c, takes_the_place_of_the_librarys) {
  void* const found = dlsym(RTLD_DEFAULT, "_ZN7rocksdb6crc32c6ExtendEjPKcm");
  Dl_info of_found{};
  Dl_info of_test{};
  static const int in_this_program = 0;
  ASSERT_NE(dladdr(found, &of_found), 0);
  ASSERT_NE(dladdr(&in_this_program, &of_test), 0);
  EXPECT_STREQ(of_found.dli_fname, of_test.dli_fname);
}
#endif

struct StreamCase {
  const char* name;
  std::vector<std::string> logs;
  WalVerdict verdict;
  uint64_t batch_count;
};

// For gtest, which would print the bytes of the struct.
void PrintTo(const StreamCase& row, std::ostream* out) { *out << row.name; }

class WalStreams : public testing::TestWithParam<StreamCase> {};

TEST_P(WalStreams, get_the_right_verdict) {
  const AuditReport report = audit_of(GetParam().logs);
  EXPECT_EQ(report.verdict, GetParam().verdict) << report.sentence;
  EXPECT_EQ(report.batch_count, GetParam().batch_count) << report.sentence;
}

const std::string kThree = log_of({batch(1, 1), batch(2, 3), batch(5, 1)});
const std::string kNext = log_of({batch(6, 1), batch(7, 1)});
const std::string kLarge = log_of({batch(1, 1), batch(2, 1, 100'000), batch(3, 1)});
const std::string kLargeLast = log_of({batch(1, 1), batch(2, 1, 100'000)});
const std::string kOne = log_of({batch(1, 1)});

INSTANTIATE_TEST_SUITE_P(
    Audit, WalStreams,
    testing::Values(
        StreamCase{"no_logs", {}, WalVerdict::clean, 0},
        StreamCase{"an_empty_log", {""}, WalVerdict::clean, 0},
        StreamCase{"only_zeros", {with_zeros("")}, WalVerdict::clean, 0},
        StreamCase{"intact", {kThree}, WalVerdict::clean, 3},
        StreamCase{"intact_then_zeros", {with_zeros(kThree)}, WalVerdict::clean, 3},
        StreamCase{"two_logs", {with_zeros(kThree), kNext}, WalVerdict::clean, 5},
        StreamCase{"fragments", {with_zeros(kLarge)}, WalVerdict::clean, 3},
        StreamCase{"cut_in_the_last_batch", {torn(kThree)}, WalVerdict::torn_tail, 2},
        StreamCase{"cut_in_a_header", {kThree + "\x01\x02\x03"}, WalVerdict::torn_tail, 3},
        StreamCase{"torn_then_zeros", {with_zeros(torn(kThree))}, WalVerdict::torn_tail, 2},
        StreamCase{"garbage_behind_zeros", {with_zeros(kThree) + "x"}, WalVerdict::torn_tail, 3},
        StreamCase{"cut_after_a_first_fragment",
                   {kLargeLast.substr(0, kBlockBytes)},
                   WalVerdict::torn_tail,
                   1},
        StreamCase{"first_fragment_then_zeros",
                   {with_zeros(kLargeLast.substr(0, kBlockBytes))},
                   WalVerdict::torn_tail,
                   1},
        StreamCase{"middle_fragment_zeroed",
                   {kLargeLast.substr(0, kBlockBytes) + std::string(kBlockBytes, '\0') +
                    kLargeLast.substr(2 * kBlockBytes)},
                   WalVerdict::torn_tail,
                   1},
        StreamCase{"the_only_batch_torn", {torn(kOne)}, WalVerdict::torn_tail, 0},
        StreamCase{"flip_in_the_first_payload", {flipped(kThree, 30)}, WalVerdict::damaged, 0},
        StreamCase{"flip_in_the_first_length", {flipped(kThree, 4)}, WalVerdict::damaged, 0},
        StreamCase{"flip_in_the_first_type", {flipped(kThree, 6)}, WalVerdict::damaged, 0},
        StreamCase{"flip_in_a_middle_fragment", {flipped(kLarge, 40'000)}, WalVerdict::damaged, 1},
        StreamCase{"hole_of_zeros_before_a_batch",
                   {kOne + std::string(50, '\0') + log_of({batch(2, 1)})},
                   WalVerdict::damaged,
                   1},
        StreamCase{"torn_first_log_and_a_continuing_second",
                   {torn(log_of({batch(1, 1), batch(2, 4)})), log_of({batch(2, 1), batch(3, 1)})},
                   WalVerdict::torn_tail,
                   3},
        StreamCase{"nothing_intact_before_a_second_log",
                   {torn(kOne), log_of({batch(2, 1)})},
                   WalVerdict::damaged,
                   0},
        StreamCase{"torn_first_log_and_an_empty_second",
                   {torn(kThree), with_zeros("")},
                   WalVerdict::torn_tail,
                   2},
        StreamCase{"torn_twice_in_a_row",
                   {torn(kThree), torn(log_of({batch(5, 1)})), log_of({batch(5, 2)})},
                   WalVerdict::torn_tail,
                   3},
        StreamCase{"torn_first_log_and_a_second_that_skips",
                   {torn(kThree), kNext},
                   WalVerdict::damaged,
                   2},
        StreamCase{"torn_first_log_and_a_second_that_skips_and_is_torn",
                   {torn(kThree), torn(log_of({batch(6, 1)}))},
                   WalVerdict::torn_tail,
                   2},
        StreamCase{"torn_first_log_and_a_skipping_second_that_began",
                   {torn(kThree), log_of({batch(6, 1, 100'000)}).substr(0, kBlockBytes)},
                   WalVerdict::damaged,
                   2},
        StreamCase{"torn_first_log_and_a_second_that_begins_badly",
                   {torn(kThree), flipped(log_of({batch(5, 1), batch(6, 1)}), 20)},
                   WalVerdict::damaged,
                   2},
        StreamCase{
            "a_gap_between_intact_batches", {kOne, log_of({batch(3, 1)})}, WalVerdict::damaged, 1},
        StreamCase{
            "a_step_back_in_sequence", {kThree, log_of({batch(5, 1)})}, WalVerdict::damaged, 3},
        StreamCase{
            "a_batch_too_short_to_be_one", {fragment(1, "short") + kOne}, WalVerdict::damaged, 0}),
    [](const auto& row) { return std::string{row.param.name}; });

TEST(WalAudit, names_the_place_and_both_sequences) {
  const AuditReport report = audit_of({flipped(kThree, kOne.size() + 20)});
  ASSERT_EQ(report.verdict, WalVerdict::damaged);
  EXPECT_EQ(report.file, "000004.log");
  EXPECT_EQ(report.offset, kOne.size());
  EXPECT_EQ(report.last_good_sequence, 1u);
  EXPECT_EQ(report.next_intact_sequence, 5u);
  EXPECT_NE(report.sentence.find("000004.log"), std::string::npos);
}

// A fragment boundary at every place around the end of a block, the header-only FIRST
// among them.
TEST(WalAudit, reads_batches_that_start_anywhere_near_the_end_of_a_block) {
  for (size_t room = 0; room < 30; ++room) {
    const size_t filler = kBlockBytes - kHeaderBytes - 12 - room;
    const std::string log = log_of({batch(1, 1, filler), batch(2, 1), batch(3, 1)});
    EXPECT_EQ(audit_of({log}).batch_count, 3u) << room;
    const AuditReport report = audit_of({flipped(log, 100)});
    EXPECT_EQ(report.verdict, WalVerdict::damaged) << room;
  }
}

// An event may carry any bytes, also those of a log record.
TEST(WalAudit, a_payload_that_looks_like_an_old_record_is_no_proof) {
  const std::string last = batch(2, 1) + log_of({batch(1, 1)}) + "more payload";
  const AuditReport report = audit_of({torn(log_of({batch(1, 1), last}))});
  EXPECT_EQ(report.verdict, WalVerdict::torn_tail);
}

TEST(WalAudit, a_first_fragment_that_does_not_end_its_block_is_no_proof) {
  const std::string last = batch(2, 1) + fragment(2, batch(9, 1)) + "more payload";
  const AuditReport report = audit_of({torn(log_of({batch(1, 1), last}))});
  EXPECT_EQ(report.verdict, WalVerdict::torn_tail);
}

// The oldest log was torn in its very first batch, so nothing intact precedes the next.
TEST(WalAudit, asks_the_manifest_what_came_before_the_oldest_log) {
  const std::string last_sequence_tag{"\x04"};
  for (const auto& [in_tables, verdict] :
       {std::pair{'\x05', WalVerdict::torn_tail}, std::pair{'\x04', WalVerdict::damaged}}) {
    const TempDirectory directory;
    write_file(directory / "CURRENT", "MANIFEST-000003\n");
    write_file(directory / "MANIFEST-000003", fragment(1, last_sequence_tag + in_tables));
    rocksdb::Env& env = *rocksdb::Env::Default();
    ASSERT_TRUE(make_log_secret(env, directory.path()));
    const std::string oldest = directory / "000004.log";
    const std::string next = directory / "000005.log";
    write_file(oldest, torn(test::with_salt(log_of({batch(6, 1)}), *salt_of(env, oldest))));
    write_file(next, test::with_salt(log_of({batch(6, 2)}), *salt_of(env, next)));
    EXPECT_EQ(audit_wal(directory.path())->verdict, verdict);
  }
}

// A flush of all families is a group of edits, of which a power cut can leave the first ones.
TEST(WalAudit, asks_the_manifest_only_for_groups_that_are_whole) {
  const std::string last_sequence_tag{"\x04"};
  // 103, level, number, size, first and last key, their sequences, one field, end of fields
  const std::string new_file =
      std::string{"\x67\0\x07\x64", 4} + "\x01" "a" "\x01" "b" "\x06\x07" "\x02\x01" "x" "\x01";
  const auto rest_of_group = [](char edits) { return std::string{"\xAC\x02"} + edits; };
  const std::string before = fragment(1, last_sequence_tag + '\x05');
  const std::string first =
      fragment(1, last_sequence_tag + '\x07' + new_file + rest_of_group('\x01'));
  const std::string second = fragment(1, last_sequence_tag + '\x07' + rest_of_group('\0'));
  for (const auto& [manifest, in_tables] :
       {std::pair{before, 5}, {before + first, 5}, {before + first + second, 7}}) {
    const TempDirectory directory;
    write_file(directory / "CURRENT", "MANIFEST-000003\n");
    write_file(directory / "MANIFEST-000003", manifest);
    EXPECT_EQ(audit_wal(directory.path())->sequence_in_tables, in_tables);
  }
}

TEST(WalAudit, an_absent_directory_is_clean) {
  const TempDirectory directory;
  const Result<AuditReport> report = audit_wal(directory / "absent");
  ASSERT_TRUE(static_cast<bool>(report));
  EXPECT_EQ(report->verdict, WalVerdict::clean);
}

std::string newest_log(const std::string& directory) {
  std::string newest;
  for (const auto& file : std::filesystem::directory_iterator(directory)) {
    const std::string path = file.path().string();
    if (file.path().extension() == ".log") newest = std::max(newest, path);
  }
  return newest;
}

// The logs of a store that was killed: a copy of the files under a live store.
class CrashedStore : public testing::Test {
 protected:
  static constexpr int kCommitCount = 20;

  CrashedStore() {
    const TempDirectory live;
    Result<std::unique_ptr<RocksStore>> store = RocksStore::open({.directory = live / "db"});
    CHECK(static_cast<bool>(store));
    for (int n = 0; n < kCommitCount; ++n) {
      commit(**store, {put(Family::events, key64(static_cast<uint64_t>(n)), "payload"),
                       put(Family::meta, "heads", std::to_string(n))});
    }
    std::filesystem::copy(live / "db", path_);
    log_ = newest_log(path_);
    bytes_ = read_file(log_);
    // The store's own row ends every batch, and its value is empty: one zero.
    end_ = bytes_.find_last_not_of('\0') + 2;
  }

  AuditReport audit() const { return *audit_wal(path_); }
  Result<std::unique_ptr<RocksStore>> open(bool accept_loss = false) const {
    return RocksStore::open({.directory = path_, .accept_loss = accept_loss});
  }
  void forget_side_file() const { std::filesystem::remove(path_ + "/acknowledged"); }

  TempDirectory directory_;
  std::string path_ = directory_ / "db";
  std::string log_;
  std::string bytes_;
  size_t end_ = 0;  // of the last batch, without the preallocated zeros
};

TEST_F(CrashedStore, is_clean_with_its_preallocated_zeros) {
  ASSERT_GT(bytes_.size(), end_) << "the log was expected to end in preallocated zeros";
  const AuditReport report = audit();
  EXPECT_EQ(report.verdict, WalVerdict::clean) << report.sentence;
  EXPECT_EQ(report.batch_count, static_cast<uint64_t>(kCommitCount));
}

TEST_F(CrashedStore, opens_with_all_rows) {
  const auto store = open();
  ASSERT_TRUE(static_cast<bool>(store)) << store.error().what;
  EXPECT_EQ(row_count(**store, Family::events), static_cast<size_t>(kCommitCount));
  EXPECT_FALSE((*store)->open_report().created);
  EXPECT_EQ((*store)->open_report().acknowledged_sequence, (*store)->open_report().sequence);
}

TEST_F(CrashedStore, opens_without_a_torn_last_batch_that_nobody_was_told_of) {
  forget_side_file();
  write_file(log_, bytes_.substr(0, end_ - 5) + std::string(1000, '\0'));
  EXPECT_EQ(audit().verdict, WalVerdict::torn_tail);
  const auto store = open();
  ASSERT_TRUE(static_cast<bool>(store)) << store.error().what;
  EXPECT_EQ(row_count(**store, Family::events), static_cast<size_t>(kCommitCount - 1));
  EXPECT_EQ(value_of(**store, Family::meta, "heads"), std::to_string(kCommitCount - 2));
}

TEST_F(CrashedStore, refuses_a_torn_last_batch_that_had_been_acknowledged) {
  write_file(log_, bytes_.substr(0, end_ - 40) + std::string(40, '\0'));
  const auto store = open();
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, Errc::corrupt);
  EXPECT_NE(store.error().what.find("had been acknowledged"), std::string::npos);
}

TEST_F(CrashedStore, refuses_when_the_whole_log_is_gone) {
  std::filesystem::remove(log_);
  const auto store = open();
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, Errc::corrupt);
}

TEST_F(CrashedStore, takes_a_garbled_side_file_for_unknown) {
  write_file(path_ + "/acknowledged", "garbage");
  const auto store = open();
  ASSERT_TRUE(static_cast<bool>(store)) << store.error().what;
  EXPECT_EQ((*store)->open_report().acknowledged_sequence, std::nullopt);
}

TEST_F(CrashedStore, refuses_a_damaged_log_and_leaves_it_as_it_is) {
  const std::string damaged = flipped(bytes_, 25);
  write_file(log_, damaged);
  const auto store = open();
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, Errc::corrupt);
  EXPECT_NE(store.error().what.find(std::filesystem::path{log_}.filename().string()),
            std::string::npos);
  EXPECT_EQ(read_file(log_), damaged);
}

TEST_F(CrashedStore, shows_a_reader_what_is_left_of_a_damaged_log) {
  write_file(log_, flipped(bytes_, end_ / 2));
  const auto store = RocksStore::open({.directory = path_, .read_only = true});
  ASSERT_TRUE(static_cast<bool>(store)) << store.error().what;
  EXPECT_EQ((*store)->open_report().audit.verdict, WalVerdict::damaged);
  EXPECT_GT(row_count(**store, Family::events), 0u);
  EXPECT_LT(row_count(**store, Family::events), static_cast<size_t>(kCommitCount));
}

TEST_F(CrashedStore, opens_a_damaged_log_once_the_loss_is_accepted) {
  write_file(log_, flipped(bytes_, end_ / 2));
  {
    const auto store = open(/*accept_loss=*/true);
    ASSERT_TRUE(static_cast<bool>(store)) << store.error().what;
    EXPECT_TRUE((*store)->open_report().loss_accepted);
    EXPECT_TRUE(commit(**store, {put(Family::meta, "after", "the loss")}));
  }
  const auto again = open();
  ASSERT_TRUE(static_cast<bool>(again)) << again.error().what;
  EXPECT_FALSE((*again)->open_report().loss_accepted);
  EXPECT_EQ(value_of(**again, Family::meta, "after"), "the loss");
}

// Every byte of every batch is guarded: no flip goes unseen, and only those in the
// last batch can be a tear.
TEST_F(CrashedStore, sees_each_flipped_byte_of_its_log) {
  const std::string written = bytes_.substr(0, end_);
  size_t torn_count = 0;
  for (size_t at = 0; at < end_; ++at) {
    write_file(log_, flipped(written, at));
    const AuditReport report = audit();
    ASSERT_NE(report.verdict, WalVerdict::clean) << at;
    if (report.verdict == WalVerdict::torn_tail) {
      ++torn_count;
      ASSERT_EQ(report.batch_count, static_cast<uint64_t>(kCommitCount - 1)) << at;
    }
  }
  EXPECT_LT(torn_count, end_ / static_cast<size_t>(kCommitCount) + 2);
}

// A crash can leave logs behind whose rows are all in table files. They prove nothing.
TEST_F(CrashedStore, does_not_judge_a_log_that_is_obsolete) {
  ASSERT_TRUE(static_cast<bool>(open()));  // replays the log, flushes it, deletes it
  ASSERT_FALSE(std::filesystem::exists(log_));
  write_file(log_, flipped(bytes_, 25));
  EXPECT_EQ(audit().verdict, WalVerdict::clean) << audit().sentence;
  const auto store = open();
  ASSERT_TRUE(static_cast<bool>(store)) << store.error().what;
  EXPECT_EQ(row_count(**store, Family::events), static_cast<size_t>(kCommitCount));
}

// A power cut may undo that a log was deleted.
void bring_back_deleted_logs(const std::string& from, const std::string& to) {
  for (const auto& file : std::filesystem::directory_iterator(from + ".logs")) {
    const std::string name = file.path().filename().string();
    if (!std::filesystem::exists(to + "/" + name)) std::filesystem::copy(file, to + "/" + name);
  }
}
void keep_logs(const std::string& from) {
  std::filesystem::create_directory(from + ".logs");
  for (const auto& file : std::filesystem::directory_iterator(from)) {
    if (file.path().extension() != ".log") continue;
    std::filesystem::copy(file, from + ".logs/" + file.path().filename().string());
  }
}

// A box with a bad power supply: each life ends in a torn batch, every other one
// in its very first, and deleted logs come back. Every start must find the log good
// enough to go on.
TEST_F(CrashedStore, survives_a_tear_in_every_life) {
  forget_side_file();
  write_file(log_, bytes_.substr(0, end_ - 5));
  for (int life = 0; life < 6; ++life) {
    const bool tear_first_batch = life % 2 == 1;
    keep_logs(path_);
    std::string log;
    {
      const auto store = open();
      ASSERT_TRUE(static_cast<bool>(store)) << life << ": " << store.error().what;
      for (int n = 0; n < (tear_first_batch ? 1 : 4); ++n) {
        commit(**store, {put(Family::meta, "life", std::to_string(life))});
      }
      log = newest_log(path_);
      const std::string copy = directory_ / ("life" + std::to_string(life));
      std::filesystem::copy(path_, copy);
      bring_back_deleted_logs(path_, copy);
      path_ = copy;
    }
    forget_side_file();
    log = path_ + "/" + std::filesystem::path{log}.filename().string();
    const std::string bytes = read_file(log);
    const size_t end = bytes.find_last_not_of('\0') + 1;
    write_file(log, bytes.substr(0, end - 5) + std::string(1000, '\0'));
    ASSERT_EQ(audit().verdict, WalVerdict::torn_tail) << life;
  }
}

TEST_F(CrashedStore, is_not_replaced_by_an_empty_one_when_CURRENT_is_gone) {
  std::filesystem::remove(path_ + "/CURRENT");
  forget_side_file();
  const auto store = open();
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, Errc::corrupt);
  EXPECT_FALSE(std::filesystem::exists(path_ + "/CURRENT"));
}

}  // namespace
}  // namespace holdfast::storage
