#include "storage/rocks/wal_salvage.h"

#include <rocksdb/env.h>

#include <algorithm>

#include "storage/batch_writes.h"
#include "storage/codec.h"
#include "storage/keys.h"
#include "storage/limits.h"
#include "storage/rocks/log_files.h"
#include "storage/rocks/log_reader.h"
#include "storage/rocks/wal_cut.h"
#include "storage/verify.h"
#include "tests/storage/rocks_support.h"
#include "tests/support/log_bytes.h"

namespace holdfast::storage {
namespace {

constexpr uint64_t kEventCount = 20;
constexpr FunctionId kTheFunction{1};

EventId event_id(uint64_t seq) { return {kTheFunction, Lane{}, Seq{seq}}; }

// A killed box: one commit for each event, numbered from 1; then one that starts the
// first event. Its files are copied while the store is open, as a crash leaves them.
class DamagedStore : public testing::Test {
 protected:
  void SetUp() override {
    const std::string live = directory_ / "live";
    const auto store = open_store({.directory = live});
    for (uint64_t seq = 1; seq <= kEventCount; ++seq) {
      EventRecord record;
      record.id = event_id(seq);
      record.payload = std::string(500, 'p');
      commit_of(*store, seq, {PutEvent{std::make_shared<const EventRecord>(record)}});
    }
    RunningRecord running;
    running.event = event_id(1);
    commit_of(*store, kEventCount, {PutRunning{{Seq{1}, Generation{1}}, running}});
    std::filesystem::copy(live, path_);
    log_ = newest_log();
    bytes_ = read_file(log_);
    end_ = bytes_.find_last_not_of('\0') + 2;
  }

  void commit_of(Store& store, uint64_t last_seq, std::vector<Mutation> mutations) {
    FunctionRecord function;
    function.name = "resize";
    function.head = Seq{1};
    function.fresh = last_seq;
    StateRecord state;
    state.box = BoxTag{77};
    state.next_seq = Seq{last_seq + 1};
    state.next_function = FunctionId{2};
    state.accepted = last_seq;
    Batch batch{std::move(mutations)};
    batch.push(PutFunction{kTheFunction, function});
    batch.push(PutState{state});
    std::vector<Write> writes = encode(batch);
    if (last_seq == 1) {
      writes.push_back(put(Family::meta, std::string{kFormatKey}, key64(kFormat)));
    }
    ASSERT_TRUE(commit(store, writes));
  }

  std::string newest_log() const {
    std::string newest;
    for (const auto& file : std::filesystem::directory_iterator(path_)) {
      if (file.path().extension() == ".log") newest = std::max(newest, file.path().string());
    }
    return newest;
  }

  // The damage of the log as it stands, and what it costs.
  std::pair<AuditReport, Loss> look() const {
    const auto store = open_store({.directory = path_, .read_only = true});
    const AuditReport damage = store->open_report().audit;
    const Result<Loss> loss = salvage_wal(*store, damage, path_);
    CHECK(static_cast<bool>(loss));
    return {damage, *loss};
  }
  void flip(size_t at) {
    std::string damaged = bytes_;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    write_file(log_, damaged);
  }
  std::vector<std::string> batches_of(const std::string& log) const {
    LogReader reader = test::reader_of(log, *salt_of(*rocksdb::Env::Default(), log_));
    std::vector<std::string> batches;
    for (;;) {
      const Result<LogReader::Record> record = reader.next();
      if (!record || record->kind == LogReader::Kind::end) return batches;
      const bool begins =
          record->kind == LogReader::Kind::full || record->kind == LogReader::Kind::first;
      if (begins) batches.emplace_back();
      batches.back() += record->payload;
    }
  }
  static std::vector<uint64_t> seqs(const Loss& loss, bool kept) {
    std::vector<uint64_t> found;
    for (const LostEvent& lost : loss.events) {
      if (lost.kept == kept) found.push_back(lost.id.seq.value);
    }
    return found;
  }

