#include "storage/rocks/rocks_store.h"

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <thread>

#include "storage/base/random.h"
#include "storage/memory_store.h"
#include "tests/storage/rocks_support.h"

namespace holdfast::storage {
namespace {

using namespace std::chrono_literals;

class Rocks : public testing::Test {
 protected:
  OpenOptions options() const { return {.directory = directory_ / "db"}; }
  void open() { store_ = open_store(options()); }
  void reopen() {
    store_.reset();
    open();
  }

  TempDirectory directory_;
  std::unique_ptr<RocksStore> store_;
};

// Background work is done when it is done; waits at most ten seconds for it.
bool eventually(const std::function<bool()>& condition) {
  for (int n = 0; n < 1000 && !condition(); ++n) std::this_thread::sleep_for(10ms);
  return condition();
}

TEST_F(Rocks, makes_a_database_and_keeps_every_family_across_a_restart) {
  open();
  EXPECT_TRUE(store_->open_report().created);
  for (const FamilyRow& row : kFamilies) {
    ASSERT_TRUE(commit(*store_, {put(row.family, key64(7), std::string{row.name})}));
  }
  reopen();
  EXPECT_FALSE(store_->open_report().created);
  for (const FamilyRow& row : kFamilies) {
    EXPECT_EQ(value_of(*store_, row.family, key64(7)), row.name);
    EXPECT_EQ(value_of(*store_, row.family, key64(8)), "(none)");
  }
}

// Rows are sorted on their way into the batch.
TEST_F(Rocks, writes_of_one_key_count_in_the_order_they_came) {
  open();
  std::vector<Write> writes{put(Family::meta, "b", "first"), put(Family::running, "x", "1")};
  for (const char* value : {"second", "third", "last"}) {
    writes.push_back(put(Family::meta, "a", value));
    writes.push_back(put(Family::meta, "b", value));
  }
  writes.push_back(single_delete(Family::running, "x"));
  writes.push_back(put(Family::meta, "c", "kept"));
  writes.push_back(erase(Family::meta, "c"));
  ASSERT_TRUE(commit(*store_, writes));
  reopen();
  EXPECT_EQ(value_of(*store_, Family::meta, "a"), "last");
  EXPECT_EQ(value_of(*store_, Family::meta, "b"), "last");
  EXPECT_EQ(value_of(*store_, Family::meta, "c"), "(none)");
  EXPECT_EQ(value_of(*store_, Family::running, "x"), "(none)");
}

TEST_F(Rocks, keeps_any_bytes_in_keys_and_values) {
  open();
  const std::string key{"\0\xff\0", 3};
  const std::string value(100'000, '\0');
  ASSERT_TRUE(commit(*store_, {put(Family::events, key, value), put(Family::due, key, "")}));
  reopen();
  EXPECT_EQ(value_of(*store_, Family::events, key), value);
  EXPECT_EQ(value_of(*store_, Family::due, key), "");
}

struct ScanCase {
  const char* name;
  ScanRange range;
  const char* keys;
};

class Scan : public testing::TestWithParam<ScanCase> {
 protected:
  static void SetUpTestSuite() {
    rocks_ = open_store({.directory = directory_.emplace() / "db"});
    memory_.emplace();
    for (Store* store : {static_cast<Store*>(rocks_.get()), static_cast<Store*>(&*memory_)}) {
      for (const char* key : {"a", "b", "bb", "c", "d"}) {
        ASSERT_TRUE(commit(*store, {put(Family::events, key, "x")}));
      }
      ASSERT_TRUE(commit(*store, {single_delete(Family::events, "c"), put(Family::due, "z", "")}));
    }
  }
  static void TearDownTestSuite() {
    rocks_.reset();
    directory_.reset();
  }

  static inline std::optional<TempDirectory> directory_;
  static inline std::unique_ptr<RocksStore> rocks_;
  static inline std::optional<MemoryStore> memory_;
};

TEST_P(Scan, walks_the_same_rows_in_both_stores) {
  EXPECT_EQ(keys_of(*rocks_, GetParam().range), GetParam().keys);
  EXPECT_EQ(keys_of(*memory_, GetParam().range), GetParam().keys);
}

INSTANTIATE_TEST_SUITE_P(
    Stores, Scan,
    testing::Values(ScanCase{"all", {Family::events, "", "", false}, "a b bb d"},
                    ScanCase{"all_reversed", {Family::events, "", "", true}, "d bb b a"},
                    ScanCase{"from_is_included", {Family::events, "b", "", false}, "b bb d"},
                    ScanCase{"to_is_excluded", {Family::events, "", "bb", false}, "a b"},
                    ScanCase{"to_is_excluded_reversed", {Family::events, "", "d", true}, "bb b a"},
                    ScanCase{"from_is_included_reversed", {Family::events, "b", "d", true}, "bb b"},
                    ScanCase{"bounds_between_keys", {Family::events, "aa", "cc", false}, "b bb"},
                    ScanCase{
                        "bounds_between_keys_reversed", {Family::events, "aa", "cc", true}, "bb b"},
                    ScanCase{"empty_range", {Family::events, "b", "b", false}, ""},
                    ScanCase{"inverted_range", {Family::events, "d", "a", true}, ""},
                    ScanCase{"another_family", {Family::due, "", "", false}, "z"},
                    ScanCase{"no_rows", {Family::attempts, "", "", true}, ""}),
    [](const auto& row) { return std::string{row.param.name}; });

TEST_F(Rocks, stops_a_scan_when_the_visitor_says_so) {
  open();
  ASSERT_TRUE(commit(*store_, {put(Family::due, "a", ""), put(Family::due, "b", "")}));
  int visits = 0;
  const Result<> scanned = store_->scan({Family::due, "", "", false}, [&](auto, auto) {
    ++visits;
    return false;
  });
  EXPECT_TRUE(static_cast<bool>(scanned));
  EXPECT_EQ(visits, 1);
}

// The obvious twin: random commits to both, with restarts, flushes and a moving cut-off.
class Twins {
 public:
  explicit Twins(uint64_t seed) : random_(seed) { reopen(); }

  void step() {
    const uint64_t dice = random_.up_to(99);
    if (dice < 2) return reopen();
    if (dice < 5) return flush();
    if (dice < 8) return cut_off();
    std::vector<Write> writes;
    for (uint64_t n = random_.up_to(8); n > 0; --n) writes.push_back(write());
    ASSERT_TRUE(commit(*rocks_, writes));
    ASSERT_TRUE(commit(memory_, writes));
  }

  void compare() {
    for (const FamilyRow& row : kFamilies) {
      for (const bool reverse : {false, true}) {
        const ScanRange range{row.family, "", "", reverse};
        ASSERT_EQ(rows_of(*rocks_, range), rows_of(memory_, range)) << row.name;
      }
    }
    const std::string key = key64(random_.up_to(next_key_));
    for (const FamilyRow& row : kFamilies) {
      EXPECT_EQ(value_of(*rocks_, row.family, key), value_of(memory_, row.family, key));
    }
  }

 private:
  using Rows = std::vector<std::pair<std::string, std::string>>;

  static Rows rows_of(const Store& store, const ScanRange& range) {
    Rows rows;
    CHECK(store.scan(range, [&](std::string_view key, std::string_view value) {
      rows.emplace_back(key, value);
      return true;
    }));
    return rows;
  }

  void reopen() {
    rocks_.reset();
    rocks_ = open_store({.directory = directory_ / "db"});
    CHECK(rocks_->drop_below(Family::history, key64(cut_off_)));
  }

  void flush() { CHECK(rocks_->flush()); }

  void cut_off() {
    cut_off_ += random_.up_to((next_key_ - cut_off_) / 4);
    CHECK(rocks_->drop_below(Family::history, key64(cut_off_)));
    CHECK(memory_.drop_below(Family::history, key64(cut_off_)));
  }

  Write write() {
    const FamilyRow& row = kFamilies[random_.up_to(kFamilyCount - 1)];
    const std::string value = key64(random_.up_to(next_key_));
    switch (row.life) {
      case KeyLife::once:
        if (auto& keys = live_[row.family]; !keys.empty() && random_.chance(50)) {
          const std::string key = keys.front();
          keys.erase(keys.begin());
          return single_delete(row.family, key);
        }
        live_[row.family].push_back(key64(++next_key_));
        return put(row.family, key64(next_key_), value);
      case KeyLife::cut_off:
        return put(row.family, key64(++next_key_), value);
      case KeyLife::rewritten:
        break;
    }
    const std::string key = key64(random_.up_to(50));
    return random_.chance(30) ? erase(row.family, key) : put(row.family, key, value);
  }

  TempDirectory directory_;
  Random random_;
  std::unique_ptr<RocksStore> rocks_;
  MemoryStore memory_;
  std::map<Family, std::vector<std::string>> live_;
  uint64_t next_key_ = 0;
  uint64_t cut_off_ = 0;
};

TEST(RocksAndMemory, stay_the_same_through_random_commits_and_restarts) {
  for (uint64_t seed = 1; seed <= 2; ++seed) {
    Twins twins{seed};
    for (int n = 0; n < 300; ++n) {
      twins.step();
      if (n % 10 == 0) twins.compare();
      ASSERT_FALSE(testing::Test::HasFailure()) << "seed " << seed << " step " << n;
    }
  }
}

TEST_F(Rocks, refuses_a_second_owner_but_not_a_reader) {
  open();
  ASSERT_TRUE(commit(*store_, {put(Family::meta, "a", "1")}));
  const auto second = RocksStore::open(options());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::refused);

  OpenOptions reading = options();
  reading.read_only = true;
  const auto reader = open_store(reading);
  EXPECT_EQ(value_of(*reader, Family::meta, "a"), "1");
  const std::vector<Write> writes{put(Family::meta, "a", "2")};
  const Result<> refused = reader->commit(writes);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::refused);
}

TEST_F(Rocks, has_nothing_to_read_where_no_database_is) {
  const auto absent = RocksStore::open({.directory = directory_ / "absent", .read_only = true});
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().code, Errc::not_found);
  EXPECT_FALSE(std::filesystem::exists(directory_ / "absent"));
}

