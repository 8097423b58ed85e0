// Both lists of entries: what they promise is the same.
#include "storage/rocks/entry_list.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "storage/base/random.h"
#include "storage/rocks/hash_list.h"

namespace holdfast::storage {
namespace {

// As RocksDB writes it; the tag stands behind the key.
std::string entry_of(const std::string& key, uint64_t tag) {
  std::string entry;
  for (size_t bytes = key.size() + sizeof tag;; bytes >>= 7) {
    entry.push_back(static_cast<char>(bytes < 0x80 ? bytes : (bytes & 0x7F) | 0x80));
    if (bytes < 0x80) break;
  }
  entry += key;
  for (int shift = 0; shift < 64; shift += 8) entry.push_back(static_cast<char>(tag >> shift));
  return entry;
}

// The order that the list promises, said another way.
struct Rank {
  std::string key;
  uint64_t tag_from_above;
  auto operator<=>(const Rank&) const = default;
};

Rank rank_of(const EntryKey& key) { return {std::string{key.key}, UINT64_MAX - key.tag}; }

// A list, and the memory of its nodes.
template <class List>
class Entries {
 public:
  void insert(const std::string& key, uint64_t tag) {
    const std::string entry = entry_of(key, tag);
    const int height = list.draw_height();
    // One byte further each time: RocksDB's memory is not aligned.
    const size_t shift = memory_.size() % sizeof(void*);
    const size_t bytes = EntryNode::bytes(height, entry.size());
    memory_.push_back(std::make_unique<char[]>(bytes + shift));
    EntryNode* node = EntryNode::make(memory_.back().get() + shift, height);
    std::memcpy(node->entry(), entry.data(), entry.size());
    list.insert(node, height);
  }

  List list;

