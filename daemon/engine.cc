#include "daemon/engine.h"

#include <algorithm>
#include <utility>

#include "storage/base/crash_point.h"
#include "storage/base/match.h"
#include "storage/codec.h"
#include "storage/pages.h"

namespace holdfast::daemon {

namespace {
// Sleeps are cut short, because core time may jump forward while we sleep.
constexpr Duration kSleepMax = std::chrono::seconds{1};

// What gathers within a turn before the committer gets it.
constexpr size_t kMutationsPerTurn = 64;

// Memory for so many is kept while there are none.
constexpr size_t kMutationsKept = 4 * kMutationsPerTurn;

}  // namespace

Engine::Engine(uv::Loop& loop, storage::Store& store, core::Lifecycle& core, Clock clock,
               World world)
    : loop_(loop),
      store_(store),
      core_(core),
      clock_(std::move(clock)),
      world_(std::move(world)),
      commit_done_(loop, [this] { commits_done(); }),
      read_done_(loop, [this] { reads_done(); }),
      wakeup_(loop,
              [this] {
                const Moment now = moment();
                if (const auto at = core_.next_wakeup(); at && *at <= now.now) {
                  absorb(core_.ticked(now));
                }
              }),
      committer_(store, [this] { commit_done_.wake(); }),
      reader_([this] { read_done_.wake(); }) {}

Moment Engine::moment() { return clock_.advance(read_kernel_clocks()); }

void Engine::absorb(core::Step step) {
  last_step_ = step.seq;
  if (gathering_.empty()) gathers_since_ = std::chrono::steady_clock::now();
  if (!step.batch.empty()) ++gathered_steps_;
  gathering_.append(std::move(step.batch));
  gate_.hold(step.seq, std::move(step.effects));
  for (const storage::KeyHash& hash : step.lookups) look_up(hash);
  core_.take_back(std::move(step));
  // A long turn must not let the disk rest.
  if (gathering_.mutations.size() >= kMutationsPerTurn) hand_over();
}

void Engine::submit(core::Submission submission, const Moment& now) {
  std::optional<core::KeyOnDisk> on_disk;
  if (const auto hash = core_.key_to_look_up(submission)) {
    Result<storage::CachedKey> cached = storage::load_cached_key(store_, *hash);
    if (!cached) return fail(cached.error());
    if (auto* known = std::get_if<std::optional<storage::IdempotencyRecord>>(&*cached)) {
      on_disk = core::KeyOnDisk{*hash, std::move(*known)};
    }
  }
  absorb(core_.submitted(std::move(submission), now, on_disk));
}

void Engine::look_up(const storage::KeyHash& hash) {
  ask([this, hash] { return storage::load_key(store_, hash); },
      [this, hash](std::optional<storage::IdempotencyRecord> record) {
        absorb(core_.key_looked_up(hash, std::move(record), moment()));
      });
}

void Engine::turn_over() {
  if (failed_) return;
  const bool waits = few() && std::chrono::steady_clock::now() - gathers_since_ < kGatherMax;
  if (!waits && (!gathering_.empty() || core_.wants_commit())) hand_over();
  if (gathering_.empty() && !committer_.busy()) let_out(last_step_);
  arm_timer();
}

bool Engine::few() const {
  return !gathering_.empty() && gathered_steps_ < kFewSteps &&
         gathering_.mutations.size() < kFewMutations && committer_.quick_lately();
}

bool Engine::commit_few() {
  const bool answered = std::exchange(answered_, false);
  if (failed_ || !few() || committer_.busy() || loop_.has_events()) return false;
  if (answered) {
    commit_done_.wake();  // another turn, for what the answers bring
    return false;
  }
  commit_here();
  return true;
}

void Engine::fill(Commit& next, bool fresh) {
  next.last = last_step_;
  next.batch.append(std::move(gathering_));  // its memory stays, for what comes next
  gathered_steps_ = 0;
  if (gathering_.mutations.capacity() > kMutationsKept) gathering_ = {};
  next.counters.overlay(core_.seal(clock_.stamp(), fresh ? core::Seal::next : core::Seal::again));
  if (history_cutoff_) next.history_cutoff = std::exchange(history_cutoff_, std::nullopt);
  crash_point("after_seal");
}

void Engine::hand_over() {
  moment();
  committer_.add([this](Commit& next, bool fresh) { fill(next, fresh); });
}

void Engine::commit_here() {
  moment();
  Commit commit;
  fill(commit, /*fresh=*/true);
  Committed done = committer_.commit_here(std::move(commit));
  durable(std::move(done));
}

void Engine::arm_timer() {
  const auto at = core_.next_wakeup();
  if (!at) {
    wakeup_.disarm();
    return;
  }
  wakeup_.arm(std::clamp(*at - moment().now, Duration::zero(), kSleepMax));
}

bool Engine::settled() const {
  return gathering_.empty() && !committer_.busy() && gate_.empty();
}

void Engine::commits_done() {
  std::optional<Committed> done = committer_.take_done();
  if (done && !failed_) durable(std::move(*done));
}

// What nobody else has nobody else can get: it may change.
void Engine::take_back(const std::vector<storage::Batch>& batches) {
  for (const storage::Batch& batch : batches) {
    for (const storage::Mutation& mutation : batch.mutations) {
      const auto* put = std::get_if<storage::PutEvent>(&mutation);
      if (put == nullptr || put->event.use_count() > 1) continue;
      payloads_.give_back(
          std::move(std::const_pointer_cast<storage::EventRecord>(put->event)->payload));
    }
  }
}

void Engine::durable(Committed done) {
  if (!done.outcome) return fail(done.outcome.error());
  last_sync_ = moment().wall;
  crash_point("before_effects");
  core_.committed(done.last);
  // Whatever came after it without a batch of its own rests on it too.
  const bool all = gathering_.empty() && !committer_.busy();
  let_out(all ? last_step_ : done.last);
  crash_point("after_effects");
  take_back(done.batches);
}

void Engine::let_out(core::StepSeq watermark) {
  gate_.open_to(watermark, [this](core::Effect&& effect) {
    answered_ = true;
    perform(std::move(effect));
  });
  while (!waiting_.empty() && waiting_.front().first <= watermark) {
    const std::function<void()> then = std::move(waiting_.front().second);
    waiting_.pop_front();
    then();
  }
}

void Engine::when_durable(std::function<void()> then) {
  waiting_.emplace_back(last_step_, std::move(then));
}

void Engine::reads_done() {
  for (const Reader::Answer& answer : reader_.take_answers()) {
    if (failed_) return;
    answer();
  }
}

void Engine::fail(const Error& error) {
  if (std::exchange(failed_, true)) return;
  world_.storage_failed(error);
}

void Engine::perform(core::Effect&& effect) {
  const storage::Lane lane{0};
  std::visit(
      match{
          [&](core::Reply& reply) { world_.reply(std::move(reply)); },
          [&](core::StartAttempt& start) { world_.start_attempt(std::move(start)); },
          [&](const core::StopAttempt& stop) { world_.stop_attempt(stop); },
          [&](const core::CloseWorker& close) { world_.close_worker(close); },
          [&](const core::ViewEvent& view) { world_.view_event(view); },
          [&](const core::DropHistory& drop) { history_cutoff_ = drop.cutoff; },
          [&](const core::LoadFreshPage& load) {
            ask(
                [this, load, lane] {
                  return storage::load_fresh_page(store_, load.function, lane, load.from,
                                                  load.rows_max, load.bytes_max);
                },
                [this, load](storage::FreshPage page) {
                  absorb(core_.fresh_page_loaded(load.function, std::move(page), moment()));
                });
          },
          [&](const core::LoadDuePage& load) {
            ask(
                [this, load, lane] {
                  return storage::load_due_page(store_, load.function, lane, load.after,
                                                load.rows_max);
                },
                [this, load](storage::DuePage page) {
                  absorb(core_.due_page_loaded(load.function, std::move(page), moment()));
                });
          },
          [&](const core::LoadEvent& load) {
            ask([this, load] { return storage::load_event(store_, load.event); },
                [this, load](storage::LoadedEvent loaded) {
                  absorb(core_.event_loaded(std::move(loaded), load.purpose, moment()));
                });
          },
          [&](const core::LoadExpiredKeys& load) {
            ask(
                [this, load] {
                  return storage::load_expired_keys(store_, load.from, load.now, load.rows_max);
                },
                [this](storage::KeyPage page) {
                  absorb(core_.expired_keys_loaded(std::move(page), moment()));
                });
          },
          [&](const core::LoadMessagePage& load) {
            ask(
                [this, load] {
                  return storage::load_message_page(store_, load.queue, load.after, load.rows_max);
                },
                [this, load](storage::MessagePage page) {
                  absorb(core_.message_page_loaded(load.queue, std::move(page), moment()));
                });
          },
          [&](const core::LoadDeadLetters& load) { load_dead_letters(load); },
          [&](const core::LoadMessages& load) { load_messages(load); },
      },
      effect);
}

void Engine::load_dead_letters(const core::LoadDeadLetters& load) {
  const auto read = [this, load]() -> Result<storage::DeadLetterPage> {
    if (!load.one) {
      return storage::load_dead_letter_page(store_, load.function, load.from, load.ending_below,
                                            load.rows_max);
    }
    Result<storage::LoadedEvent> event = storage::load_event(store_, *load.one);
    if (!event) return event.error();
    storage::DeadLetterPage page;
    if (event->dead_letter) page.rows.push_back(std::move(*event->dead_letter));
    return page;
  };
  ask(read, [this, load](storage::DeadLetterPage page) {
    absorb(core_.dead_letters_loaded(load.function, std::move(page), moment()));
  });
}

void Engine::load_messages(const core::LoadMessages& load) {
  using Messages = std::vector<std::optional<storage::MessageRecord>>;
  const auto read = [this, load]() -> Result<Messages> {
    Messages messages;
    for (const storage::MessageKey& key : load.keys) {
      Result<std::optional<storage::MessageRecord>> message = storage::load_message(store_, key);
      if (!message) return message.error();
      messages.push_back(std::move(*message));
    }
    return messages;
  };
  ask(read, [this, load](Messages messages) {
    absorb(core_.messages_loaded(load.request, std::move(messages), moment()));
  });
}

}  // namespace holdfast::daemon
