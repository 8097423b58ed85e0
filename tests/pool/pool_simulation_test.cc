// ChildPool in a world of chances: processes that get ready or do not, answer, fail, hang
// and die; an operator who changes his mind; time that passes. After every fact what was
// decided is held against a model that knows only what a process may be asked to do. In
// the end nothing fails any more, and everything must drain.
#include <gtest/gtest.h>

#include <map>

#include "daemon/pool/child_pool.h"
#include "storage/base/match.h"
#include "storage/base/random.h"

namespace holdfast::pool {
namespace {

using namespace std::chrono_literals;

constexpr uint64_t kSeeds = 300;
constexpr int kSteps = 400;
constexpr int kRoundsMax = 8;  // of decide(), until it has nothing more to say

enum class Phase : uint8_t { starting, idle, busy, ending };
enum class Fate : uint8_t { waiting, given, over };

struct Process {
  Phase phase = Phase::starting;
  std::optional<Seq> event;
  uint32_t served = 0;
  bool leaves = false;   // when it is idle
  bool is_late = false;  // not ready in time: it only ends
  TimePoint idle_since;
};

class PoolWorld {
 public:
  explicit PoolWorld(uint64_t seed) : random_(seed), size_(any_size()), pool_(size_) { settle(); }

  void step() {
    switch (random_.up_to(19)) {
      case 0: return change(random_.chance(40));
      case 1: return random_.chance(20) ? close() : settle();
      case 2: return withdraw();
      case 3:
      case 4:
      case 5: return want();
      case 6:
      case 7:
      case 8: return pass(Duration{static_cast<int64_t>(random_.up_to(3000))});
      case 9: return pass_to_wakeup();
      default: return random_fact();
    }
  }

  // Nothing fails any more: what waits is given, and what was given is answered.
  void heal_and_drain() {
    if (closed_) change(true);
    const TimePoint healed_at = now_;
    for (int n = 0; n < 10'000 && !(drained() && !pool_.broken()); ++n) {
      if (!good_fact()) pass_to_wakeup();
      if (testing::Test::HasFailure()) return;
    }
    ASSERT_TRUE(drained()) << "something waits for ever";
    ASSERT_FALSE(pool_.broken());
    ASSERT_LE(now_ - healed_at, 2 * kProbeAfterMax);
    while (good_fact()) {
    }
    pass(kIdleTimeMax + kRestartAfterMax);
    while (good_fact()) {
    }
    EXPECT_EQ(processes_.size(), size_.children_min);
  }

  void close_and_drain() {
    close();
    while (good_fact()) {
    }
    EXPECT_TRUE(pool_.empty());
    for (const auto& [event, fate] : events_) EXPECT_EQ(fate, Fate::over) << event.value;
  }

 private:
  PoolSize any_size() {
    const auto most = static_cast<uint32_t>(1 + random_.up_to(4));
    return {static_cast<uint32_t>(random_.up_to(most)), most,
            random_.chance(50) ? 0 : static_cast<uint32_t>(1 + random_.up_to(4))};
  }

  // --- facts -------------------------------------------------------------------

  void want() {
    const Seq event{++last_event_};
    events_[event] = Fate::waiting;
    pool_.wanted(event);
    settle();
  }
  void withdraw() {
    const Seq event{random_.up_to(last_event_)};
    const auto at = events_.find(event);
    const bool waits = at != events_.end() && at->second == Fate::waiting;
    ASSERT_EQ(pool_.withdrawn(event), waits) << event.value;
    if (waits) at->second = Fate::over;
    settle();
  }
  void change(bool other_command) {
    size_ = any_size();
    if (closed_) other_command = true;
    closed_ = false;
    pool_.changed(size_, other_command);
    if (other_command) not_before_ = {};
    for (auto& [id, process] : processes_) process.leaves |= other_command;
    settle();
  }
  void close() {
    closed_ = true;
    pool_.close();
    settle();
  }
  void pass(Duration time) {
    now_ += time;
    settle();
  }
  void pass_to_wakeup() {
    const auto at = pool_.next_wakeup();
    pass(at ? std::max(Duration{0}, *at - now_) : Duration{1});
  }

