#include "tests/support/world.h"

#include <utility>

#include "storage/base/match.h"
#include "storage/batch_writes.h"
#include "storage/codec.h"
#include "storage/keys.h"

namespace holdfast::test {

namespace {

constexpr int64_t kBeginningMs = 1'772'000'000'000;  // a day in 2026

// What a commit of any size may take, and more: beyond it something goes in circles.
constexpr int kSettleMovesMax = 200'000;

// Some commits are sealed once, some again and again while they grow.
constexpr uint64_t kStepsPerSeal = 3;

}  // namespace

uint64_t batch_number_of(const storage::Batch& batch) {
  for (const storage::Mutation& mutation : batch.mutations) {
    const auto* state = std::get_if<storage::PutState>(&mutation);
    if (state != nullptr) return state->record.batch_number;
  }
  CHECK(!"a sealed batch has its state");
  return 0;
}

World::World(config::Settings settings, uint64_t seed, Hooks hooks, std::shared_ptr<Disk> disk)
    : settings_(std::move(settings)),
      random_(seed),
      hooks_(std::move(hooks)),
      disk_(std::move(disk)),
      moment_{from_ms<TimePoint>(kBeginningMs), from_ms<LitPoint>(kBeginningMs),
              from_ms<WallTime>(kBeginningMs)} {
  boot();
}

// --- clocks ------------------------------------------------------------------

void World::advance(Duration time) {
  CHECK(time >= Duration::zero());
  moment_.now += time;
  moment_.lit += time;
  moment_.wall += time;
  moment_.up += time;
}

void World::step_wall(Duration time) { moment_.wall += time; }

void World::pass_dark_time(Duration time) {
  moment_.now += time;
  moment_.wall += time;
}

// --- life and death ----------------------------------------------------------

void World::crash(InFlight in_flight) {
  if (may_apply_commit() && in_flight == InFlight::kept) apply_commit();
  lifecycle_.reset();
  gathering_ = {};
  counters_ = {};
  gathered_to_.reset();
  commit_.reset();
  commit_failed_ = false;
  gate_ = {};
  for (auto& queue : reads_) queue.clear();
  handlers_.clear();
  broken_commands_.clear();
  news_.clear();
  attaching_.clear();
  daemon_gone();
  store_ = nullptr;
  disk_->close();
}

bool World::boot(std::optional<Darkness> darkness) {
  CHECK(lifecycle_ == nullptr);
  store_ = disk_->open();
  if (store_ == nullptr) return false;
  Result<storage::Recovered> recovered = storage::load_recovered(*store_);
  CHECK(recovered);
  const storage::StateRecord& state = recovered->state;
  bool in_doubt_kept = false;
  const std::string wrong = judge_recovered(state.batch_number, in_doubt_kept);
  if (darkness && !recovered->fresh_directory) enlighten(state, *darkness);
  if (!recovered->fresh_directory) {
    const auto cutoff = storage::history_key(state.history_cutoff);
    if (!store_->drop_below(storage::Family::history, cutoff)) CHECK(failed());
  }
  watermark_ = core::StepSeq{0};
  const storage::BoxTag box{static_cast<uint32_t>(random_.up_to(storage::kBoxTagMax))};
  lifecycle_ = std::make_unique<core::Lifecycle>(*recovered, box, settings_, random_.next());
  durable_batch_number_ = state.batch_number;
  const std::optional<storage::Batch> in_doubt = std::exchange(in_doubt_, std::nullopt);
  if (in_doubt_kept && hooks_.on_durable) hooks_.on_durable(*in_doubt);
  if (hooks_.on_opened) hooks_.on_opened(*store_, wrong);
  lifecycle_->space_measured(free_bytes_);
  booted_at_ = moment_.up;
  give_up_adrift();
  take(lifecycle_->started(moment_));
  return true;
}

// Every commit that was acknowledged is there, and at most the one that was in doubt.
std::string World::judge_recovered(uint64_t batch_number, bool& in_doubt_kept) const {
  in_doubt_kept = in_doubt_ && batch_number == durable_batch_number_ + 1;
  if (in_doubt_kept || batch_number == durable_batch_number_) return {};
  return std::string{batch_number < durable_batch_number_ ? "acknowledged commits are lost"
                                                          : "there are commits nobody made"} +
         ": the disk has " + std::to_string(batch_number) + ", durable were " +
         std::to_string(durable_batch_number_);
}

// What was written says how late it was; only a running kernel knows more.
void World::enlighten(const storage::StateRecord& state, const Darkness& darkness) {
  moment_.now = state.clock.now;
  moment_.lit = state.clock.lit;
  if (darkness.date_known) {
    moment_.now += darkness.dark;
    moment_.wall += darkness.dark;
  } else {
    moment_.wall = from_ms<WallTime>(0);
  }
}

void World::reload(config::Settings settings) {
  settings_ = std::move(settings);
  take(core().settings_changed(settings_, moment_));
}

// --- clients -----------------------------------------------------------------

Ticket World::submit(core::Submission submission) {
  const Ticket ticket = submission.ticket = next_ticket();
  std::optional<core::KeyOnDisk> on_disk;
  const auto hash = core().key_to_look_up(submission);
  if (hash && keys_cached_one_in_ > 0 && steps_ % keys_cached_one_in_ == 0) {
    auto known = storage::load_key(*store_, *hash);
    // A read that the disk fails is for the lookup to meet: it plays what then happens.
    if (known) on_disk = core::KeyOnDisk{*hash, std::move(*known)};
  }
  take(core().submitted(std::move(submission), moment_, on_disk));
  return ticket;
}

Ticket World::cancel(const EventId& id) {
  const Ticket ticket = next_ticket();
  take(core().cancel_requested(ticket, id, moment_));
  return ticket;
}

Ticket World::await(const EventId& id, Duration wait) {
  const Ticket ticket = next_ticket();
  take(core().event_awaited(ticket, id, wait, moment_));
  return ticket;
}

Ticket World::dead_letters(core::DeadLettersRequest request) {
  const Ticket ticket = request.ticket = next_ticket();
  take(core().dead_letters_requested(request, moment_));
  return ticket;
}

storage::QueueId World::queue_id(const std::string& name) const {
  const auto id = lifecycle_->ledger().find_queue(name);
  CHECK(id.has_value());
  return *id;
}

Ticket World::send(const std::string& queue, std::string body, Duration delay) {
  const Ticket ticket = next_ticket();
  auto message = std::make_shared<storage::MessageRecord>();
  message->body = std::move(body);
  message->sent_wall = moment_.wall;
  take(core().message_sent(ticket, queue_id(queue), std::move(message), delay, moment_));
  return ticket;
}

Ticket World::receive(const std::string& queue, uint32_t messages_max,
                      std::optional<Duration> visibility_timeout) {
  const Ticket ticket = next_ticket();
  take(core().messages_requested(ticket, queue_id(queue), messages_max, visibility_timeout,
                                 moment_));
  return ticket;
}

Ticket World::remove(const storage::MessageKey& receipt) {
  const Ticket ticket = next_ticket();
  take(core().message_deleted(ticket, receipt, moment_));
  return ticket;
}

// --- handlers, time ------------------------------------------------------------

void World::finish(const EventId& id, core::Outcome outcome) {
  auto node = handlers_.extract(id);
  CHECK(!node.empty());
  report(id, node.mapped().start.attempt, std::move(outcome));
}

void World::report(const EventId& id, AttemptNumber attempt, core::Outcome outcome) {
  core::AttemptReport report;
  report.outcome = std::move(outcome);
  report.log_tail = "log";
  take(core().attempt_finished(id, attempt, std::move(report), moment_));
}

void World::break_command(const std::string& function) {
  broken_commands_.insert(function);
  take(core().command_broken(function, "exit status 1", moment_));
}

void World::mend_command(const std::string& function) {
  broken_commands_.erase(function);
  take(core().command_mended(function, moment_));
}

void World::tick() {
  give_up_adrift();
  take(core().ticked(moment_));
}

void World::tick_if_due() {
  const auto at = core().next_wakeup();
  if (at && *at <= moment_.now) tick();
}

void World::drain() { take(core().drain_started(moment_)); }
void World::drain_expired() { take(core().drain_expired(moment_)); }

// --- commits -------------------------------------------------------------------

void World::take(core::Step step) {
  if (hooks_.on_step) hooks_.on_step(step);
  CHECK(!gathered_to_ || *gathered_to_ < step.seq);
  for (const core::Effect& effect : step.effects) {
    const auto* start = std::get_if<core::StartAttempt>(&effect);
    if (start == nullptr || start->worker) continue;
    CHECK(!broken_commands_.contains(start->function));  // it is known not to start
  }
  for (const storage::KeyHash& hash : step.lookups) {
    reads_[kReadKinds - 1].push_back({Read{hash}, {}});
  }
  gathering_.append(std::move(step.batch));
  gathered_to_ = step.seq;
  gate_.hold(step.seq, std::move(step.effects));
  core().take_back(std::move(step));
  ++steps_;
  // As the engine does at the end of a turn, whether or not the commit can begin yet.
  if (steps_ % kStepsPerSeal == 0) seal();
  if (verify_interval_ > 0 && steps_ % verify_interval_ == 0) core().verify();
}

void World::seal() {
  if (gathering_.empty() && !core().wants_commit()) return;
  const auto which = counters_.empty() ? core::Seal::next : core::Seal::again;
  counters_.overlay(core().seal({moment_.now, moment_.lit, "boot", to_ms(moment_.now)}, which));
}

bool World::may_begin_commit() const { return !commit_ && gathered_to_.has_value(); }

void World::begin_commit() {
  CHECK(may_begin_commit());
  Commit commit;
  commit.watermark = *std::exchange(gathered_to_, std::nullopt);
  seal();
  commit.empty = counters_.empty();
  commit.batch = std::exchange(gathering_, {});
  commit.batch.append(std::exchange(counters_, {}));
  commit_ = std::move(commit);
}

void World::apply_commit() {
  CHECK(may_apply_commit());
  if (!commit_->empty && !store_->commit(storage::encode(commit_->batch))) {
    in_doubt_ = std::move(commit_->batch);
    commit_failed_ = true;
    return;
  }
  commit_->applied = true;
  if (commit_->empty) return;
  durable_batch_number_ = batch_number_of(commit_->batch);
  if (hooks_.on_durable) hooks_.on_durable(commit_->batch);
  disk_->churn();
}

void World::notice_commit() {
  CHECK(may_notice_commit());
  watermark_ = commit_->watermark;
  commit_.reset();
  core().committed(watermark_);
  gate_.open_to(watermark_, [this](core::Effect&& effect) { release(std::move(effect)); });
  tell_news();
}

void World::tell_news() {
  for (; !news_.empty(); news_.pop_front()) news_.front()();
}

void World::start(core::StartAttempt start) {
  // It was on its way when the command broke.
  if (broken_commands_.contains(start.function)) {
    news_.push_back([this, event = start.event, attempt = start.attempt] {
      report(event, attempt, core::NotStarted{});
    });
    return;
  }
  if (hooks_.on_start) hooks_.on_start(start);
  const EventId id = start.event;
  const bool first = handlers_.emplace(id, Handler{std::move(start), moment_.wall, false}).second;
  CHECK(first);  // never two attempts of one event at once
}

void World::release(core::Effect effect) {
  const auto read = [&](auto load) {
    Read wanted{std::move(load)};
    reads_[wanted.index()].push_back({std::move(wanted), {}});
  };
  std::visit(
      match{
          [&](core::Reply& answer) { reply(answer.ticket, std::move(answer.answer)); },
          [&](core::StartAttempt& start) {
            start.worker ? push(std::move(start)) : this->start(std::move(start));
          },
          [&](core::StopAttempt& stop) {
            if (stop.worker) return push(stop);
            auto at = handlers_.find(stop.event);
            if (at == handlers_.end() || at->second.start.attempt != stop.attempt) return;
            at->second.stop_asked = true;
          },
          [&](core::CloseWorker& close) {
            news_.push_back([this, id = close.worker] { this->close(id); });
          },
          [&](core::DropHistory& drop) {
            const std::string cutoff = storage::history_key(drop.cutoff);
            if (!store_->drop_below(storage::Family::history, cutoff)) CHECK(failed());
          },
          [&](core::LoadFreshPage& load) { read(load); },
          [&](core::LoadDuePage& load) { read(load); },
          [&](core::LoadEvent& load) { read(load); },
          [&](core::LoadExpiredKeys& load) { read(load); },
          [&](core::LoadDeadLetters& load) { read(load); },
          [&](core::LoadMessagePage& load) { read(load); },
          [&](core::LoadMessages& load) { read(std::move(load)); },
          [&](core::ViewEvent& view) { read(view); },
      },
      effect);
}

void World::reply(Ticket ticket, core::Answer answer) {
  if (const auto* attached = std::get_if<core::Attached>(&answer)) worker_attached(*attached);
  if (auto asked = attaching_.extract(ticket);
      !asked.empty() && std::holds_alternative<core::Refused>(answer)) {
    workers_.at(asked.mapped()).attached.reset();
  }
  if (hooks_.on_reply) hooks_.on_reply(ticket, answer);
  const bool first = answers_.emplace(ticket, std::move(answer)).second;
  CHECK(first);  // a caller is answered once
}

// --- answers -------------------------------------------------------------------

std::optional<EventId> World::accepted(Ticket ticket) const {
  const auto* accepted = answer_as<core::Accepted>(ticket);
  return accepted == nullptr ? std::nullopt : std::optional{accepted->event};
}

const std::optional<storage::EventView>* World::viewed(Ticket ticket) const {
  auto at = views_.find(ticket);
  return at == views_.end() ? nullptr : &at->second;
}

void World::forget_answers() {
  answers_.clear();
  views_.clear();
}

// --- all of it -----------------------------------------------------------------

bool World::quiet() const {
  if (commit_ || gathered_to_) return false;
  for (size_t kind = 0; kind < kReadKinds; ++kind) {
    if (!reads_[kind].empty()) return false;
  }
  return true;
}

void World::settle() {
  for (int moves = 0; !quiet() && !failed(); ++moves) {
    CHECK(moves < kSettleMovesMax);
    if (may_begin_commit()) begin_commit();
    if (may_apply_commit()) apply_commit();
    if (failed()) return;
    if (may_notice_commit()) notice_commit();
    for (size_t kind = 0; kind < kReadKinds; ++kind) {
      if (may_perform_read(kind)) perform_read(kind);
      if (may_deliver_read(kind)) deliver_read(kind);
    }
  }
}

}  // namespace holdfast::test
