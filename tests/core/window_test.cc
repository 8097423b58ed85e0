// Window against its naive twin: the whole backlog in a plain std::map.
#include "daemon/core/window.h"

#include <gtest/gtest.h>

#include <memory>

#include "storage/base/random.h"

namespace holdfast::core {
namespace {

using IntWindow = Window<int, int>;

// The backlog as it is, and the disk as it was when a page of it was asked for. The
// page is read at any moment after that; what changed since may or may not be in it.
class WindowTwin {
 public:
  WindowTwin(size_t entries_max, uint64_t seed, bool begins_unknown)
      : window_(entries_max), random_(seed) {
    if (!begins_unknown) return;
    for (int n = 0; n < 200; ++n) backlog_[n * 10] = n;
    window_.start_unknown();
  }

  void move() {
    switch (random_.up_to(9)) {
      case 0:
      case 1:
      case 2: return add();
      case 3:
      case 4: return remove();
      case 5:
      case 6:
      case 7: return take();
      default: return load();
    }
  }

  // Everything at or below the bound is in the window, and nothing above it.
  void check() {
    for (const auto& [key, entry] : backlog_) {
      ASSERT_EQ(window_.find(key) != nullptr, window_.covers(key)) << "key " << key;
    }
    for (const auto& [key, entry] : window_.entries()) {
      ASSERT_TRUE(backlog_.contains(key)) << "key " << key << " is not in the backlog any more";
      ASSERT_EQ(backlog_.at(key), entry);
    }
  }

  // Nothing was forgotten: the window, paged to its end, gives the whole backlog.
  void drain() {
    for (int n = 0; n < 100'000 && !backlog_.empty(); ++n) {
      if (window_.loading()) finish_load();
      if (window_.wants_page()) begin_load();
      if (window_.loading()) finish_load();
      ASSERT_FALSE(window_.empty());
      const auto [key, entry] = window_.take_first();
      ASSERT_EQ(key, backlog_.begin()->first) << "a key was skipped";
      backlog_.erase(key);
    }
    ASSERT_TRUE(backlog_.empty());
  }

 private:
  void add() {
    const int key = static_cast<int>(random_.up_to(4000));
    if (!used_.insert(key).second || backlog_.contains(key)) return;
    backlog_[key] = key;
    window_.add(key, key);
  }
  void remove() {
    if (backlog_.empty()) return;
    auto at = backlog_.lower_bound(static_cast<int>(random_.up_to(4000)));
    if (at == backlog_.end()) return;
    window_.remove(at->first);
    used_.insert(at->first);
    backlog_.erase(at);
  }
  void take() {
    if (window_.empty()) return;
    const auto [key, entry] = window_.take_first();
    ASSERT_EQ(key, backlog_.begin()->first);
    used_.insert(key);
    backlog_.erase(key);
  }
  void load() {
    if (window_.loading()) {
      if (!page_ || random_.chance(50)) return read_page();
      return finish_load();
    }
    if (window_.wants_page()) begin_load();
  }
  void begin_load() {
    after_ = window_.begin_load();
    page_.reset();
  }
  void read_page() {
    page_.emplace();
    page_bound_.reset();
    auto at = after_ ? backlog_.upper_bound(*after_) : backlog_.begin();
    for (; at != backlog_.end(); ++at) {
      if (page_->size() == window_.page_rows_max()) {
        page_bound_ = page_->back().first;
        return;
      }
      page_->emplace_back(*at);
    }
  }
  void finish_load() {
    if (!page_) read_page();
    window_.page_loaded(std::move(*page_), page_bound_);
    page_.reset();
  }

  IntWindow window_;
  Random random_;
  std::map<int, int> backlog_;
  std::set<int> used_;  // a key is never put twice
  std::optional<int> after_;
  std::optional<std::vector<std::pair<int, int>>> page_;
  std::optional<int> page_bound_;
};

class WindowTwinTest : public testing::TestWithParam<size_t> {};

TEST_P(WindowTwinTest, AgreesAfterEachOfManyRandomMoves) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    WindowTwin twin{GetParam(), seed, seed % 2 == 0};
    for (int n = 0; n < 600; ++n) {
      twin.move();
      twin.check();
      if (testing::Test::HasFatalFailure()) return;
    }
    twin.drain();
    if (testing::Test::HasFatalFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, WindowTwinTest, testing::Values(1, 2, 3, 8, 64),
                         [](const auto& test) { return std::to_string(test.param) + "_entries"; });

class WindowTest : public testing::Test {
 protected:
  void use(size_t entries_max) { window_ = std::make_unique<IntWindow>(entries_max); }
  std::unique_ptr<IntWindow> window_;
};

TEST_F(WindowTest, HoldsTheWholeBacklogUntilItOverflows) {
  use(8);
  for (int n = 1; n <= 8; ++n) window_->add(n, n);
  EXPECT_TRUE(window_->whole());
  EXPECT_EQ(window_->size(), 8u);
  window_->add(9, 9);
  EXPECT_FALSE(window_->whole());
  EXPECT_EQ(window_->bound(), 7);
  EXPECT_FALSE(window_->covers(8));
}

TEST_F(WindowTest, AsksForAPageAtAQuarter) {
  use(8);
  for (int n = 1; n <= 9; ++n) window_->add(n, n);
  while (window_->size() > 3) window_->take_first();
  EXPECT_FALSE(window_->wants_page());
  window_->take_first();
  EXPECT_TRUE(window_->wants_page());
  EXPECT_EQ(window_->begin_load(), 7);
  EXPECT_FALSE(window_->wants_page());
}

TEST_F(WindowTest, LaysChangesOverThePageThatWasOnItsWay) {
  use(8);
  window_->start_unknown();
  EXPECT_EQ(window_->begin_load(), std::nullopt);
  window_->add(25, 25);
  window_->remove(20);
  window_->page_loaded({{10, 10}, {20, 20}, {30, 30}}, std::nullopt);
  EXPECT_TRUE(window_->whole());
  EXPECT_EQ(window_->find(20), nullptr);
  EXPECT_NE(window_->find(25), nullptr);
  EXPECT_EQ(window_->size(), 3u);
}

TEST_F(WindowTest, LowersTheBoundWhenTooManyChangesGatherOverAPage) {
  use(4);
  window_->start_unknown();
  window_->begin_load();
  for (int n = 1; n <= 6; ++n) window_->add(n * 10, n);
  window_->page_loaded({{5, 0}, {45, 0}, {70, 0}}, std::nullopt);
  EXPECT_FALSE(window_->whole());
  EXPECT_LE(window_->bound(), 40);
  EXPECT_EQ(window_->find(45), nullptr);
  EXPECT_NE(window_->find(5), nullptr);
}

TEST_F(WindowTest, APageIsDroppedWhenTheBoundFellBelowItsBeginning) {
  use(8);
  for (int n = 1; n <= 9; ++n) window_->add(n * 10, n);
  while (!window_->wants_page()) window_->take_first();
  EXPECT_EQ(window_->begin_load(), 70);
  for (int n = 1; n <= 8; ++n) window_->add(n, n);  // the front grows
  ASSERT_TRUE(window_->bound().has_value());
  EXPECT_LT(*window_->bound(), 70);
  window_->page_loaded({{80, 8}, {90, 9}}, std::nullopt);
  EXPECT_FALSE(window_->whole());
  EXPECT_EQ(window_->find(80), nullptr);
}

}  // namespace
}  // namespace holdfast::core