TEST_F(Rocks, checks_how_a_family_may_be_deleted_from) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // RocksDB's threads are running
  open();
  const std::vector<Write> wrong_erase{erase(Family::events, "a")};
  const std::vector<Write> wrong_single_delete{single_delete(Family::meta, "a")};
  EXPECT_DEATH((void)store_->commit(wrong_erase), "CHECK");
  EXPECT_DEATH((void)store_->commit(wrong_single_delete), "CHECK");
}

TEST_F(Rocks, reads_from_memory_or_says_that_the_disk_is_needed) {
  open();
  ASSERT_TRUE(commit(*store_, {put(Family::idempotency, "a", "1")}));
  const auto text = [&](const char* key) -> std::string {
    const CachedValue value = store_->get_cached(Family::idempotency, key);
    if (std::holds_alternative<NeedsDisk>(value)) return "(disk)";
    return std::get<1>(value).value_or("(none)");
  };
  EXPECT_EQ(text("b"), "(disk)") << "the first question: what lies there is learned";
  EXPECT_EQ(text("a"), "1");
  EXPECT_EQ(text("b"), "(none)");
  reopen();
  EXPECT_EQ(text("b"), "(disk)") << "the first question";
  EXPECT_EQ(text("a"), "(disk)");
  EXPECT_EQ(value_of(*store_, Family::idempotency, "a"), "1");
  EXPECT_EQ(text("a"), "1");
  EXPECT_EQ(text("b"), "(none)");
}

