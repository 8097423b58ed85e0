#include "storage/memory_store.h"

#include "tests/storage/store_support.h"

namespace holdfast::storage {
namespace {

TEST(MemoryStore, gives_back_what_was_put) {
  MemoryStore store;
  ASSERT_TRUE(commit(store, {put(Family::events, "a", "1"), put(Family::meta, "a", "2")}));
  EXPECT_EQ(value_of(store, Family::events, "a"), "1");
  EXPECT_EQ(value_of(store, Family::meta, "a"), "2");
  EXPECT_EQ(value_of(store, Family::due, "a"), "(none)");
  EXPECT_EQ(store.commit_count(), 1u);
}

TEST(MemoryStore, lets_a_visitor_read_but_not_commit) {
  MemoryStore store;
  ASSERT_TRUE(commit(store, {put(Family::events, "a", "1")}));
  const auto reads = [&](auto key, auto) { return store.get(Family::events, key)->has_value(); };
  EXPECT_TRUE(static_cast<bool>(store.scan({Family::events, "", "", false}, reads)));
  const auto commits = [&](auto, auto) { return static_cast<bool>(store.commit({})); };
  EXPECT_DEATH((void)store.scan({Family::events, "", "", false}, commits), "scan_depth_");
}

TEST(MemoryStore, a_copy_is_the_disk_of_that_moment) {
  MemoryStore store;
  ASSERT_TRUE(commit(store, {put(Family::events, "a", "1")}));
  const MemoryStore durable{store};
  ASSERT_TRUE(commit(store, {single_delete(Family::events, "a")}));
  EXPECT_EQ(value_of(durable, Family::events, "a"), "1");
  EXPECT_EQ(value_of(store, Family::events, "a"), "(none)");
}

struct DoubtCase {
  const char* name;
  MemoryStore::InDoubt in_doubt;
  const char* after_restart;
};

class FailedCommit : public testing::TestWithParam<DoubtCase> {};

TEST_P(FailedCommit, is_whole_or_absent_after_the_restart) {
  MemoryStore store;
  store.fail_next_commit(GetParam().in_doubt);
  const std::vector<Write> writes{put(Family::events, "a", "1"), put(Family::due, "b", "")};
  const Result<> failed = store.commit(writes);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Errc::io);
  EXPECT_EQ(value_of(store, Family::events, "a"), "(none)");

  const Result<> later = store.commit(writes);
  ASSERT_FALSE(later);
  EXPECT_EQ(later.error().code, Errc::refused);

  MemoryStore next = store.reopened();
  EXPECT_EQ(value_of(next, Family::events, "a"), GetParam().after_restart);
  EXPECT_TRUE(commit(next, {put(Family::events, "z", "9")}));
}

INSTANTIATE_TEST_SUITE_P(MemoryStore, FailedCommit,
                         testing::Values(DoubtCase{"lost", MemoryStore::InDoubt::lost, "(none)"},
                                         DoubtCase{"kept", MemoryStore::InDoubt::kept, "1"}),
                         [](const auto& row) { return std::string{row.param.name}; });

struct ContractCase {
  const char* name;
  std::vector<Write> before;
  Write broken;
};

class Contract : public testing::TestWithParam<ContractCase> {};

TEST_P(Contract, is_checked) {
  MemoryStore store;
  ASSERT_TRUE(commit(store, GetParam().before));
  const std::vector<Write> broken{GetParam().broken};
  EXPECT_DEATH((void)store.commit(broken), "CHECK");
}

INSTANTIATE_TEST_SUITE_P(
    MemoryStore, Contract,
    testing::Values(
        ContractCase{"once_key_is_not_put_twice",
                     {put(Family::events, "a", "1")},
                     put(Family::events, "a", "2")},
        ContractCase{"once_key_is_not_put_after_its_death",
                     {put(Family::due, "a", ""), single_delete(Family::due, "a")},
                     put(Family::due, "a", "")},
        ContractCase{"single_delete_needs_the_key", {}, single_delete(Family::running, "a")},
        ContractCase{"single_delete_only_once",
                     {put(Family::running, "a", ""), single_delete(Family::running, "a")},
                     single_delete(Family::running, "a")},
        ContractCase{"single_delete_not_on_rewritten",
                     {put(Family::meta, "a", "1")},
                     single_delete(Family::meta, "a")},
        ContractCase{
            "erase_not_on_once", {put(Family::events, "a", "1")}, erase(Family::events, "a")},
        ContractCase{"erase_not_on_cut_off",
                     {put(Family::history, key64(1), "1")},
                     erase(Family::history, key64(1))},
        ContractCase{"single_delete_not_on_cut_off",
                     {put(Family::history, key64(1), "1")},
                     single_delete(Family::history, key64(1))},
        ContractCase{"cut_off_key_is_put_once",
                     {put(Family::history, key64(1), "1")},
                     put(Family::history, key64(1), "2")}),
    [](const auto& row) { return std::string{row.param.name}; });

TEST(MemoryStore, rewritten_keys_come_and_go) {
  MemoryStore store;
  ASSERT_TRUE(commit(
      store, {put(Family::meta, "a", "1"), put(Family::meta, "a", "2"), erase(Family::meta, "a"),
              erase(Family::meta, "a"), put(Family::meta, "a", "3")}));
  EXPECT_EQ(value_of(store, Family::meta, "a"), "3");
}

TEST(MemoryStore, may_forget_the_dead_to_save_memory) {
  MemoryStore store{MemoryStore::DeadKeys::forgotten};
  ASSERT_TRUE(commit(store, {put(Family::due, "a", ""), single_delete(Family::due, "a")}));
  EXPECT_TRUE(commit(store, {put(Family::due, "a", "")}));
}

TEST(MemoryStore, nothing_is_put_below_the_cut_off) {
  MemoryStore store;
  ASSERT_TRUE(static_cast<bool>(store.drop_below(Family::history, key64(10))));
  ASSERT_TRUE(commit(store, {put(Family::history, key64(10), "at the limit")}));
  const std::vector<Write> below{put(Family::history, key64(9), "below")};
  EXPECT_DEATH((void)store.commit(below), "CHECK");
}

}  // namespace
}  // namespace holdfast::storage