  void ready(ChildId id) {
    if (broken_) not_before_ = {};
    became_idle(processes_.at(id));
    pool_.child_ready(id, now_);
    settle();
  }
  void answered(ChildId id) {
    Process& process = processes_.at(id);
    finish_event(process);
    process.served += 1;
    process.leaves |= size_.recycle_after > 0 && process.served >= size_.recycle_after;
    became_idle(process);
    pool_.child_answered(id, now_);
    settle();
  }
  void ending(ChildId id, bool own_fault) {
    Process& process = processes_.at(id);
    if (process.phase == Phase::starting && own_fault) {
      process.is_late = true;
    } else {
      if (own_fault) fault_of(process);
      process.phase = Phase::ending;
    }
    pool_.child_ending(id, own_fault, now_);
    settle();
  }
  void ended(ChildId id) {
    auto node = processes_.extract(id);
    Process& process = node.mapped();
    if (process.phase == Phase::idle || process.phase == Phase::busy) fault_of(process);
    if (process.event) finish_event(process);
    pool_.child_ended(id, "chance", now_);
    settle();
  }
  void fault_of(const Process& process) {
    if (!process.leaves) not_before_ = now_ + kRestartAfter;
  }
  void became_idle(Process& process) {
    process.phase = Phase::idle;
    process.idle_since = now_;
  }
  void finish_event(Process& process) {
    ASSERT_TRUE(process.event);
    ASSERT_EQ(events_.at(*process.event), Fate::given);
    events_.at(*process.event) = Fate::over;
    process.event.reset();
  }

  void random_fact() {
    if (processes_.empty()) return;
    const auto at = std::next(processes_.begin(), random_.up_to(processes_.size() - 1));
    const auto& [id, process] = *at;
    const uint64_t choice = random_.up_to(9);
    switch (process.phase) {
      case Phase::starting:
        if (choice < 5 && !process.is_late) return ready(id);
        return choice < 7 ? ending(id, choice == 5) : ended(id);
      case Phase::idle:
        if (choice < 7) return;
        return choice < 8 ? ending(id, true) : ended(id);
      case Phase::busy:
        if (choice < 7) return answered(id);
        return choice < 9 ? ending(id, choice == 7) : ended(id);
      case Phase::ending:
        return ended(id);
    }
  }
  // Of the first process that has something good to say.
  bool good_fact() {
    for (const auto& [id, process] : processes_) {
      switch (process.phase) {
        case Phase::starting: process.is_late ? ended(id) : ready(id); return true;
        case Phase::busy: answered(id); return true;
        case Phase::ending: ended(id); return true;
        case Phase::idle: break;
      }
    }
    return false;
  }

  // --- decisions ---------------------------------------------------------------

  void settle() {
    int rounds = 0;
    for (auto decisions = pool_.decide(now_); !decisions.empty(); decisions = pool_.decide(now_)) {
      ASSERT_LE(++rounds, kRoundsMax);
      for (const Decision& decision : decisions) {
        std::visit([this](const auto& one) { carry_out(one); }, decision);
      }
    }
    check();
  }

  void carry_out(const StartChild& start) {
    EXPECT_FALSE(closed_);
    EXPECT_LT(processes_.size(), size_.children_max);
    EXPECT_GE(now_, not_before_) << "a fault was not waited after";
    EXPECT_TRUE(processes_.try_emplace(start.child).second) << "an id was used twice";
  }
  void carry_out(const Give& give) {
    Process& process = processes_.at(give.child);
    EXPECT_EQ(process.phase, Phase::idle);
    EXPECT_FALSE(process.leaves);
    EXPECT_FALSE(closed_);
    EXPECT_EQ(events_.at(give.event), Fate::waiting);
    events_.at(give.event) = Fate::given;
    process.phase = Phase::busy;
    process.event = give.event;
  }
  void carry_out(const Retire& retire) {
    Process& process = processes_.at(retire.child);
    EXPECT_TRUE(process.phase == Phase::idle || process.phase == Phase::starting);
    const bool surplus = live() > size_.children_max;
    const bool long_idle = now_ - process.idle_since >= kIdleTimeMax && live() > size_.children_min;
    EXPECT_TRUE(process.leaves || closed_ || surplus ||
                (process.phase == Phase::idle && long_idle));
    process.phase = Phase::ending;
  }
  void carry_out(const Broken&) {
    EXPECT_FALSE(broken_);
    EXPECT_TRUE(std::none_of(processes_.begin(), processes_.end(), [](const auto& one) {
      const Phase phase = one.second.phase;
      return (phase == Phase::idle || phase == Phase::busy) && !one.second.leaves;
    })) << "one is ready, and stays";
    broken_ = true;
  }
  void carry_out(const Mended&) { broken_ = false; }
  void carry_out(const TurnAway& away) {
    EXPECT_TRUE(closed_ || broken_);
    EXPECT_EQ(events_.at(away.event), Fate::waiting);
    events_.at(away.event) = Fate::over;
  }

