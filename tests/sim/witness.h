// Witness: watches a World and tells the HistoryChecker what happened. Every commit is
// taken apart into facts; every ending is checked to be whole within its own step.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/support/history_checker.h"
#include "tests/support/world.h"

namespace holdfast::sim {

// In the words of the checker.
test::SeenState seen(storage::EndState state);

std::string name_of(const storage::EventId& id);

class Witness {
 public:
  explicit Witness(const config::Settings& settings);

  // The world's hooks. It must outlive the world.
  test::Hooks hooks();
  void watch(test::World& world) { world_ = &world; }

  test::HistoryChecker& checker() { return checker_; }
  void complain(std::string what) { complaints_.push_back(std::move(what)); }
  std::vector<std::string> complaints() const;
  bool faultless() const { return complaints_.empty() && checker_.complaints().empty(); }
  uint64_t trace() const { return trace_; }

  std::function<void(test::Ticket, const core::Answer&)> on_reply;
  std::function<void(const storage::Store&)> on_opened;

 private:
  // What one step puts beside its endings.
  struct StepContents {
    std::set<storage::Seq> dead;
    std::set<storage::EventId> erased;
    std::map<storage::EventId, size_t> records;
  };
  void stepped(const core::Step& step);
  void check_start(const core::StartAttempt& start, const std::set<storage::QueueId>& emptied);
  void look_at_queues();
  void check_ending(const StepContents& step, const storage::PutHistory& ending);
  void durable(const storage::Batch& batch);
  void started(const core::StartAttempt& start);
  void message_kept(const storage::PutMessage& put);
  void mix(uint64_t number);
  int64_t now() const { return to_ms(world_->moment().lit); }

  test::HistoryChecker checker_;
  config::LimitSettings limits_;
  std::map<std::string, config::QueueSettings> queue_settings_;
  std::set<storage::QueueId> full_queues_;                   // after the step before
  test::World* world_ = nullptr;
  std::map<storage::Seq, std::set<test::SeenRoute>> routes_;  // by ending
  std::vector<std::string> complaints_;
  uint64_t trace_ = 14695981039346656037ull;
};

}  // namespace holdfast::sim
