// Backlog: for each function the front of its waiting events, in memory, and the
// question which may start next.
//
//   fresh   never started, never delayed: in the order of their seq
//   due     waiting for a time (delayed, retried, interrupted, redriven): in the
//           order of due_at
//
// An event that is being started is claimed: out of its window, in no other, until
// its record is there. Fresh ones are started strictly in the order of their claims.
// Reason: below the function's head no fresh event may remain, so that the disk needs
// no index of them; head is the lowest fresh seq that has not started or ended.
//
// Threads  the loop's. The rules of starting are in dispatch.cc, here is only order.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "daemon/core/admit.h"
#include "daemon/core/effect.h"
#include "daemon/core/ledger.h"
#include "daemon/core/window.h"

namespace holdfast::core {

inline constexpr size_t kWindowEntriesTotalMax = 65536;
inline constexpr size_t kWindowEntriesMax = 1024;
inline constexpr size_t kWindowEntriesMin = 8;
// Payloads kept in memory with waiting events, in all. Beyond it they are read again.
inline constexpr uint64_t kWindowPayloadBytesMax = 4u << 20;
inline constexpr uint64_t kPageBytesMax = 256u << 10;

struct DueKey {
  TimePoint due_at;
  Seq seq;
  storage::Generation generation;
  auto operator<=>(const DueKey&) const = default;
};

// An event kept in memory, counted in a total for as long as it is.
class HeldEvent {
 public:
  HeldEvent() = default;
  HeldEvent(EventPtr event, uint64_t& total) : event_(std::move(event)), total_(&total) {
    *total_ += event_->payload.size();
  }
  HeldEvent(HeldEvent&& other) noexcept
      : event_(std::exchange(other.event_, nullptr)), total_(other.total_) {}
  HeldEvent& operator=(HeldEvent&& other) noexcept {
    std::swap(event_, other.event_);
    std::swap(total_, other.total_);
    return *this;
  }
  ~HeldEvent() {
    if (event_) *total_ -= event_->payload.size();
  }
  const EventPtr& event() const { return event_; }

 private:
  EventPtr event_;
  uint64_t* total_ = nullptr;
};

struct FreshEntry {
  LitPoint age_from;
  HeldEvent held;  // empty: to be read when it starts
};
struct DueEntry {
  LitPoint age_from;
};

// An event on its way to its start (or to an ending without one).
struct Claim {
  EventId event;
  std::optional<DueKey> due;  // empty: a fresh one
  EventPtr record;            // empty: being read
  storage::Spent spent;       // known with the record
  std::vector<storage::AttemptRecord> attempts;
  std::vector<Ticket> cancels;  // who asked to cancel it meanwhile
};

struct Function {
  Function(FunctionId function_id, size_t window_entries)
      : id(function_id), fresh(window_entries), due(window_entries) {}

  FunctionId id;
  std::string name;
  std::shared_ptr<const config::FunctionSettings> settings;  // empty: not configured

  // Where its endings go, as last configured.
  struct Routes {
    std::optional<QueueId> on_success;
    std::optional<QueueId> on_failure;
    std::optional<QueueId> dead_letter;
  };
  Routes routes;
  Growth growth;  // what one event of it may add, by its settings
  uint64_t dead_letters_owed = 0;  // most that its running events may add to them

  Window<Seq, FreshEntry> fresh;
  Window<DueKey, DueEntry> due;
  std::deque<Claim> fresh_claims;   // in the order of their seqs
  std::map<Seq, Claim> due_claims;

  uint32_t events_running = 0;
  uint32_t calls_running = 0;  // synchronous
  std::string broken;          // why its persistent command does not start; empty: it does
  uint32_t workers_free = 0;   // attempts that attached workers could take more
  bool due_is_next = true;     // fresh and due take turns
  bool ready = false;          // make_ready() was called, and next_ready() has not given it yet
  std::optional<TimePoint> wake_at;

  size_t claims() const { return fresh_claims.size() + due_claims.size(); }
  // Events may take this many slots: one is kept for calls where there are several.
  uint32_t event_slots() const {
    if (!settings) return 0;
    return settings->concurrency_max > 1 ? settings->concurrency_max - 1 : 1;
  }
  bool has_command() const { return settings && !settings->command.empty() && broken.empty(); }
  // Somebody takes another attempt, beside `ahead` of them that come first.
  bool has_handler(size_t ahead) const {
    return settings &&
           (has_command() || (settings->workers && workers_free > ahead));
  }
  bool has_event_slot() const {
    return has_call_slot() && events_running + claims() < event_slots();
  }
  bool has_call_slot() const {
    return has_handler(claims()) &&
           events_running + claims() + calls_running < settings->concurrency_max;
  }
  bool is_due(TimePoint now) const { return !due.empty() && due.first_key().due_at <= now; }
  bool has_candidate(TimePoint now) const { return !fresh.empty() || is_due(now); }
};

class Backlog {
 public:
  explicit Backlog(Ledger& ledger);

  // Every configured function gets its id and settings; the others keep their events
  // and lose their settings.
  void configure(const std::map<std::string, config::FunctionSettings>& settings);

  Function& at(FunctionId id);
  const Function& at(FunctionId id) const;
  Function* find(std::string_view name);
  const Function* find(std::string_view name) const;
  const std::map<FunctionId, Function>& functions() const { return functions_; }

  // The event has been put; it is the function's newest.
  void add_fresh(Function& function, const EventPtr& event);
  void add_due(Function& function, const DueKey& key, LitPoint age_from) {
    function.due.add(key, DueEntry{age_from});
  }

  // Takes the next candidate out of its window. Without its record it must be loaded.
  Claim& claim_fresh(Function& function);
  Claim& claim_due(Function& function);
  // Back into its window: it cannot start now.
  void unclaim_fresh(Function& function);  // the last claim
  void unclaim_due(Function& function, Seq seq);

  void fresh_page_loaded(Function& function, storage::FreshPage page);
  void due_page_loaded(Function& function, storage::DuePage page);

  // Asks for pages where a window runs low.
  void want_pages(Step& step, Function& function);

  // What the ledger's head must say.
  Seq head(const Function& function) const;

  // Functions that may have something to start, taken round-robin.
  void make_ready(Function& function);
  Function* next_ready();

  // The moment at which the function must be looked at again.
  void wake(Function& function, std::optional<TimePoint> at);
  std::optional<TimePoint> next_wakeup() const;
  std::vector<Function*> take_woken(TimePoint now);

  void verify() const;

 private:
  HeldEvent hold(const EventPtr& event);

  Ledger& ledger_;
  size_t window_entries_;
  uint64_t held_bytes_ = 0;  // before the windows: they count it down when they go
  std::map<FunctionId, Function> functions_;
  std::deque<FunctionId> ready_;
  std::set<std::pair<TimePoint, FunctionId>> wakeups_;
};

}  // namespace holdfast::core
