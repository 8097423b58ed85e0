// BlackBox: turns what was seen of real processes into the facts of a HistoryChecker.
//
//    BlackBox box;
//    box.take_in(line);          // each line of the history, in any order
//    box.judge()                 // the complaints
//
// Ownership  values. Threads  one. Failure  a line that is no fact throws: the history is
// the test's own.
#pragma once

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "tests/support/history_checker.h"

namespace holdfast::crash {

class BlackBox {
 public:
  void take_in(const std::string& line);
  std::vector<std::string> judge();
  // "N events, N endings, N starts, N kills, N complaints"
  std::string summary() const;

 private:
  using Json = nlohmann::json;
  using Id = test::HistoryChecker::Id;

  // Of facts in the same millisecond the lower rank comes first.
  enum class Rank : uint8_t { asked, handler, ending, answer, stop };
  struct Fact {
    int64_t at = 0;
    Rank rank = Rank::asked;
    Json row;
  };
  struct Running {
    uint32_t attempt = 0;
    bool stopped = false;  // by a clean stop, unless its handler says otherwise
  };
  struct Rules {
    std::set<test::SeenRoute> routes;
    bool stays = false;  // served by workers or by a persistent command
  };
  // What is known of an event when all is over.
  struct Story {
    Json found;                   // its row in the list; null: it is in none
    std::vector<Json> deaths;     // the records of its lives that failed
    std::vector<Json> successes;  // the record of the one that did not
  };
  // Redrives or discards of one function.
  struct Moves {
    uint64_t acknowledged = 0;
    uint64_t unknown = 0;
    uint64_t seen = 0;
  };

  void take_rules(const Json& row);
  void take_record(const Json& row);
  void add(int64_t at, Rank rank, Json row);
  void tell_endings(const Id& id, Story& story);
  static std::vector<Json> records_of(const Story& story);
  std::string function_of(const Json& record) const;
  void add_ending(const Id& id, Story& story, int64_t at, const std::string& state, bool last);
  test::SeenEnding ending_of(const Json& row) const;
  void tell(const Fact& fact);
  void tell_handler(const Json& row);
  void tell_ending(const Json& row);
  void tell_answer(const Fact& fact);
  void stop_all();
  void account_for_attempts();
  void compare_moves();
  void compare_counters();

  std::unique_ptr<test::HistoryChecker> checker_;
  std::map<std::string, Rules> rules_;
  bool short_history_ = false;
  std::vector<Fact> facts_;
  std::map<Id, Story> stories_;
  std::map<std::string, Json> records_;  // by message
  std::vector<Json> moves_;
  std::set<Id> dead_letters_;
  Json status_;

  std::map<uint64_t, test::HistoryChecker::Request> requests_;
  std::map<Id, Running> running_;
  std::map<Id, int64_t> starts_of_;
  std::map<std::string, std::string> function_of_payload_;
  std::map<Id, std::string> functions_;
  std::map<std::pair<std::string, std::string>, Moves> moves_of_;  // (verb, function)
  std::vector<std::string> complaints_;
  uint64_t starts_ = 0;
  uint64_t kills_ = 0;
};

}  // namespace holdfast::crash
