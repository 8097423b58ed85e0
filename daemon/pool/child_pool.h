// ChildPool: how many processes a persistent command has, and which of them gets the next
// event. It decides, and touches nothing: whoever owns it carries its decisions out.
//
//    pool.wanted(event);
//    for (const Decision& decision : pool.decide(now)) ...   // StartChild, Give, ...
//    pool.child_ready(child, now);  pool.child_answered(child, now);
//
// Rule    At most children_max processes, those that are ending included.
// Reason  It is what the operator said; an ending one still has its memory.
//
// Rule    Who is used last is used first; the longest idle is ended, beyond children_min.
// Reason  A burst leaves the processes it needed, and no others.
//
// Rule    When a process does not get ready and none is, the command is broken: nothing
//         waits here, and one process at a time is started to see, ever more rarely.
// Reason  An event that is given to nobody has spent nothing. Its backlog is the place
//         for it to wait, where it ages, and others see it.
//
// Rule    After a process has ended by itself the next one waits, ever longer, until one
//         has answered.
// Reason  A command that dies at each event must not keep the box busy with starting it.
//
// Rule    When one does not get ready, those that had been started before tell nothing new
//         by not getting ready, too; nor do ends of a command that was changed meanwhile.
// Reason  Else a pool of many would be tried again after a minute, not after a second.
//
// Threads  the loop's. Bounds  the attempts that were started.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "storage/base/strong.h"
#include "storage/base/time.h"
#include "storage/ids.h"

namespace holdfast::pool {

using storage::Seq;
using ChildId = Strong<struct ChildTag, uint64_t>;

inline constexpr Duration kIdleTimeMax = std::chrono::seconds{60};
inline constexpr Duration kProbeAfter = std::chrono::seconds{1};
inline constexpr Duration kProbeAfterMax = std::chrono::seconds{60};
inline constexpr Duration kRestartAfter = std::chrono::milliseconds{100};
inline constexpr Duration kRestartAfterMax = std::chrono::seconds{10};

struct PoolSize {
  uint32_t children_min = 0;
  uint32_t children_max = 1;
  uint32_t recycle_after = 0;  // events; 0: never
  bool operator==(const PoolSize&) const = default;
};

// Decisions, in the order in which they are to be carried out.
struct StartChild {
  ChildId child;
};
struct Give {
  ChildId child;
  Seq event;
};
// It finds end of file, and some time to end.
struct Retire {
  ChildId child;
};
struct Broken {
  std::string reason;
};
struct Mended {};
// The attempt reaches nobody.
struct TurnAway {
  Seq event;
};
using Decision = std::variant<StartChild, Give, Retire, Broken, Mended, TurnAway>;

struct PoolCounts {
  uint32_t starting = 0;
  uint32_t idle = 0;
  uint32_t busy = 0;
  uint32_t ending = 0;
};

class ChildPool {
 public:
  explicit ChildPool(PoolSize size) : size_(size) {}

  // --- attempts
  void wanted(Seq event) { queue_.push_back(event); }
  // True: it was given to nobody, and is not any more.
  bool withdrawn(Seq event);

  // --- processes
  void child_ready(ChildId child, TimePoint now);
  // What it had has succeeded.
  void child_answered(ChildId child, TimePoint now);
  // It is being ended, with what it has; by its own fault or not.
  void child_ending(ChildId child, bool own_fault, TimePoint now);
  void child_ended(ChildId child, std::string why, TimePoint now);

  // --- the operator
  // `other_command`: all processes there are give way to new ones.
  void changed(PoolSize size, bool other_command);
  // No process any more; what waits is turned away.
  void close();

  std::vector<Decision> decide(TimePoint now);
  // When decide() would do something without a fact before.
  std::optional<TimePoint> next_wakeup() const;

  bool empty() const { return children_.empty() && queue_.empty(); }
  bool broken() const { return broken_; }
  std::optional<TimePoint> probe_at() const { return broken_ ? start_at_ : std::nullopt; }
  PoolCounts counts() const;
  const PoolSize& size() const { return size_; }
  uint64_t started() const { return last_child_; }
  uint64_t served() const { return served_; }

 private:
  enum class State : uint8_t { starting, idle, busy, ending };
  struct Child {
    State state = State::starting;
    uint32_t served = 0;
    bool outdated = false;  // of a command that was changed
    TimePoint idle_since;
    uint64_t idle_order = 0;
  };

  size_t live() const;
  std::map<ChildId, Child>::iterator last_idle();
  std::map<ChildId, Child>::iterator longest_idle();
  void became_idle(Child& child, TimePoint now);
  bool any_ready() const;
  void start_not_before(TimePoint at);
  void wait_after_fault(TimePoint now);
  void start_failed(ChildId child, const std::string& why, TimePoint now);
  void retire(ChildId child, std::vector<Decision>& decisions);
  void retire_surplus(std::vector<Decision>& decisions);
  void start_children(std::vector<Decision>& decisions, TimePoint now);

  PoolSize size_;
  std::map<ChildId, Child> children_;
  std::deque<Seq> queue_;
  std::vector<Decision> news_;  // Broken, Mended and TurnAway, to be told next
  bool broken_ = false;
  std::string start_failure_;  // why the last one that failed did not get ready
  bool closed_ = false;
  uint32_t faults_ = 0;  // ends by themselves, since an answer
  uint32_t probes_ = 0;  // times that one did not get ready, since one did
  ChildId probed_;       // the last one that had been started, at the last of these times
  std::optional<TimePoint> start_at_;  // no process before
  uint64_t last_child_ = 0;
  uint64_t idle_order_ = 0;
  uint64_t served_ = 0;
};

}  // namespace holdfast::pool