  // --- what must hold, when nothing more is decided ------------------------------

  void check() {
    const PoolCounts counts = pool_.counts();
    ASSERT_EQ(counts.starting, count(Phase::starting));
    ASSERT_EQ(counts.idle, count(Phase::idle));
    ASSERT_EQ(counts.busy, count(Phase::busy));
    ASSERT_EQ(counts.ending, count(Phase::ending));
    ASSERT_EQ(pool_.broken(), broken_);
    const size_t waiting = events_waiting();
    if (closed_ || broken_) {
      ASSERT_EQ(waiting, 0u) << "something waits for nobody";
    }
    for (const auto& [id, process] : processes_) {
      if (process.phase != Phase::idle) continue;
      ASSERT_EQ(waiting, 0u) << "process " << id.value << " could take what waits";
      ASSERT_FALSE(process.leaves || closed_) << "process " << id.value << " was to go";
      ASSERT_LE(live(), size_.children_max) << "process " << id.value << " is one too many";
    }
    check_wakeup(waiting);
  }

  void check_wakeup(size_t waiting) {
    const std::optional<TimePoint> wakeup = pool_.next_wakeup();
    if (wakeup) {
      ASSERT_GT(*wakeup, now_) << "a wakeup for nothing";
    }
    if (closed_) return;
    const bool more_fit = processes_.size() < size_.children_max;
    const size_t needed = std::max<size_t>(size_.children_min, count(Phase::busy) + waiting);
    const bool too_few = broken_ ? live() == 0 : live() < needed;
    if (more_fit && too_few) {
      ASSERT_TRUE(wakeup) << "nobody will start one";
    }
    for (const auto& [id, process] : processes_) {
      if (process.phase != Phase::idle || live() <= size_.children_min) continue;
      ASSERT_TRUE(wakeup && *wakeup <= process.idle_since + kIdleTimeMax)
          << "nobody will end process " << id.value;
    }
  }

  // --- counts --------------------------------------------------------------------

  size_t count(Phase phase) const {
    return static_cast<size_t>(
        std::count_if(processes_.begin(), processes_.end(),
                      [&](const auto& one) { return one.second.phase == phase; }));
  }
  size_t live() const {
    return static_cast<size_t>(
        std::count_if(processes_.begin(), processes_.end(), [](const auto& one) {
          return one.second.phase != Phase::ending && !one.second.leaves;
        }));
  }
  size_t events_waiting() const {
    return static_cast<size_t>(
        std::count_if(events_.begin(), events_.end(),
                      [](const auto& one) { return one.second == Fate::waiting; }));
  }
  bool drained() const {
    return std::all_of(events_.begin(), events_.end(),
                       [](const auto& one) { return one.second == Fate::over; });
  }

  Random random_;
  PoolSize size_;
  ChildPool pool_;
  TimePoint now_ = from_ms<TimePoint>(1'000'000);
  std::map<ChildId, Process> processes_;
  std::map<Seq, Fate> events_;
  uint64_t last_event_ = 0;
  TimePoint not_before_;  // no process is started
  bool broken_ = false;
  bool closed_ = false;
};

TEST(PoolSimulation, NothingIsLostGivenTwiceOrLeftWaiting) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    PoolWorld world{seed};
    for (int n = 0; n < kSteps && !HasFailure(); ++n) world.step();
    if (HasFailure()) return;
    world.heal_and_drain();
    if (HasFailure()) return;
    world.close_and_drain();
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace holdfast::pool