  TempDirectory directory_;
  const std::string path_ = directory_ / "db";
  std::string log_;
  std::string bytes_;
  size_t end_ = 0;
};

TEST_F(DamagedStore, names_the_lost_events_and_those_that_are_set_back) {
  flip(end_ / 2);
  const auto [damage, loss] = look();
  ASSERT_EQ(damage.verdict, WalVerdict::damaged);
  EXPECT_EQ(seqs(loss, true), std::vector<uint64_t>{1});  // its start is lost, not itself
  const std::vector<uint64_t> gone = seqs(loss, false);
  ASSERT_FALSE(gone.empty());
  EXPECT_EQ(gone.back(), kEventCount);
  EXPECT_EQ(gone.size(), kEventCount + 1 - gone.front());
  for (const LostEvent& lost : loss.events) EXPECT_EQ(lost.id.function, kTheFunction);
  EXPECT_EQ(loss.batch_count, gone.size() + 1);
  EXPECT_TRUE(loss.all_events);
  // The one in the damaged bytes is the only one without a name.
  ASSERT_TRUE(loss.unnamed_to.has_value());
  EXPECT_EQ(loss.unnamed_from.value, gone.front() - 1);
  EXPECT_EQ(*loss.unnamed_to, Seq{gone.front() + 1});
  EXPECT_EQ(loss.next_seq, Seq{kEventCount + 1});
  EXPECT_EQ(loss.box, BoxTag{77});
}

TEST_F(DamagedStore, reads_on_behind_a_second_damage) {
  flip(end_ / 4);
  bytes_ = read_file(log_);
  flip(end_ / 4 * 3);
  const Loss loss = look().second;
  const std::vector<uint64_t> gone = seqs(loss, false);
  ASSERT_FALSE(gone.empty());
  EXPECT_EQ(gone.back(), kEventCount);
  EXPECT_LT(gone.size(), kEventCount + 1 - gone.front());
}

TEST_F(DamagedStore, names_nothing_when_the_log_is_gone) {
  std::filesystem::remove(log_);
  const auto [damage, loss] = look();
  EXPECT_EQ(damage.verdict, WalVerdict::damaged);  // the side file knows
  EXPECT_TRUE(loss.events.empty());
  EXPECT_FALSE(loss.unnamed_to.has_value());
}

TEST_F(DamagedStore, names_nothing_when_no_log_can_be_read) {
  std::filesystem::remove(path_ + "/log_secret");
  const auto [damage, loss] = look();
  EXPECT_EQ(damage.verdict, WalVerdict::damaged);
  EXPECT_FALSE(damage.readable);
  EXPECT_TRUE(loss.events.empty());
  EXPECT_FALSE(loss.unnamed_to.has_value());
}

TEST_F(DamagedStore, is_not_changed_by_an_open_that_notices_a_missing_log) {
  std::filesystem::remove(log_);
  std::vector<std::string> before;
  for (const auto& file : std::filesystem::directory_iterator(path_)) {
    before.push_back(file.path());
  }
  const auto refused = RocksStore::open({.directory = path_});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::corrupt);
  std::vector<std::string> after;
  for (const auto& file : std::filesystem::directory_iterator(path_)) {
    after.push_back(file.path());
  }
  EXPECT_EQ(after, before);
}

TEST_F(DamagedStore, opens_as_a_whole_once_the_loss_is_accepted) {
  for (const size_t at : {end_ / 3, end_ / 2, end_ - 100}) {
    SCOPED_TRACE(at);
    flip(at);
    const std::string copy = directory_ / std::to_string(at);
    std::filesystem::copy(path_, copy);
    const auto store = open_store({.directory = copy, .accept_loss = true});
    const Result<Verification> found = verify(*store);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->complaint_count, 0u) << found->complaints.front();
  }
}

// A log is missing between two others, and RocksDB would simply read the later one.
TEST_F(DamagedStore, cuts_off_a_log_that_begins_behind_a_gap) {
  std::vector<std::string> batches = batches_of(bytes_);
  const auto middle = batches.begin() + 10;
  const auto write_log = [](const std::string& path, const std::vector<std::string>& of) {
    write_file(path, test::with_salt(test::log_of(of), *salt_of(*rocksdb::Env::Default(), path)));
  };
  write_log(log_, {batches.begin(), middle});
  write_log(path_ + "/000900.log", {middle + 2, batches.end()});
  const auto [damage, loss] = look();
  EXPECT_EQ(damage.verdict, WalVerdict::damaged);
  EXPECT_EQ(damage.file, "000900.log");
  EXPECT_EQ(damage.offset, 0u);
  EXPECT_EQ(loss.batch_count, batches.size() - 12);
  const auto store = open_store({.directory = path_, .accept_loss = true});
  const Result<Verification> found = verify(*store);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->rows_of(Family::events), 10u);
  EXPECT_EQ(found->complaint_count, 0u) << found->complaints.front();
}

TEST_F(DamagedStore, stays_damaged_until_an_accepted_loss_is_settled) {
  flip(end_ / 2);
  const AuditReport damage = look().first;
  ASSERT_TRUE(cut_logs(*rocksdb::Env::Default(), path_, damage));  // then the power fails
  ASSERT_FALSE(RocksStore::open({.directory = path_}));
  { open_store({.directory = path_, .accept_loss = true}); }  // and once more
  ASSERT_FALSE(RocksStore::open({.directory = path_}));
  { open_store({.directory = path_, .accept_loss = true})->settle_loss(); }
  EXPECT_TRUE(static_cast<bool>(RocksStore::open({.directory = path_})));
}

TEST_F(DamagedStore, has_its_tables_checked) {
  { EXPECT_TRUE(open_store({.directory = path_})->flush()); }
  std::string table;
  for (const auto& file : std::filesystem::directory_iterator(path_)) {
    if (file.path().extension() == ".sst") table = std::max(table, file.path().string());
  }
  ASSERT_TRUE(open_store({.directory = path_, .read_only = true})->verify_checksums());
  std::string bytes = read_file(table);
  bytes[10] = static_cast<char>(bytes[10] ^ 0x10);
  write_file(table, bytes);
  const Result<> verified =
      open_store({.directory = path_, .read_only = true})->verify_checksums();
  ASSERT_FALSE(verified);
  EXPECT_EQ(verified.error().code, Errc::corrupt);
  EXPECT_NE(verified.error().what.find(".sst"), std::string::npos) << verified.error().what;
}

}  // namespace
}  // namespace holdfast::storage
