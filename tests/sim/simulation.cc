#include "tests/sim/simulation.h"

#include <algorithm>

#include "tests/support/store_audit.h"

namespace holdfast::sim {

using namespace std::chrono_literals;
using test::World;

namespace {

// Once the faults have stopped: more than any plan needs, in moves and in time.
constexpr int kHealMovesMax = 20'000;
constexpr Duration kHealTimeMax = 14 * 24h;

constexpr int kStartsMax = 200;

}  // namespace

Simulation::Simulation(uint64_t seed)
    : Simulation(Random{seed}, &Plan::roll, std::make_shared<test::MemoryDisk>()) {}

Simulation::Simulation(Random random, Plan (*roll)(Random&), std::shared_ptr<test::Disk> disk)
    : random_(random),
      plan_(roll(random_)),
      weights_(plan_.weights.all()),
      witness_(plan_.settings),
      disk_(std::move(disk)),
      world_(plan_.settings, random_.next(), witness_.hooks(), disk_) {
  world_.cache_keys(2);
  witness_.watch(world_);
  witness_.on_reply = [this](test::Ticket ticket, const core::Answer& answer) {
    answered(ticket, answer);
  };
  witness_.on_opened = [this](const storage::Store& store) {
    if (plan_.functions_idle < 1000 || crashes_ % 4 == 1) check_store(store, "after a crash");
  };
  world_.verify_every(plan_.verify_interval);
}

Outcome Simulation::run() {
  if (!world_.alive()) start();
  for (uint32_t n = 0; n < plan_.moves && !hopeless(); ++n) {
    move();
    if (world_.failed()) crash(std::nullopt);
  }
  return conclude();
}

Outcome Simulation::follow(std::span<const Move> script) {
  if (!world_.alive()) start();
  world_.settle();
  for (const Move next : script) {
    if (hopeless()) break;
    if (world_.failed()) crash(std::nullopt);
    if (hopeless()) break;
    make_move(next);
    world_.settle();
  }
  return conclude();
}

Outcome Simulation::conclude() {
  faults_ = false;
  disk_->heal();
  if (world_.failed()) crash(std::nullopt);
  if (!hopeless()) heal();
  if (!hopeless()) audit_all();

  Outcome outcome;
  outcome.trace = witness_.trace();
  outcome.complaints = witness_.complaints();
  outcome.steps = world_.steps();
  outcome.events = witness_.checker().events();
  outcome.endings = witness_.checker().endings();
  outcome.crashes = crashes_;
  return outcome;
}

// --- safety: anything may happen -----------------------------------------------------

void Simulation::move() {
  uint64_t all = 0;
  for (uint32_t weight : weights_) all += weight;
  uint64_t rolled = random_.up_to(all - 1);
  size_t kind = 0;
  while (rolled >= weights_[kind]) rolled -= weights_[kind++];
  make_move(static_cast<Move>(kind));
}

void Simulation::make_move(Move kind) {
  using storage::InvocationType;
  const auto random_ms = [this](uint64_t most) {
    return Duration{static_cast<int64_t>(random_.up_to(most))};
  };
  switch (kind) {
    case Move::submit: return submit(InvocationType::event, {});
    case Move::repeat_key: return repeat_key();
    case Move::burst: return burst();
    case Move::call: return submit(InvocationType::synchronous, {});
    case Move::cancel: return cancel();
    case Move::await: return await();
    case Move::redrive: return redrive();
    case Move::queue: return use_queue();
    case Move::finish_handler: return finish_handler();
    case Move::outdated_report: return outdated_report();
    case Move::turn_command: return turn_command();
    case Move::attach: return attach_worker();
    case Move::answer: return answer_as_worker();
    case Move::lose_worker: return lose_worker();
    case Move::odd_worker: return odd_worker();
    case Move::commit: return commit_move();
    case Move::read: return read_move();
    case Move::time: return time_move();
    case Move::tick: return world_.tick();
    case Move::crash: return crash(std::nullopt);
    case Move::power_cut: return crash(World::Darkness{random_ms(40'000'000), random_.chance(70)});
    case Move::drain: return drain();
    case Move::reload: return reload();
    case Move::disk:
      return world_.space_measured(random_.chance(50) ? random_.up_to(300u << 20) : 1u << 31);
    case Move::step_wall: return world_.step_wall(random_ms(7'200'000) - Duration{1h});
    case Move::dark_time: return world_.pass_dark_time(random_ms(9'000'000));
  }
}

void Simulation::commit_move() {
  if (world_.may_notice_commit()) return world_.notice_commit();
  if (world_.may_apply_commit()) return world_.apply_commit();
  if (world_.may_begin_commit()) world_.begin_commit();
}

void Simulation::read_move() {
  const size_t first = pick(test::kReadKinds);
  for (size_t n = 0; n < test::kReadKinds; ++n) {
    const size_t kind = (first + n) % test::kReadKinds;
    const bool deliver = random_.chance(50);
    if (deliver && world_.may_deliver_read(kind)) return world_.deliver_read(kind);
    if (!deliver && world_.may_perform_read(kind)) return world_.perform_read(kind);
  }
}

void Simulation::time_move() {
  Duration time{static_cast<int64_t>(
      random_.up_to(static_cast<uint64_t>(plan_.time_move_max.count())))};
  const auto wakeup = world_.core().next_wakeup();
  if (wakeup && random_.chance(40)) {
    time = std::clamp<Duration>(*wakeup - world_.moment().now, 0ms, 1h);
  }
  world_.advance(time);
  world_.tick_if_due();
}

void Simulation::crash(std::optional<World::Darkness> darkness) {
  for (const auto& [id, handler] : world_.handlers()) {
    old_attempts_.emplace_back(id, handler.start.attempt);
  }
  world_.crash(random_.chance(50) ? World::InFlight::kept : World::InFlight::lost);
  witness_.checker().daemon_died(held_by_workers());
  forget_callers();
  start(darkness);
}

// Also when the disk fails again and again in the middle of a start.
void Simulation::start(std::optional<World::Darkness> darkness) {
  for (int n = 0; n < kStartsMax; ++n) {
    ++crashes_;
    if (world_.boot(darkness)) return;
  }
  witness_.complain("the daemon does not start any more");
}

// A clean stop: what runs may finish for a while, the rest is stopped; nothing of it
// counts as an interruption.
void Simulation::drain() {
  world_.drain();
  for (uint64_t n = random_.up_to(40); n > 0; --n) {
    switch (random_.up_to(4)) {
      case 0: finish_handler(); break;
      case 1: submit(storage::InvocationType::event, {}); break;
      case 2: read_move(); break;
      case 3: time_move(); break;
      default: commit_move();
    }
  }
  world_.settle();
  if (!world_.core().idle()) world_.drain_expired();
  world_.settle();
  finish_all_handlers();
  answer_all_as_workers(plan_.settings.limits.worker_reattach_window > Duration::zero());
  world_.settle();
  if (world_.failed()) return;
  if (!world_.core().idle()) witness_.complain("a drain did not stop everything");
  world_.crash(World::InFlight::lost);
  witness_.checker().daemon_died(held_by_workers());
  forget_callers();
  if (!world_.boot()) return start();
  const core::RecoveryCounts& recovery = world_.core().recovery();
  if (recovery.interrupted_events + recovery.interrupted_calls > 0) {
    witness_.complain("a clean stop interrupted something");
  }
}

void Simulation::reload() {
  config::Settings settings = plan_.settings;
  if (random_.chance(60)) settings.functions.erase(pick_function());
  world_.reload(std::move(settings));
}

// --- liveness: nothing fails any more ------------------------------------------------

uint64_t Simulation::living() {
  uint64_t living = world_.core().attempts_running();
  for (const auto& [id, function] : world_.core().ledger().functions()) {
    living += function.fresh + function.waiting;
  }
  return living;
}

void Simulation::finish_all_handlers() {
  while (!world_.handlers().empty()) finish_handler();
}

// Events wait for a queue, or for dead letters to go.
bool Simulation::wants_room() {
  const core::Lifecycle& core = world_.core();
  for (const auto& [id, function] : core.backlog().functions()) {
    const storage::FunctionRecord& record = core.ledger().function(id);
    if (record.fresh + record.waiting > 0 && !core.has_room(function)) return true;
  }
  return false;
}

// Consumers empty the queues, and an operator discards; what others received stays
// hidden for a while.
void Simulation::make_room() {
  for (const auto& [name, settings] : plan_.settings.queues) {
    Asked receive{};
    receive.kind = Asked::Kind::receive;
    const test::Ticket ticket = world_.receive(name, 10, 12h);
    ask(ticket, receive);
    world_.settle();
    const auto* received = world_.answer_as<core::Received>(ticket);
    if (received == nullptr) continue;
    for (const core::ReceivedMessage& message : received->messages) {
      Asked remove{};
      remove.kind = Asked::Kind::remove;
      remove.receipt = message.key;
      queue_model_.deleting(message.key);
      ask(world_.remove(message.key), remove);
    }
  }
  for (const auto& [id, function] : world_.core().backlog().functions()) {
    if (world_.core().has_room(function)) continue;
    Asked discard{};
    discard.kind = Asked::Kind::dead_letters;
    discard.dead_letters.verb = core::DeadLetterVerb::discard;
    discard.dead_letters.function = id;
    ask(world_.dead_letters(discard.dead_letters), discard);
  }
  world_.advance(10s);
  world_.tick_if_due();
}

void Simulation::heal() {
  world_.space_measured(UINT64_MAX);
  world_.reload(plan_.settings);
  const TimePoint began = world_.moment().now;
  for (const std::string& name : std::set{world_.broken_commands()}) world_.mend_command(name);
  heal_workers();
  for (int n = 0; n < kHealMovesMax; ++n) {
    world_.settle();
    if (!world_.handlers().empty() || workers_hold_something()) {
      finish_all_handlers();
      answer_all_as_workers(false);
      continue;
    }
    if (living() == 0 && asked_.empty()) return;
    if (wants_room()) {
      make_room();
      continue;
    }
    const auto wakeup = world_.core().next_wakeup();
    if (!wakeup) {
      witness_.complain("something lives, and nothing waits for it");
      return;
    }
    world_.advance(std::max<Duration>(0ms, *wakeup - world_.moment().now));
    if (world_.moment().now - began > kHealTimeMax) break;
    world_.tick();
  }
  witness_.complain("it did not drain: " + std::to_string(living()) + " events, " +
                    std::to_string(asked_.size()) + " callers");
}

void Simulation::audit_all() {
  check_store(world_.store(), "at the end");
  queue_model_.check(world_.store());
  witness_.checker().finish();
  std::set<std::string> dead;
  for (const auto& [key, record] : test::contents_of(world_.store()).dead_letters) {
    dead.insert(name_of({key.function, record.lane, key.seq}));
  }
  witness_.checker().dead_letters_are(dead);

  // Every key expires, and is swept; a start after all that finds nothing to do.
  world_.advance(25h);
  for (int n = 0; n < 100 && world_.core().ledger().state().idempotency_bytes > 0; ++n) {
    world_.advance(core::kSweepInterval);
    world_.tick();
    world_.settle();
  }
  if (world_.core().ledger().state().idempotency_bytes > 0) {
    witness_.complain("expired keys are not swept");
  }
  world_.crash(World::InFlight::lost);
  if (!world_.boot()) return witness_.complain("the daemon does not start any more");
  world_.settle();
  if (living() > 0) witness_.complain("a start found something alive");
  check_store(world_.store(), "after the last start");
}

void Simulation::check_store(const storage::Store& store, const std::string& when) {
  for (const std::string& complaint : test::audit(store)) {
    witness_.complain(when + ": " + complaint);
  }
}

}  // namespace holdfast::sim
