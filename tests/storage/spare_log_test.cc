#include "storage/rocks/spare_log.h"

#include "tests/storage/store_support.h"

namespace holdfast::storage {
namespace {

class Spare : public testing::Test {
 protected:
  std::string path(int number) const {
    return directory_ / ("00000" + std::to_string(number) + ".log");
  }
  // Writes a log of so many bytes; gives how much of its file had been written before.
  uint64_t write_log(int number, size_t bytes, bool close = true) {
    std::unique_ptr<rocksdb::FSWritableFile> file;
    uint64_t written_bytes = 0;
    EXPECT_TRUE(spare_.make(path(number), {}, &file, written_bytes, nullptr).ok());
    const std::string content(bytes, static_cast<char>('a' + number));
    EXPECT_TRUE(file->Append(content, {}, nullptr).ok());
    EXPECT_TRUE(file->Close({}, nullptr).ok());
    if (close) spare_.closed(path(number));
    return written_bytes;
  }
  void dispose(int number) { EXPECT_TRUE(spare_.dispose(path(number), {}, nullptr).ok()); }
  bool there(const std::string& path) const { return std::filesystem::exists(path); }
  std::string spare_path() const { return directory_ / kSpareLogName; }

  TempDirectory directory_;
  SpareLog spare_{*rocksdb::FileSystem::Default()};
};

TEST_F(Spare, the_next_log_is_written_over_one_that_is_disposed_of) {
  EXPECT_EQ(write_log(1, 100), 0u);
  dispose(1);
  EXPECT_FALSE(there(path(1)));
  EXPECT_EQ(write_log(2, 40), 100u);
  EXPECT_EQ(read_file(path(2)), std::string(40, 'c') + std::string(60, 'b'));
  EXPECT_FALSE(there(spare_path()));
}

TEST_F(Spare, one_is_kept) {
  for (int n = 1; n <= 3; ++n) write_log(n, 100);
  for (int n = 1; n <= 3; ++n) dispose(n);
  for (int n = 1; n <= 3; ++n) EXPECT_FALSE(there(path(n)));
  EXPECT_EQ(write_log(4, 10), 100u);
  EXPECT_EQ(write_log(5, 10), 0u);
}

// RocksDB would cut it later, and with it the log that has taken its place.
TEST_F(Spare, a_log_that_was_not_closed_is_deleted) {
  write_log(1, 100, /*close=*/false);
  dispose(1);
  EXPECT_FALSE(there(path(1)));
  EXPECT_FALSE(there(spare_path()));
  EXPECT_EQ(write_log(2, 10), 0u);
}

TEST_F(Spare, a_log_of_an_earlier_process_is_deleted) {
  write_file(path(1), "whatever");
  dispose(1);
  EXPECT_FALSE(there(path(1)));
  EXPECT_FALSE(there(spare_path()));
}

TEST_F(Spare, what_an_earlier_process_kept_is_deleted_first) {
  write_file(spare_path(), "whatever");
  EXPECT_EQ(write_log(1, 10), 0u);
  EXPECT_EQ(read_file(path(1)).size(), 10u);
  EXPECT_FALSE(there(spare_path()));
}

TEST_F(Spare, where_it_is_gone_a_log_is_made_anew) {
  write_log(1, 100);
  dispose(1);
  std::filesystem::remove(spare_path());
  EXPECT_EQ(write_log(2, 10), 0u);
  EXPECT_EQ(read_file(path(2)), std::string(10, 'c'));
}

}  // namespace
}  // namespace holdfast::storage
