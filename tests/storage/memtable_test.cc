// The same writes into a database with our memtables and into one with RocksDB's own: every
// read must say the same.
#include "storage/rocks/memtable.h"

#include <gtest/gtest.h>
#include <malloc.h>
#include <rocksdb/db.h>

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "storage/base/random.h"
#include "storage/rocks/options.h"
#include "tests/storage/store_support.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
extern "C" size_t __sanitizer_get_current_allocated_bytes();  // g++ has no header for it
#endif

namespace holdfast::storage {
namespace {

size_t heap_bytes() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return __sanitizer_get_current_allocated_bytes();
#else
  return ::mallinfo2().uordblks;
#endif
}

std::unique_ptr<rocksdb::DB> open_database(const std::string& path,
                                           std::shared_ptr<rocksdb::MemTableRepFactory> factory) {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.allow_concurrent_memtable_write = false;
  options.memtable_protection_bytes_per_key = 4;
  if (factory) options.memtable_factory = std::move(factory);
  rocksdb::DB* database = nullptr;
  const rocksdb::Status opened = rocksdb::DB::Open(options, path, &database);
  EXPECT_TRUE(opened.ok()) << opened.ToString();
  return std::unique_ptr<rocksdb::DB>{database};
}

using Rows = std::vector<std::pair<std::string, std::string>>;

Rows rows_in(rocksdb::DB& database, const rocksdb::ReadOptions& options, bool backwards) {
  Rows rows;
  const std::unique_ptr<rocksdb::Iterator> row{database.NewIterator(options)};
  for (backwards ? row->SeekToLast() : row->SeekToFirst(); row->Valid();
       backwards ? row->Prev() : row->Next()) {
    rows.emplace_back(row->key().ToString(), row->value().ToString());
  }
  EXPECT_TRUE(row->status().ok()) << row->status().ToString();
  return rows;
}

std::string sought(rocksdb::DB& database, const std::string& key, bool backwards) {
  const std::unique_ptr<rocksdb::Iterator> row{database.NewIterator({})};
  backwards ? row->SeekForPrev(key) : row->Seek(key);
  return row->Valid() ? row->key().ToString() + " " + row->value().ToString() : "(none)";
}

std::string got(rocksdb::DB& database, const std::string& key) {
  std::string value;
  const rocksdb::Status status = database.Get({}, key, &value);
  return status.ok() ? value : status.ToString();
}

using MakeFactory = std::shared_ptr<rocksdb::MemTableRepFactory> (*)();

class Memtable : public testing::TestWithParam<MakeFactory> {
 protected:
  TempDirectory directory_;
  std::unique_ptr<rocksdb::DB> ours_ = open_database(directory_ / "ours", GetParam()());
};
INSTANTIATE_TEST_SUITE_P(Both, Memtable, testing::Values(entry_list_factory, hash_list_factory),
                         [](const auto& factory) {
                           return factory.param == hash_list_factory ? "HashList" : "EntryList";
                         });

std::string some_key(Random& random) {
  return std::string(random.up_to(2), static_cast<char>('a' + random.up_to(25))) +
         std::string(random.chance(5) ? 200 : 0, 'x');
}

TEST_P(Memtable, reads_as_the_one_of_rocksdb_does) {
  const std::unique_ptr<rocksdb::DB> theirs = open_database(directory_ / "theirs", nullptr);
  const std::vector<rocksdb::DB*> both{ours_.get(), theirs.get()};
  Random random{11};
  std::vector<const rocksdb::Snapshot*> snapshots(2, nullptr);
  for (int n = 0; n < 4000; ++n) {
    const std::string key = some_key(random);
    const std::string value = "value " + std::to_string(n);
    const bool put = random.chance(60);
    for (rocksdb::DB* database : both) {
      const rocksdb::Status written =
          put ? database->Put({}, key, value) : database->Delete({}, key);
      ASSERT_TRUE(written.ok());
    }
    if (n == 2000) {
      for (size_t one = 0; one < 2; ++one) snapshots[one] = both[one]->GetSnapshot();
    }
    const std::string asked = some_key(random);
    ASSERT_EQ(got(*ours_, asked), got(*theirs, asked));
    ASSERT_EQ(sought(*ours_, asked, false), sought(*theirs, asked, false));
    ASSERT_EQ(sought(*ours_, asked, true), sought(*theirs, asked, true));
  }
  for (const bool backwards : {false, true}) {
    EXPECT_EQ(rows_in(*ours_, {}, backwards), rows_in(*theirs, {}, backwards));
    std::vector<Rows> then;
    for (size_t one = 0; one < 2; ++one) {
      rocksdb::ReadOptions options;
      options.snapshot = snapshots[one];
      then.push_back(rows_in(*both[one], options, backwards));
    }
    EXPECT_EQ(then[0], then[1]);
    EXPECT_GT(then[0].size(), 20u);
  }
  for (size_t one = 0; one < 2; ++one) both[one]->ReleaseSnapshot(snapshots[one]);
  ASSERT_TRUE(ours_->Flush({}).ok());
  EXPECT_EQ(rows_in(*ours_, {}, false), rows_in(*theirs, {}, false));
}

// RocksDB never frees an iterator over a memtable, and loses the one of a Get.
TEST_P(Memtable, reading_again_and_again_takes_no_more_memory) {
  ASSERT_TRUE(ours_->Put({}, "a", "1").ok());
  const auto read = [&] {
    EXPECT_EQ(got(*ours_, "a"), "1");
    EXPECT_EQ(sought(*ours_, "", false), "a 1");
    EXPECT_EQ(sought(*ours_, "b", true), "a 1");
  };
  read();
  const size_t before = heap_bytes();
  for (int n = 0; n < 2000; ++n) read();
  EXPECT_LT(heap_bytes(), before + 16'000);
}

// Only their addresses matter here.
class NoComparator : public rocksdb::MemTableRep::KeyComparator {
 public:
  int operator()(const char*, const char*) const override { return 0; }
  int operator()(const char*, const rocksdb::Slice&) const override { return 0; }
};

TEST(MemtableCursor, its_memory_is_used_again_whether_deleted_or_only_destroyed) {
  const NoComparator compare;
  const std::unique_ptr<rocksdb::MemTableRep> table{
      entry_list_factory()->CreateMemTableRep(compare, nullptr, nullptr, nullptr)};
  auto* const held = table->GetIterator();
  auto* const first = table->GetIterator();
  EXPECT_NE(held, first);
  first->~Iterator();
  auto* const second = table->GetIterator();
  EXPECT_EQ(second, first);
  delete second;
  auto* const third = table->GetIterator();
  EXPECT_EQ(third, first);
  third->~Iterator();
  held->~Iterator();
}

TEST_P(Memtable, an_iterator_outlives_the_writing_of_its_memtable) {
  ASSERT_TRUE(ours_->Put({}, "a", "1").ok());
  std::unique_ptr<rocksdb::Iterator> row{ours_->NewIterator({})};
  ASSERT_TRUE(ours_->Put({}, "b", "2").ok());
  ASSERT_TRUE(ours_->Flush({}).ok());
  ASSERT_TRUE(ours_->Put({}, "c", "3").ok());
  ASSERT_TRUE(ours_->Flush({}).ok());
  row->SeekToFirst();
  ASSERT_TRUE(row->Valid());
  EXPECT_EQ(row->key().ToString(), "a");
  row->Next();
  EXPECT_FALSE(row->Valid()) << "it sees what there was when it was made";
  row.reset();
  EXPECT_EQ(rows_in(*ours_, {}, false).size(), 3u);
}

// Hands out memtables of ours, and remembers the last one.
class WatchedFactory final : public rocksdb::MemTableRepFactory {
 public:
  using MemTableRepFactory::CreateMemTableRep;
  rocksdb::MemTableRep* CreateMemTableRep(const rocksdb::MemTableRep::KeyComparator& compare,
                                          rocksdb::Allocator* allocator,
                                          const rocksdb::SliceTransform* prefix,
                                          rocksdb::Logger* logger) override {
    last_ = ours_->CreateMemTableRep(compare, allocator, prefix, logger);
    return last_;
  }
  const char* Name() const override { return ours_->Name(); }
  rocksdb::MemTableRep& last() const { return *last_; }

 private:
  const std::shared_ptr<rocksdb::MemTableRepFactory> ours_ = entry_list_factory();
  rocksdb::MemTableRep* last_ = nullptr;
};

// Rows lie in a memtable for days on a quiet box: what flips there must not reach a table,
// where it would get a checksum that is right.
TEST(MemtableChecksum, a_flush_stops_at_a_bit_that_flipped_in_memory) {
  for (const bool flipped : {false, true}) {
    const TempDirectory directory;
    const std::atomic<uint64_t> first_kept{0};
    const SharedParts parts{first_kept};
    const auto watched = std::make_shared<WatchedFactory>();
    rocksdb::ColumnFamilyOptions family = family_options(parts, Family::events);
    family.memtable_factory = watched;
    rocksdb::DB* opened = nullptr;
    ASSERT_TRUE(rocksdb::DB::Open({database_options(parts, *rocksdb::Env::Default()), family},
                                  directory.path(), &opened)
                    .ok());
    const std::unique_ptr<rocksdb::DB> database{opened};
    ASSERT_TRUE(database->Put({}, "key", "value").ok());

    auto* const row = watched->last().GetIterator();
    row->SeekToFirst();
    ASSERT_TRUE(row->Valid());
    // Lengths of a byte each; 8 bytes of sequence and kind follow the key.
    constexpr size_t kValueAt = 1 + 3 + 8 + 1;
    const char* const value = row->key() + kValueAt;
    ASSERT_EQ(std::string_view(value, 5), "value");
    if (flipped) *const_cast<char*>(value) ^= 1;
    row->~Iterator();

    const rocksdb::Status flushed = database->Flush({});
    EXPECT_EQ(flushed.IsCorruption(), flipped) << flushed.ToString();
    EXPECT_EQ(flushed.ok(), !flipped) << flushed.ToString();
  }
}

// Every key is there before the threads are, and its number only rises.
TEST_P(Memtable, a_reader_finds_the_newest_or_a_newer_one_while_one_thread_writes) {
  constexpr uint64_t kKeys = 20;
  std::array<std::atomic<uint64_t>, kKeys> written{};
  const auto key_of = [](uint64_t n) { return "key " + std::to_string(100 + n); };
  for (uint64_t n = 0; n < kKeys; ++n) ASSERT_TRUE(ours_->Put({}, key_of(n), "0").ok());

  std::atomic<bool> done{false};
  std::atomic<int> wrong{0};
  const auto read = [&](uint64_t seed) {
    Random random{seed};
    while (!done.load()) {
      const uint64_t n = random.up_to(kKeys - 1);
      const uint64_t least = written[n].load();
      const std::string value = got(*ours_, key_of(n));
      if (value.empty() || value[0] < '0' || value[0] > '9' || std::stoull(value) < least) ++wrong;
      if (!sought(*ours_, key_of(n), random.chance(50)).starts_with(key_of(n))) ++wrong;
    }
  };
  std::vector<std::thread> readers;
  for (uint64_t seed = 1; seed <= 3; ++seed) readers.emplace_back(read, seed);
  Random random{9};
  bool ok = true;
  for (uint64_t n = 1; n <= 5000 && ok; ++n) {
    const uint64_t one = random.up_to(kKeys - 1);
    ok = ours_->Put({}, key_of(one), std::to_string(n)).ok();
    written[one].store(n);
    if (n % 2000 == 0) ok = ok && ours_->Flush({}).ok();
  }
  done.store(true);
  for (std::thread& reader : readers) reader.join();
  EXPECT_TRUE(ok);
  EXPECT_EQ(wrong.load(), 0);
}

}  // namespace
}  // namespace holdfast::storage
