#include "storage/rocks/key_filter.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "storage/base/random.h"

namespace holdfast::storage {
namespace {

// Keys as those of `idempotency`: 16 bytes of a hash. Others for each salt.
std::string key_of(uint64_t n, uint64_t salt = 0) {
  Random random{(n << 8) + salt + 1};
  const std::array<uint64_t, 2> words{random.next(), random.next()};
  std::string key(sizeof(words), '\0');
  std::memcpy(key.data(), words.data(), sizeof(words));
  return key;
}

// Rows that can be read: what learn() learns from.
class Rows {
 public:
  void insert(const std::string& key) {
    const std::lock_guard lock{mutex_};
    keys_.insert(key);
  }
  KeyFilter::Rows reader() {
    return [this](const std::string& from, const KeyFilter::Visit& visit) {
      const std::lock_guard lock{mutex_};
      ++slices;
      if (broken) return false;
      for (auto key = keys_.lower_bound(from); key != keys_.end() && visit(*key); ++key) {}
      return true;
    };
  }

  std::atomic<int> slices{0};
  std::atomic<bool> broken{false};

 private:
  std::mutex mutex_;
  std::set<std::string> keys_;
};

// Asks as the loop does, until no question goes to the disk any more. At most 1000 may.
int learn_all(KeyFilter& filter, Rows& rows) {
  int to_disk = 0;
  for (int quiet = 0; quiet < 100 && to_disk < 1000; ++quiet) {
    if (!filter.should_learn()) continue;
    quiet = 0;
    ++to_disk;
    filter.learn(rows.reader());
  }
  return to_disk;
}

TEST(KeyFilter, says_nothing_before_it_knows_what_there_is) {
  KeyFilter filter;
  Rows rows;
  EXPECT_FALSE(filter.surely_absent(key_of(1)));
  EXPECT_TRUE(filter.should_learn()) << "the first question";
  filter.learn(rows.reader());
  EXPECT_TRUE(filter.surely_absent(key_of(1)));
  EXPECT_FALSE(filter.should_learn());
}

TEST(KeyFilter, learns_what_lay_there_a_slice_for_a_question_in_so_many) {
  constexpr uint64_t kRows = 3 * KeyFilter::kRowsPerSlice + 1;
  KeyFilter filter;
  Rows rows;
  for (uint64_t n = 0; n < kRows; ++n) rows.insert(key_of(n));
  int questions = 0;
  while (rows.slices < 4) {
    ASSERT_FALSE(filter.surely_absent(key_of(kRows))) << rows.slices;
    if (filter.should_learn()) filter.learn(rows.reader());
    ++questions;
  }
  EXPECT_EQ(questions, 3 * static_cast<int>(KeyFilter::kQuestionsPerSlice) + 1);
  for (uint64_t n = 0; n < kRows; ++n) ASSERT_FALSE(filter.surely_absent(key_of(n))) << n;
  EXPECT_TRUE(filter.surely_absent(key_of(kRows)));
  filter.learn(rows.reader());
  EXPECT_EQ(rows.slices, 4) << "nothing is left to learn";
}

TEST(KeyFilter, keeps_what_is_added_while_it_learns) {
  KeyFilter filter;
  Rows rows;
  for (uint64_t n = 0; n < 2 * KeyFilter::kRowsPerSlice; ++n) rows.insert(key_of(n));
  filter.learn(rows.reader());
  filter.add(key_of(1, 1));
  learn_all(filter, rows);
  EXPECT_FALSE(filter.surely_absent(key_of(1, 1)));
  EXPECT_TRUE(filter.surely_absent(key_of(1, 2)));
}

TEST(KeyFilter, a_slice_that_cannot_be_read_is_learned_again) {
  KeyFilter filter;
  Rows rows;
  rows.insert(key_of(1));
  rows.broken = true;
  filter.learn(rows.reader());
  EXPECT_FALSE(filter.surely_absent(key_of(2)));
  rows.broken = false;
  filter.learn(rows.reader());
  EXPECT_TRUE(filter.surely_absent(key_of(2)));
  EXPECT_FALSE(filter.surely_absent(key_of(1)));
}

TEST(KeyFilter, keys_of_any_length_are_kept) {
  KeyFilter filter;
  Rows rows;
  filter.learn(rows.reader());
  for (const char* key : {"", "a", "a key of more than sixteen bytes"}) {
    filter.add(key);
    EXPECT_FALSE(filter.surely_absent(key));
  }
  EXPECT_TRUE(filter.surely_absent("b"));
}

TEST(KeyFilter, seldom_takes_an_absent_key_for_a_present_one) {
  KeyFilter filter;
  Rows rows;
  filter.learn(rows.reader());
  uint64_t n = 0;
  const auto unsure_in_thousand = [&](uint64_t keys) {
    for (; n < keys; ++n) filter.add(key_of(n));
    int unsure = 0;
    for (uint64_t asked = 0; asked < 100'000; ++asked) {
      unsure += !filter.surely_absent(key_of(asked, 1));
    }
    return unsure / 100;
  };
  EXPECT_LE(unsure_in_thousand(1'000'000), 1);
  EXPECT_LE(unsure_in_thousand(KeyFilter::kKeysMax - 10'000), 6);
}

TEST(KeyFilter, forgets_what_was_erased_when_it_is_full) {
  constexpr uint64_t kKeysMax = 20'000;
  KeyFilter filter{kKeysMax};
  Rows rows;
  for (uint64_t n = 0; n < 5000; ++n) rows.insert(key_of(n));
  learn_all(filter, rows);
  for (uint64_t n = 0; n < kKeysMax; ++n) filter.add(key_of(n, 1));
  EXPECT_FALSE(filter.surely_absent(key_of(7, 1)));
  EXPECT_EQ(learn_all(filter, rows), 3) << "slices of what is left";
  for (uint64_t n = 0; n < 5000; ++n) ASSERT_FALSE(filter.surely_absent(key_of(n))) << n;
  EXPECT_TRUE(filter.surely_absent(key_of(7, 1)));
}

TEST(KeyFilter, with_more_rows_than_it_is_made_for_it_learns_them_once) {
  constexpr uint64_t kKeysMax = 5000;
  KeyFilter filter{kKeysMax};
  Rows rows;
  for (uint64_t n = 0; n <= kKeysMax; ++n) rows.insert(key_of(n));
  EXPECT_EQ(learn_all(filter, rows), 3) << "slices of them";
  EXPECT_FALSE(filter.surely_absent(key_of(7)));
}

// One thread commits, one learns and forgets, two ask: none may be told that a key whose
// commit it knows of is absent.
TEST(KeyFilter, a_committed_key_is_never_absent_while_it_forgets_and_learns) {
  constexpr uint64_t kKeys = 3000;
  KeyFilter filter{100};
  Rows rows;
  std::atomic<uint64_t> committed{0};
  std::atomic<bool> done{false};
  std::atomic<int> wrong{0};
  std::atomic<int> times_learned{0};
  const auto ask = [&](uint64_t seed) {
    Random random{seed};
    while (!done) {
      const uint64_t known = committed.load(std::memory_order_acquire);
      if (known == 0) continue;
      if (filter.surely_absent(key_of(random.up_to(known - 1)))) ++wrong;
    }
  };
  std::thread learner{[&] {
    for (uint64_t n = 0; !done;) {
      // Others come and go, until it is full whatever it learned.
      for (const uint64_t end = n + 2 * kKeys; n < end; ++n) filter.add(key_of(n, 1));
      filter.learn(rows.reader());
      filter.learn(rows.reader());
      ++times_learned;
    }
  }};
  std::vector<std::thread> askers;
  for (uint64_t seed = 1; seed <= 2; ++seed) askers.emplace_back(ask, seed);
  for (uint64_t n = 0; n < kKeys; ++n) {
    rows.insert(key_of(n));
    filter.add(key_of(n));
    committed.store(n + 1, std::memory_order_release);
  }
  while (times_learned < 20) std::this_thread::yield();
  done = true;
  learner.join();
  for (std::thread& asker : askers) asker.join();
  EXPECT_EQ(wrong.load(), 0);
}

}  // namespace
}  // namespace holdfast::storage