// Told absent, a key would be taken twice: not at any time, whoever wrote it and when.
TEST_F(Rocks, never_says_of_a_row_that_it_is_absent) {
  constexpr uint64_t kRows = 5000;
  const auto key_of = [](uint64_t n) {
    Random random{n};
    const uint64_t first = random.next();
    return key64(first) + key64(random.next());
  };
  open();
  std::vector<Write> puts;
  for (uint64_t n = 0; n < kRows; ++n) puts.push_back(put(Family::idempotency, key_of(n), "1"));
  ASSERT_TRUE(commit(*store_, puts));
  reopen();
  const auto absent = [&](uint64_t n) {
    const CachedValue value = store_->get_cached(Family::idempotency, key_of(n));
    if (!std::holds_alternative<NeedsDisk>(value)) return !std::get<1>(value).has_value();
    EXPECT_EQ(value_of(*store_, Family::idempotency, key_of(n)), n < 2 * kRows ? "1" : "(none)");
    return n >= 2 * kRows;
  };
  for (uint64_t n = 0; n < kRows; ++n) {
    ASSERT_FALSE(absent(n)) << n;
    ASSERT_TRUE(commit(*store_, {put(Family::idempotency, key_of(kRows + n), "1")}));
    ASSERT_FALSE(absent(kRows + n)) << n;
    ASSERT_TRUE(absent(2 * kRows + n)) << n;
  }
  for (uint64_t n = 0; n < 2 * kRows; ++n) ASSERT_FALSE(absent(n)) << n;
}

