// HistoryChecker: was every promise kept? It is told what clients, handlers and people
// saw, as plain facts in the order in which they were seen, and collects complaints.
// It knows nothing of how the daemon works, so it serves the simulation and the tests
// with real processes alike.
//
//    HistoryChecker checker{rules};
//    const auto request = checker.submitted("resize", "key-1", "cat.png");
//    checker.accepted(request, id, false, now);
//    ...
//    checker.finish();
//    EXPECT_THAT(checker.complaints(), IsEmpty());
//
// What it proves: PROMISES in history_checker.cc. Times are milliseconds on any one
// clock by which idempotency keys expire.
//
// Rule for the caller: every submit has a payload of its own, unless it repeats a key.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace holdfast::test {

struct FunctionRules {
  uint32_t retries = 2;
  uint32_t interruptions_max = 3;
};

enum class SeenState : uint8_t { succeeded, failed, cancelled };
enum class SeenRoute : uint8_t { on_success, on_failure, dead_letter };

struct SeenEnding {
  SeenState state = SeenState::succeeded;
  bool synchronous = false;
  bool retries_exhausted = false;
  uint32_t failures = 0;
  uint32_t interruptions = 0;
  std::optional<uint32_t> attempt;        // the number of the last one, if it says so
  std::set<SeenRoute> routes;             // where a record of it must be
  std::optional<int64_t> key_expires_at;  // of an event that owns its key
};

class HistoryChecker {
 public:
  using Id = std::string;
  using Request = size_t;

  explicit HistoryChecker(std::map<std::string, FunctionRules> rules) : rules_(std::move(rules)) {}

  // --- clients
  Request submitted(const std::string& function, const std::string& key,
                    const std::string& payload);
  void accepted(Request request, const Id& id, bool duplicate, int64_t at);
  // A synchronous call was answered.
  void returned(Request request, const Id& id, bool duplicate, bool succeeded, int64_t at);
  void refused(Request request);
  // No answer came: it may have been kept or not.
  void unknown(Request request);
  void cancel_answered(const Id& id, SeenState state);

  // --- handlers
  void attempt_started(const Id& id, uint32_t attempt, const std::string& payload, int64_t at);
  enum class Ended : uint8_t {
    succeeded,
    failed,
    stopped,      // cut short by us, cleanly
    not_started,  // no handler has seen it
  };
  void attempt_ended(const Id& id, uint32_t attempt, Ended how);
  // What workers have goes on.
  void daemon_died(const std::set<Id>& with_workers = {});

  // --- what is kept
  // The event was seen somewhere (in a list, in the store).
  void seen(const Id& id, const std::string& payload, int64_t at);
  void ended(const Id& id, const SeenEnding& ending);
  void dead_letter_appeared(const Id& id);
  // `claims_key`: its key names it again. False also for who cannot tell.
  void redriven(const Id& id, bool claims_key);
  void discarded(const Id& id);
  void destination_record(const Id& id, SeenRoute route);

  // All faults are over and everything has drained: what must hold now.
  void finish();
  // The dead letters that are there at the end.
  void dead_letters_are(const std::set<Id>& ids);

  const std::vector<std::string>& complaints() const { return complaints_; }
  size_t events() const { return events_.size(); }
  size_t endings() const { return endings_; }

 private:
  enum class Fate : uint8_t { open, kept, refused, unknown };
  struct Asked {
    std::string function;
    std::string key;
    std::string payload;
    Fate fate = Fate::open;
  };
  struct Event {
    std::optional<std::string> payload;  // empty: known by its ending alone so far
    bool promised = false;  // a client was told that it is kept
    bool lives = true;      // its present life has not ended
    bool synchronous = false;
    bool cancelled = false;  // a client was told so
    bool dead = false;
    uint32_t last_attempt = 0;
    std::optional<uint32_t> running;
    std::set<uint32_t> successes;  // attempts whose handlers did their work
    uint32_t starts = 0;  // of this life
    uint32_t stops = 0;
    uint32_t unseen = 0;  // of the starts, those that no handler saw
    uint32_t lives_ended = 0;
    uint32_t deaths = 0;
    uint32_t dead_letters = 0;
    std::optional<SeenEnding> last;
    std::map<SeenRoute, int> routes_owed;  // expected less seen
  };
  struct KeyOwner {
    Id id;
    std::optional<int64_t> expires_at;
    size_t requests_before = 0;  // made before it was seen to own the key
  };

  void complain(const Id& id, const std::string& what);
  Event& event(const Id& id);
  const Asked* asked_with(const std::optional<std::string>& payload) const;
  void name_by_key(const Id& id, const std::string& payload, int64_t at,
                   std::optional<Request> answered);
  void check_starts(const Id& id, const Event& event);
  void check_attempts(const Id& id, const Event& event, const SeenEnding& ending);

  std::map<std::string, FunctionRules> rules_;
  std::vector<Asked> asked_;
  std::map<std::string, std::vector<Request>> by_payload_;
  std::map<std::string, std::set<Id>> ids_of_payload_;
  std::map<Id, Event> events_;
  std::map<std::pair<std::string, std::string>, std::vector<KeyOwner>> keys_;
  std::vector<std::string> complaints_;
  size_t endings_ = 0;
};

}  // namespace holdfast::test