 private:
  std::vector<std::unique_ptr<char[]>> memory_;
};

std::optional<Rank> rank_at(const EntryNode* node) {
  if (node == nullptr) return std::nullopt;
  return rank_of(node->key());
}

std::optional<Rank> rank_at(const std::set<Rank>& model, std::set<Rank>::const_iterator place) {
  if (place == model.end()) return std::nullopt;
  return *place;
}

template <class List>
class EntryLists : public testing::Test {};
class NameOfList {
 public:
  template <class List>
  static std::string GetName(int) {
    return std::is_same_v<List, EntryList> ? "EntryList" : "HashList";
  }
};
using BothLists = testing::Types<EntryList, HashList>;
TYPED_TEST_SUITE(EntryLists, BothLists, NameOfList);

TYPED_TEST(EntryLists, an_empty_one_has_nothing) {
  const TypeParam list;
  EXPECT_EQ(list.first(), nullptr);
  EXPECT_EQ(list.last(), nullptr);
  EXPECT_EQ(list.before({"a", 1}), nullptr);
  EXPECT_EQ(list.at_or_behind({"", UINT64_MAX}), nullptr);
}

TEST(EntryKey, rises_bytewise_and_of_one_key_the_newest_comes_first) {
  const std::vector<EntryKey> rising{
      {"", 9}, {"", 3}, {std::string_view{"\0", 1}, 1}, {"a", 7}, {"a", 6}, {"aa", 1}, {"b", 1},
      {"\x7F", 1}, {"\x80", 1}, {"\xFF", 2}};
  for (size_t one = 0; one < rising.size(); ++one) {
    for (size_t other = 0; other < rising.size(); ++other) {
      const int expected = one < other ? -1 : one > other ? 1 : 0;
      const int order = compare(rising[one], rising[other]);
      EXPECT_EQ((order > 0) - (order < 0), expected) << one << " and " << other;
    }
  }
}

TEST(EntryKey, is_read_at_any_length) {
  for (const size_t bytes : {0u, 1u, 119u, 120u, 127u, 128u, 16'375u, 16'376u, 3'000'000u}) {
    const std::string key(bytes, 'k');
    const std::string entry = entry_of(key, 77);
    EXPECT_EQ(EntryKey::of_entry(entry.data()).key, key);
    EXPECT_EQ(EntryKey::of_entry(entry.data()).tag, 77u);
  }
}

// What inserts come after one another decides where the search begins.
enum class Comes : uint8_t { anywhere, rising, falling, at_two_ends, as_hashes };

std::string key_number(uint64_t number) {
  std::string key(8, '\0');
  for (size_t n = 0; n < 8; ++n) key[n] = static_cast<char>(number >> (56 - 8 * n));
  return key;
}

std::string user_key(Comes comes, uint64_t n, Random& random) {
  switch (comes) {
    case Comes::anywhere:
      return std::string(random.up_to(3), static_cast<char>(random.up_to(255)));
    case Comes::rising:
      return key_number(n);
    case Comes::falling:
      return key_number(UINT64_MAX - n);
    case Comes::at_two_ends:
      return key_number(n % 2 == 0 ? n : 100'000 + n);
    case Comes::as_hashes:
      return key_number(random.next());
  }
  return {};
}

TYPED_TEST(EntryLists, finds_what_a_sorted_set_finds) {
  for (const Comes comes : {Comes::anywhere, Comes::rising, Comes::falling, Comes::at_two_ends,
                            Comes::as_hashes}) {
    Random random{static_cast<uint64_t>(comes) + 1};
    Entries<TypeParam> entries;
    std::set<Rank> model;
    for (uint64_t n = 1; n <= 3000; ++n) {
      const std::string key = user_key(comes, n, random);
      entries.insert(key, n);
      model.insert(rank_of({key, n}));

      // Of hashes, one that is there or about to come, or a new one.
      const std::string asked = comes == Comes::as_hashes && random.chance(50)
                                    ? key
                                    : user_key(comes, 1 + random.up_to(n), random);
      const EntryKey sought{asked, random.up_to(n)};
      const auto place = model.lower_bound(rank_of(sought));
      ASSERT_EQ(rank_at(entries.list.at_or_behind(sought)), rank_at(model, place));
      ASSERT_EQ(rank_at(entries.list.before(sought)),
                place == model.begin() ? std::nullopt : rank_at(model, std::prev(place)));
      ASSERT_EQ(rank_at(entries.list.first()), *model.begin());
      ASSERT_EQ(rank_at(entries.list.last()), *model.rbegin());
    }
    const EntryNode* node = entries.list.first();
    for (const Rank& rank : model) {
      ASSERT_EQ(rank_at(node), rank);
      node = entries.list.next(node);
    }
    EXPECT_EQ(node, nullptr);
  }
}

template <class List>
using EntryListsDeath = EntryLists<List>;
TYPED_TEST_SUITE(EntryListsDeath, BothLists, NameOfList);

TYPED_TEST(EntryListsDeath, two_equal_entries_are_a_bug) {
  Entries<TypeParam> entries;
  for (uint64_t n = 1; n < 100; ++n) entries.insert(key_number(n), 1);
  EXPECT_DEATH(entries.insert(key_number(40), 1), "CHECK");
}

// Reads on threads of its own until it goes, and then once more.
class Readers {
 public:
  explicit Readers(std::vector<std::function<bool()>> reads) {
    for (std::function<bool()>& read : reads) {
      threads_.emplace_back([this, read = std::move(read)] {
        while (!done_.load()) wrong_ += read() ? 0 : 1;
        wrong_ += read() ? 0 : 1;
      });
    }
  }
  ~Readers() { stop(); }
  Readers(const Readers&) = delete;
  Readers& operator=(const Readers&) = delete;

  int stop() {
    done_.store(true);
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
    return wrong_.load();
  }

 private:
  std::vector<std::thread> threads_;
  std::atomic<bool> done_{false};
  std::atomic<int> wrong_{0};
};

// True if what is there rises, from a key on, as far as `most` entries.
template <class List>
bool rises(const List& list, const EntryNode* node, int most) {
  for (std::optional<Rank> previous; node != nullptr && most > 0; --most) {
    const Rank rank = *rank_at(node);
    if (rank.key.size() != 8 || (previous && !(*previous < rank))) return false;
    previous = rank;
    node = list.next(node);
  }
  return true;
}

template <class List>
bool falls(const List& list, const EntryNode* node, int most) {
  for (std::optional<Rank> previous; node != nullptr && most > 0; --most) {
    const Rank rank = *rank_at(node);
    if (rank.key.size() != 8 || (previous && !(rank < *previous))) return false;
    previous = rank;
    node = list.before(node->key());
  }
  return true;
}

// The numbers of some keys: few, some of which begin alike.
uint64_t some_number(Random& random) {
  return random.up_to(50) | random.up_to(3) << 40 | random.up_to(7) << 51;
}

TYPED_TEST(EntryLists, readers_see_whole_entries_in_order_while_one_thread_inserts) {
  constexpr uint64_t kCount = 20'000;
  Entries<TypeParam> entries;
  Readers readers{{[&] { return rises(entries.list, entries.list.first(), 1000); },
                   [&] { return falls(entries.list, entries.list.last(), 300); }}};
  Random random{5};
  for (uint64_t n = 1; n <= kCount; ++n) entries.insert(key_number(some_number(random)), n);
  EXPECT_EQ(readers.stop(), 0);
  uint64_t seen = 0;
  for (const auto* node = entries.list.first(); node != nullptr;
       node = entries.list.next(node)) {
    ++seen;
  }
  EXPECT_EQ(seen, kCount);
}

// Each entry comes between the one that is sought and the one before it.
TYPED_TEST(EntryLists, what_is_sought_is_found_whatever_comes_right_before_it) {
  constexpr uint64_t kOld = 1'000'000;
  constexpr uint64_t kCount = 100'000;
  const std::string key = key_number(7);
  Entries<TypeParam> entries;
  entries.insert(key, kOld);
  const EntryKey sought{key, kOld};
  const Rank rank = rank_of(sought);
  const auto found = [&] { return rank_at(entries.list.at_or_behind(sought)) == rank; };
  Readers readers{{found, found}};
  for (uint64_t n = kCount; n > 0; --n) entries.insert(key, kOld + n);
  EXPECT_EQ(readers.stop(), 0);
}

}  // namespace
}  // namespace holdfast::storage