TEST_F(Rocks, leaves_nothing_of_a_put_and_its_single_delete) {
  open();
  for (uint64_t n = 0; n < 200; ++n) {
    ASSERT_TRUE(commit(*store_, {put(Family::running, key64(n), "attempt")}));
    ASSERT_TRUE(commit(*store_, {single_delete(Family::running, key64(n))}));
  }
  ASSERT_TRUE(commit(*store_, {put(Family::running, key64(1000), "stays")}));
  ASSERT_TRUE(static_cast<bool>(store_->flush()));
  const Result<TableStats> stats = store_->table_stats(Family::running);
  ASSERT_TRUE(static_cast<bool>(stats));
  EXPECT_EQ(stats->table_count, 1u);
  EXPECT_EQ(stats->entry_count, 1u);
  EXPECT_EQ(stats->tombstone_count, 0u);
}

// The highest sequence must outlive rows that annihilate, or the next start would take
// them for lost.
TEST_F(Rocks, starts_again_when_all_that_was_acknowledged_has_annihilated) {
  open();
  ASSERT_TRUE(commit(*store_, {put(Family::running, "a", "1"), put(Family::due, "b", "")}));
  ASSERT_TRUE(commit(*store_, {single_delete(Family::running, "a")}));
  ASSERT_TRUE(commit(*store_, {single_delete(Family::due, "b")}));
  ASSERT_TRUE(static_cast<bool>(store_->flush()));
  reopen();
  EXPECT_EQ(store_->open_report().sequence, store_->open_report().acknowledged_sequence);
}

// Rows on disk, then a flush of their tombstones and of as many new rows as are said.
void flush_tombstones(RocksStore& store, Family family, uint64_t new_rows) {
  constexpr uint64_t kRows = 600;
  std::vector<Write> puts;
  std::vector<Write> second;
  for (uint64_t n = 0; n < kRows; ++n) {
    puts.push_back(put(family, key64(n), "payload"));
    second.push_back(single_delete(family, key64(n)));
  }
  for (uint64_t n = 0; n < new_rows; ++n) {
    second.push_back(put(family, key64(kRows + n), "payload"));
  }
  for (const std::vector<Write>& writes : {puts, second}) {
    ASSERT_TRUE(commit(store, writes));
    ASSERT_TRUE(static_cast<bool>(store.flush()));
  }
}

// RocksDB's own collector would not see a SingleDelete.
TEST_F(Rocks, compacts_a_file_that_is_thick_with_tombstones) {
  open();
  flush_tombstones(*store_, Family::due, 600);
  EXPECT_TRUE(eventually([&] { return store_->table_stats(Family::due)->entry_count == 600; }));
}

// The front of `events` is known: tombstones may lie there until the next flushes.
TEST_F(Rocks, leaves_a_file_of_events_with_news_alone_until_there_are_eight) {
  open();
  flush_tombstones(*store_, Family::events, 600);
  std::this_thread::sleep_for(std::chrono::milliseconds{200});
  EXPECT_EQ(store_->table_stats(Family::events)->tombstone_count, 600u);
  for (uint64_t n = 2000; n < 2006; ++n) {
    ASSERT_TRUE(commit(*store_, {put(Family::events, key64(n), "payload")}));
    ASSERT_TRUE(static_cast<bool>(store_->flush()));
  }
  EXPECT_TRUE(eventually([&] { return store_->table_stats(Family::events)->entry_count == 606; }));
}

