#include "tests/crash/black_box.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>

namespace holdfast::crash {

using test::FunctionRules;
using test::HistoryChecker;
using test::SeenEnding;
using test::SeenRoute;
using test::SeenState;

namespace {

SeenRoute route_named(const std::string& name) {
  if (name == "on_success") return SeenRoute::on_success;
  return name == "on_failure" ? SeenRoute::on_failure : SeenRoute::dead_letter;
}

SeenState state_named(const std::string& name) {
  if (name == "succeeded") return SeenState::succeeded;
  return name == "cancelled" ? SeenState::cancelled : SeenState::failed;
}

// 2026-03-01T18:16:05.568Z
int64_t parse_time(const std::string& text) {
  std::tm parts{};
  int ms = 0;
  std::sscanf(text.c_str(), "%d-%d-%dT%d:%d:%d.%dZ", &parts.tm_year, &parts.tm_mon, &parts.tm_mday,
              &parts.tm_hour, &parts.tm_min, &parts.tm_sec, &ms);
  parts.tm_year -= 1900;
  parts.tm_mon -= 1;
  return int64_t{timegm(&parts)} * 1000 + ms;
}

bool is_event(const nlohmann::json& found) {
  return found.at("InvocationType").get<std::string>() == "Event";
}

}  // namespace

// --- taking in -------------------------------------------------------------------

void BlackBox::add(int64_t at, Rank rank, Json row) {
  facts_.push_back({at, rank, std::move(row)});
}

void BlackBox::take_in(const std::string& line) {
  Json row = Json::parse(line);
  const std::string what = row.at("what");
  const auto at = static_cast<int64_t>(std::floor(row.at("at").get<double>()));
  if (what == "rules") return take_rules(row);
  if (what == "record") return take_record(row);
  if (what == "moved" || what == "move_unknown") return moves_.push_back(std::move(row));
  if (what == "status") {
    status_ = std::move(row);
  } else if (what == "found") {
    const Id id = row.at("RequestId");
    stories_[id].found = std::move(row);
  } else if (what == "dead_letter") {
    dead_letters_.insert(row.at("id").get<std::string>());
  } else if (what == "submitted") {
    function_of_payload_[row.at("payload")] = row.at("function");
    add(at, Rank::asked, std::move(row));
  } else if (what == "handler_started" || what == "handler_ended") {
    starts_ += what == "handler_started" ? 1 : 0;
    add(at, Rank::handler, std::move(row));
  } else if (what == "accepted" || what == "returned" || what == "refused" || what == "unknown" ||
             what == "shown") {
    add(at, Rank::answer, std::move(row));
  } else if (what == "died") {
    kills_ += row.at("code") == 0 ? 0 : 1;
    add(at, Rank::stop, std::move(row));
  }
}

void BlackBox::take_rules(const Json& row) {
  std::map<std::string, FunctionRules> rules;
  for (const auto& [name, function] : row.at("functions").items()) {
    rules[name] = {function.at("retries"), function.at("interruptions_max")};
    rules_[name].stays = function.at("stays");
    for (const std::string route : function.at("routes")) {
      rules_[name].routes.insert(route_named(route));
    }
  }
  short_history_ = row.at("short_history");
  checker_ = std::make_unique<HistoryChecker>(std::move(rules));
}

// A message may be received many times, and is one record.
void BlackBox::take_record(const Json& row) {
  if (!records_.emplace(row.at("message"), row).second) return;
  Story& story = stories_[row.at("id")];
  if (row.at("route") == "on_failure") story.deaths.push_back(row);
  if (row.at("route") == "on_success") story.successes.push_back(row);
}

// --- endings, put where they happened ------------------------------------------------

SeenEnding BlackBox::ending_of(const Json& row) const {
  SeenEnding ending;
  ending.state = state_named(row.at("state"));
  const auto rules = rules_.find(row.at("function"));
  ending.synchronous = row.value("synchronous", false);
  ending.retries_exhausted = row.value("retries_exhausted", false);
  ending.failures = row.value("failures", 0u);
  ending.interruptions = row.value("interruptions", 0u);
  if (row.contains("attempt")) ending.attempt = row.at("attempt").get<uint32_t>();
  if (rules == rules_.end() || ending.synchronous) return ending;
  for (const SeenRoute route : rules->second.routes) {
    const bool of_success = route == SeenRoute::on_success;
    const bool owed = of_success ? ending.state == SeenState::succeeded
                                 : ending.state == SeenState::failed;
    if (owed) ending.routes.insert(route);
  }
  return ending;
}

void BlackBox::add_ending(const Id& id, Story& story, int64_t at, const std::string& state,
                          bool last) {
  Json row{{"what", "ended"}, {"id", id}, {"state", state}, {"function", functions_[id]}};
  const Json& found = story.found;
  if (last && !found.is_null()) {
    row["synchronous"] = !is_event(found);
    row["retries_exhausted"] = is_event(found) && found.at("Condition") == "RetriesExhausted";
    row["failures"] = found.at("Failures");
    row["interruptions"] = found.at("Interruptions");
    row["attempt"] = found.at("Attempt");
    row["now"] = found.at("State");
  }
  row["last"] = last;
  add(at, Rank::ending, std::move(row));
}

void BlackBox::tell_endings(const Id& id, Story& story) {
  const Json& found = story.found;
  for (const Json& record : records_of(story)) functions_[id] = function_of(record);
  if (!found.is_null()) functions_[id] = found.at("FunctionName");
  std::optional<int64_t> ended_at;
  std::string state;
  if (!found.is_null() && found.contains("EndedAt")) {
    ended_at = found.at("EndedAt").get<int64_t>();
    state = found.at("State");
    if (state == "dead") state = "failed";
  }
  for (const Json& death : story.deaths) {
    const int64_t died_at = parse_time(death.at("ended_at"));
    if (state == "failed" && died_at == ended_at) continue;
    add_ending(id, story, died_at, "failed", false);
  }
  if (ended_at) {
    add_ending(id, story, *ended_at, state, true);
  } else if (short_history_) {  // what the list has forgotten
    for (const Json& success : story.successes) {
      add_ending(id, story, parse_time(success.at("ended_at")), "succeeded", true);
    }
  }
}

std::vector<BlackBox::Json> BlackBox::records_of(const Story& story) {
  std::vector<Json> records = story.deaths;
  records.insert(records.end(), story.successes.begin(), story.successes.end());
  return records;
}

std::string BlackBox::function_of(const Json& record) const {
  const auto function = function_of_payload_.find(record.at("payload"));
  return function == function_of_payload_.end() ? "" : function->second;
}

// --- telling the checker ---------------------------------------------------------

void BlackBox::tell(const Fact& fact) {
  const Json& row = fact.row;
  switch (fact.rank) {
    case Rank::asked:
      requests_[row.at("n")] =
          checker_->submitted(row.at("function"), row.at("key"), row.at("payload"));
      return;
    case Rank::handler:
      return tell_handler(row);
    case Rank::ending:
      return tell_ending(row);
    case Rank::answer:
      return tell_answer(fact);
    case Rank::stop:
      if (row.at("stopped").get<bool>()) stop_all();
      return;
  }
}

void BlackBox::tell_handler(const Json& row) {
  const Id id = row.at("id");
  const uint32_t attempt = row.at("attempt");
  const auto running = running_.find(id);
  if (row.at("what") == "handler_ended") {
    checker_->attempt_ended(id, attempt,
                            row.at("succeeded") ? HistoryChecker::Ended::succeeded
                                                : HistoryChecker::Ended::failed);
    if (running != running_.end()) running_.erase(running);
    return;
  }
  // Who was killed left no line. That it is gone the lock says, which this one has got.
  if (running != running_.end() && row.at("alone").get<bool>()) {
    checker_->attempt_ended(id, running->second.attempt,
                            running->second.stopped ? HistoryChecker::Ended::stopped
                                                    : HistoryChecker::Ended::failed);
  }
  if (running == running_.end() && !row.at("alone").get<bool>()) {
    complaints_.push_back(id + ": two attempts at once, one of them after its end");
  }
  running_[id] = {attempt, false};
  starts_of_[id] += 1;
  checker_->attempt_started(id, attempt, row.at("payload"),
                            static_cast<int64_t>(row.at("at").get<double>()));
}

// A clean stop cut them short. Of a drain that was killed itself nobody can tell.
void BlackBox::stop_all() {
  for (auto& [id, running] : running_) running.stopped = true;
}

void BlackBox::tell_ending(const Json& row) {
  const Id id = row.at("id");
  const SeenEnding ending = ending_of(row);
  checker_->ended(id, ending);
  if (ending.state != SeenState::failed || ending.synchronous) return;
  const std::string& function = functions_[id];
  checker_->dead_letter_appeared(id);
  if (!row.at("last").get<bool>()) {
    checker_->redriven(id, true);
    moves_of_[{"redrive", function}].seen += 1;
  } else if (row.value("now", "") == "failed") {
    checker_->discarded(id);
    moves_of_[{"discard", function}].seen += 1;
  }
}

void BlackBox::tell_answer(const Fact& fact) {
  const Json& row = fact.row;
  const std::string what = row.at("what");
  if (what == "shown") return checker_->cancel_answered(row.at("id"), state_named(row.at("state")));
  const HistoryChecker::Request request = requests_.at(row.at("n"));
  if (what == "refused") return checker_->refused(request);
  if (what == "unknown") return checker_->unknown(request);
  const bool duplicate = row.at("duplicate");
  if (what == "accepted") return checker_->accepted(request, row.at("id"), duplicate, fact.at);
  checker_->returned(request, row.at("id"), duplicate, row.at("succeeded"), fact.at);
}

// --- at the end --------------------------------------------------------------------

// Of an event with one life: each attempt but a last good one is a failure, an
// interruption, or was cut short by a clean stop, of which there were so many meanwhile. Of
// a worker or a persistent command it may also have reached nobody.
void BlackBox::account_for_attempts() {
  std::vector<int64_t> stops;
  for (const Fact& fact : facts_) {
    if (fact.rank == Rank::stop && fact.row.at("stopped").get<bool>()) stops.push_back(fact.at);
  }
  for (const auto& [id, story] : stories_) {
    const Json& found = story.found;
    if (found.is_null() || !is_event(found) || !found.contains("EndedAt")) continue;
    const std::string state = found.at("State");
    const bool died = state == "dead" || state == "failed";
    if (story.deaths.size() > (died ? 1u : 0u)) continue;
    const auto count = [&](const char* field) { return found.at(field).get<int64_t>(); };
    int64_t rest = count("Attempt") - count("Failures") - count("Interruptions") - (died ? 0 : 1);
    if (rules_[found.at("FunctionName")].stays) rest -= count("Attempt") - starts_of_[id];
    const int64_t stops_meanwhile = std::count_if(stops.begin(), stops.end(), [&](int64_t at) {
      return at >= count("AcceptedAt") && at <= count("EndedAt");
    });
    if (rest <= stops_meanwhile) continue;
    complaints_.push_back(id + ": nothing accounts for " + std::to_string(rest) +
                          " of its attempts");
  }
}

// What was acknowledged happened; what happened was acknowledged, or nobody knows of it.
void BlackBox::compare_moves() {
  for (const Json& row : moves_) {
    std::string function;
    if (row.at("function").is_string()) function = row.at("function");
    if (row.at("id").is_string()) function = functions_[row.at("id").get<std::string>()];
    Moves& moves = moves_of_[{row.at("verb"), function}];
    if (row.at("what") == "moved") {
      moves.acknowledged += row.at("count").get<uint64_t>();
    } else {
      moves.unknown += 1;
    }
  }
  for (const auto& [key, moves] : moves_of_) {
    if (key.second == "guest") continue;  // no destination testifies to its lives
    const bool good = moves.unknown > 0 ? moves.seen >= moves.acknowledged
                                        : moves.seen == moves.acknowledged;
    if (good) continue;
    complaints_.push_back(key.first + "s of " + key.second + ": " +
                          std::to_string(moves.acknowledged) + " acknowledged, " +
                          std::to_string(moves.unknown) + " unknown, " +
                          std::to_string(moves.seen) + " seen");
  }
}

// Each function's counters, which no restart may change, against its endings.
void BlackBox::compare_counters() {
  if (status_.is_null()) return;
  std::map<std::pair<std::string, std::string>, uint64_t> counted;
  uint64_t ended = 0;
  for (const Fact& fact : facts_) {
    if (fact.rank != Rank::ending) continue;
    counted[{fact.row.at("function"), fact.row.at("state")}] += 1;
    ended += fact.row.value("synchronous", false) ? 0 : 1;
  }
  const auto compare = [&](const std::string& name, uint64_t told, uint64_t seen) {
    if (told == seen) return;
    complaints_.push_back("the counter " + name + " is " + std::to_string(told) + ", seen " +
                          std::to_string(seen));
  };
  for (const Json& row : status_.at("functions")) {
    const std::string name = row.at("FunctionName");
    compare(name + " Succeeded", row.at("Succeeded"), counted[{name, "succeeded"}]);
    compare(name + " Failed", row.at("Failed"), counted[{name, "failed"}]);
    compare(name + " Cancelled", row.at("Cancelled"), counted[{name, "cancelled"}]);
  }
  compare("Ended", status_.at("ended"), ended);
}

std::vector<std::string> BlackBox::judge() {
  for (auto& [id, story] : stories_) tell_endings(id, story);
  std::stable_sort(facts_.begin(), facts_.end(), [](const Fact& a, const Fact& b) {
    return std::pair{a.at, a.rank} < std::pair{b.at, b.rank};
  });
  for (const Fact& fact : facts_) tell(fact);
  for (const auto& [message, record] : records_) {
    const int64_t at = static_cast<int64_t>(record.at("at").get<double>());
    checker_->seen(record.at("id"), record.at("payload"), at);
    checker_->destination_record(record.at("id"), route_named(record.at("route")));
  }
  checker_->finish();
  checker_->dead_letters_are(dead_letters_);
  account_for_attempts();
  compare_moves();
  compare_counters();
  complaints_.insert(complaints_.begin(), checker_->complaints().begin(),
                     checker_->complaints().end());
  return complaints_;
}

std::string BlackBox::summary() const {
  return std::to_string(checker_->events()) + " events, " + std::to_string(checker_->endings()) +
         " endings, " + std::to_string(starts_) + " starts, " + std::to_string(kills_) +
         " kills, " + std::to_string(complaints_.size()) + " complaints";
}

}  // namespace holdfast::crash
