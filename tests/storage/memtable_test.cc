// The same writes into a database with our memtables and into one with RocksDB's own: every
// read must say the same.
#include "storage/rocks/memtable.h"

#include <gtest/gtest.h>
#include <malloc.h>
#include <rocksdb/db.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "storage/base/random.h"
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

Rows rows_of(rocksdb::DB& database, const rocksdb::ReadOptions& options, bool backwards) {
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

class Memtable : public testing::Test {
 protected:
  TempDirectory directory_;
  std::unique_ptr<rocksdb::DB> ours_ = open_database(directory_ / "ours", entry_list_factory());
};

std::string some_key(Random& random) {
  return std::string(random.up_to(2), static_cast<char>('a' + random.up_to(25))) +
         std::string(random.chance(5) ? 200 : 0, 'x');
}

TEST_F(Memtable, reads_as_the_one_of_rocksdb_does) {
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
    EXPECT_EQ(rows_of(*ours_, {}, backwards), rows_of(*theirs, {}, backwards));
    std::vector<Rows> then;
    for (size_t one = 0; one < 2; ++one) {
      rocksdb::ReadOptions options;
      options.snapshot = snapshots[one];
      then.push_back(rows_of(*both[one], options, backwards));
    }
    EXPECT_EQ(then[0], then[1]);
    EXPECT_GT(then[0].size(), 20u);
  }
  for (size_t one = 0; one < 2; ++one) both[one]->ReleaseSnapshot(snapshots[one]);
  ASSERT_TRUE(ours_->Flush({}).ok());
  EXPECT_EQ(rows_of(*ours_, {}, false), rows_of(*theirs, {}, false));
}

// RocksDB never frees an iterator over a memtable, and loses the one of a Get.
TEST_F(Memtable, reading_again_and_again_takes_no_more_memory) {
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

TEST_F(Memtable, many_threads_read_while_one_writes) {
  std::atomic<bool> done{false};
  std::atomic<int> wrong{0};
  const auto read = [&](uint64_t seed) {
    Random random{seed};
    while (!done.load()) {
      const std::string key = std::to_string(random.up_to(99));
      const std::string value = got(*ours_, key);
      if (value != key + " is here" && value.find("NotFound") == std::string::npos) ++wrong;
      const std::string next = sought(*ours_, key, random.chance(50));
      if (next != "(none)" && next.find(" is here") == std::string::npos) ++wrong;
    }
  };
  std::vector<std::thread> readers;
  for (uint64_t seed = 1; seed <= 3; ++seed) readers.emplace_back(read, seed);
  Random random{9};
  for (int n = 0; n < 3000; ++n) {
    const std::string key = std::to_string(random.up_to(99));
    const rocksdb::Status written =
        random.chance(70) ? ours_->Put({}, key, key + " is here") : ours_->Delete({}, key);
    ASSERT_TRUE(written.ok());
    if (n % 1000 == 999) {
      ASSERT_TRUE(ours_->Flush({}).ok());
    }
  }
  done.store(true);
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong.load(), 0);
}

}  // namespace
}  // namespace holdfast::storage