// When the queue is worked off no more flushes may come, and its disk must come back.
TEST_F(Rocks, compacts_a_file_of_events_without_news_at_once) {
  open();
  flush_tombstones(*store_, Family::events, 0);
  EXPECT_TRUE(eventually([&] { return store_->table_stats(Family::events)->entry_count == 0; }));
}

TEST_F(Rocks, hides_what_is_below_the_cut_off_at_once) {
  open();
  ASSERT_TRUE(commit(
      *store_,
      {put(Family::history, key64(1), "old"), put(Family::history, key64(2), "kept"),
       put(Family::endings, key64(70), key64(1)), put(Family::endings, key64(71), key64(2))}));
  ASSERT_TRUE(static_cast<bool>(store_->drop_below(Family::history, key64(2))));
  EXPECT_EQ(value_of(*store_, Family::history, key64(1)), "(none)");
  EXPECT_EQ(value_of(*store_, Family::history, key64(2)), "kept");
  EXPECT_EQ(value_of(*store_, Family::endings, key64(70)), "(none)");
  EXPECT_EQ(value_of(*store_, Family::endings, key64(71)), key64(2));
  EXPECT_EQ(row_count(*store_, Family::history), 1u);
  EXPECT_EQ(row_count(*store_, Family::endings), 1u);
  // A lower cut-off does not bring anything back.
  ASSERT_TRUE(static_cast<bool>(store_->drop_below(Family::history, key64(1))));
  EXPECT_EQ(value_of(*store_, Family::history, key64(1)), "(none)");
}

// Four flushes make RocksDB compact them into one file on a level below.
void write_four_tables(RocksStore& store) {
  for (uint64_t table = 0; table < 4; ++table) {
    for (uint64_t n = 0; n < 10; ++n) {
      const uint64_t ending = 10 * n + table;  // so that the tables overlap
      ASSERT_TRUE(commit(store, {put(Family::history, key64(ending), "ended"),
                                 put(Family::endings, key64(1000 - ending), key64(ending))}));
    }
    ASSERT_TRUE(static_cast<bool>(store.flush()));
  }
}

TEST_F(Rocks, drops_whole_files_below_the_cut_off) {
  open();
  write_four_tables(*store_);
  const auto history = [&] { return *store_->table_stats(Family::history); };
  ASSERT_TRUE(eventually([&] { return history().table_count == 1; }));
  EXPECT_EQ(history().entry_count, 40u);
  ASSERT_TRUE(static_cast<bool>(store_->drop_below(Family::history, key64(93))));
  EXPECT_EQ(history().table_count, 1u) << "the file still holds row 93";
  ASSERT_TRUE(static_cast<bool>(store_->drop_below(Family::history, key64(94))));
  EXPECT_EQ(history().table_count, 0u);
  EXPECT_EQ(row_count(*store_, Family::history), 0u);
}

TEST_F(Rocks, leaves_out_rows_below_the_cut_off_when_it_compacts) {
  open();
  ASSERT_TRUE(static_cast<bool>(store_->drop_below(Family::history, key64(50))));
  write_four_tables(*store_);
  for (const Family family : {Family::history, Family::endings}) {
    EXPECT_TRUE(eventually([&] { return store_->table_stats(family)->entry_count == 20; }))
        << name(family);
  }
}

TEST_F(Rocks, counts_commits_and_bytes) {
  open();
  ASSERT_TRUE(commit(*store_, {}));
  EXPECT_EQ(store_->stats().commit_count, 0u) << "an empty commit writes nothing";
  ASSERT_TRUE(commit(*store_, {put(Family::events, "a", std::string(1000, 'x'))}));
  const StoreStats stats = store_->stats();
  EXPECT_EQ(stats.commit_count, 1u);
  EXPECT_GE(stats.log_bytes, 1000u);
  EXPECT_LT(stats.log_bytes, 1100u);
  EXPECT_GT(stats.commit_duration_sum, 0us);
}

}  // namespace
}  // namespace holdfast::storage
