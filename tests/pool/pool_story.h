// What the tests of ChildPool have in common: a pool, and its decisions as a line of words.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "daemon/pool/child_pool.h"
#include "storage/base/match.h"

namespace holdfast::pool {

using namespace std::chrono_literals;

inline std::string text_of(const Decision& decision) {
  const auto word = [](const char* verb, auto id) { return verb + std::to_string(id.value); };
  return std::visit(
      match{
          [&](const StartChild& start) { return word("start ", start.child); },
          [&](const Give& give) { return word("give ", give.child) + word(" e", give.event); },
          [&](const Retire& retire) { return word("retire ", retire.child); },
          [](const Broken& broken) { return "broken: " + broken.reason; },
          [](const Mended&) { return std::string{"mended"}; },
          [&](const TurnAway& away) { return word("away e", away.event); },
      },
      decision);
}

class ChildPoolTest : public testing::Test {
 protected:
  void begin(PoolSize size) { pool_ = std::make_unique<ChildPool>(size); }
  ChildPool& pool() { return *pool_; }

  std::string decide() {
    std::string all;
    for (const Decision& decision : pool_->decide(now_)) {
      all += (all.empty() ? "" : ", ") + text_of(decision);
    }
    return all;
  }
  void pass(Duration time) { now_ += time; }
  std::optional<Duration> wakeup_in() const {
    const std::optional<TimePoint> at = pool_->next_wakeup();
    return at ? std::optional{*at - now_} : std::nullopt;
  }

  // Facts, each with what is decided then.
  std::string wanted(uint64_t event) { return pool_->wanted(Seq{event}), decide(); }
  std::string ready(uint64_t child) { return pool_->child_ready(ChildId{child}, now_), decide(); }
  std::string answered(uint64_t child) {
    pool_->child_answered(ChildId{child}, now_);
    return decide();
  }
  std::string ending(uint64_t child, bool own_fault) {
    pool_->child_ending(ChildId{child}, own_fault, now_);
    return decide();
  }
  std::string ended(uint64_t child, std::string why = "it ended") {
    pool_->child_ended(ChildId{child}, std::move(why), now_);
    return decide();
  }
  std::string changed(PoolSize size, bool other_command) {
    pool_->changed(size, other_command);
    return decide();
  }
  std::string closed() { return pool_->close(), decide(); }

  // `count` processes that are ready, the last one of them most lately.
  void begin_ready(PoolSize size, uint64_t count) {
    begin(size);
    for (uint64_t n = 1; n <= count; ++n) pool_->wanted(Seq{1000 + n});
    decide();
    for (uint64_t n = 1; n <= count; ++n) ready(n);
    for (uint64_t n = 1; n <= count; ++n) answered(n);
    ASSERT_EQ(pool_->counts().idle, count);
  }

  TimePoint now_ = from_ms<TimePoint>(1'000'000);

 private:
  std::unique_ptr<ChildPool> pool_;
};

}  // namespace holdfast::pool
