// Lifecycle: the rules of the daemon. Facts in the past tense go in, a Step comes
// out: a batch, then effects. Time, chance and settings are arguments; it knows no
// clock, disk, process or thread, so a seed can replay a whole life of the daemon.
//
//    Step step = lifecycle.submitted(std::move(submission), moment);
//    // the shell: step.batch joins the commit, step.effects wait for it
//
// Behind the steps of a commit the shell writes seal(); if it adds more steps to it, it
// seals again. When the commit is durable it says so with committed(). next_wakeup() tells
// when ticked() has work.
//
// Held in memory: what runs, windows of the backlogs, keys in flight. The rest is on
// disk and is asked for by effects (LoadFreshPage, ...) that come back as facts.
//
// Ownership  values. Threads  the loop's. Failure  none: the disk's are the shell's.
//
// Where the rules are:
//   submit.cc        admission, idempotency keys, synchronous calls
//   dispatch.cc      what starts next, and when to look again
//   start_gate.cc    what holds starts back: the disk, full queues and dead letters
//   attempts.cc      an attempt starts, ends; retry or ending
//   workers.cc       workers attach, answer, are lost, and take up again what they had
//   ending.cc        the outcome batch: all an ended event leaves behind, in one write
//   cancel.cc        cancelling and awaiting events
//   dead_letters.cc  redrive, discard
//   upkeep.cc        start, settings, drain, sweeping of expired keys
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "daemon/core/admit.h"
#include "daemon/core/backlog.h"
#include "daemon/core/effect.h"
#include "daemon/core/function_set.h"
#include "daemon/core/key_table.h"
#include "daemon/core/ledger.h"
#include "daemon/core/outcome.h"
#include "daemon/core/queue_book.h"
#include "daemon/core/retry.h"
#include "daemon/core/torn_batch.h"
#include "daemon/core/worker_book.h"
#include "storage/base/random.h"

namespace holdfast::core {

inline constexpr Duration kAwaitMax = std::chrono::seconds{20};
inline constexpr Duration kSweepInterval = std::chrono::minutes{10};
inline constexpr size_t kSweepRowsMax = 1024;
inline constexpr size_t kDeadLettersPerPage = 256;
// Events of one function that are ended at once because they grew too old.
inline constexpr size_t kExpiringMax = 64;

struct Submission {
  Ticket ticket;
  std::string function;
  storage::InvocationType type = storage::InvocationType::event;
  bool dry_run = false;
  std::string payload;
  std::string idempotency_key;  // empty: none
  Duration delay{0};
};

// What the disk says of an idempotency key, where that could be told at once.
struct KeyOnDisk {
  storage::KeyHash hash;
  std::optional<storage::IdempotencyRecord> record;
};

struct DeadLettersRequest {
  Ticket ticket;
  DeadLetterVerb verb = DeadLetterVerb::redrive;
  FunctionId function;
  std::optional<EventId> one;
  // Of all: the page to begin with. Empty: all that died before now.
  std::optional<std::pair<Seq, Seq>> page;  // (from, ending_below)
};

// A worker that wants to serve a function.
struct Attachment {
  Ticket ticket;
  WorkerId worker;
  std::string function;
  uint32_t concurrency = 1;
  std::map<EventId, AttemptNumber> held;  // what it still runs, from before a restart
  std::vector<EventId> unknown;           // of that what was never accepted here
};

// What the last start found and settled.
struct RecoveryCounts {
  uint64_t interrupted_events = 0;
  uint64_t interrupted_calls = 0;
  uint64_t waiting = 0;  // events of the backlogs, the interrupted ones included
};

// A worker has at least this long to answer what it was told to stop, since its whole
// connection ends otherwise.
inline constexpr Duration kWorkerGraceMin = std::chrono::milliseconds{100};

class Lifecycle {
 public:
  // `box` names the state directory if it is a fresh one; `seed` is for jitter.
  Lifecycle(const storage::Recovered& recovered, storage::BoxTag box,
            const config::Settings& settings, uint64_t seed);
  Lifecycle(const Lifecycle&) = delete;
  Lifecycle& operator=(const Lifecycle&) = delete;

  // --- start, stop, settings (upkeep.cc)
  // First of all facts: settles what was running when the last daemon died.
  Step started(const Moment& moment);
  Step settings_changed(const config::Settings& settings, const Moment& moment);
  Step drain_started(const Moment& moment);
  // Ends what still runs; each attempt reports Stopped. Events that workers have are left
  // to them for the next start.
  Step drain_expired(const Moment& moment);
  void space_measured(uint64_t free_bytes);

  // --- clients
  // The key that it would look up on the disk, if it would. Whoever finds it in memory
  // gives it along to submitted(), with no other step between, and spares the lookup.
  std::optional<storage::KeyHash> key_to_look_up(const Submission& submission) const;
  Step submitted(Submission submission, const Moment& moment,
                 const std::optional<KeyOnDisk>& on_disk = std::nullopt);
  Step event_awaited(Ticket ticket, const EventId& id, Duration wait, const Moment& moment);
  // The shell has answered a ViewEvent{only_ended}.
  void event_viewed(Ticket ticket);
  Step cancel_requested(Ticket ticket, const EventId& id, const Moment& moment);
  Step dead_letters_requested(const DeadLettersRequest& request, const Moment& moment);
  Step message_sent(Ticket ticket, QueueId queue,
                    std::shared_ptr<const storage::MessageRecord> message, Duration delay,
                    const Moment& moment);
  Step messages_requested(Ticket ticket, QueueId queue, uint32_t messages_max,
                          std::optional<Duration> visibility_timeout, const Moment& moment);
  Step message_deleted(Ticket ticket, const storage::MessageKey& receipt, const Moment& moment);

  // --- handlers
  Step attempt_finished(const EventId& id, AttemptNumber attempt, AttemptReport report,
                        const Moment& moment);

  // A persistent command does not start, or does again. Until then nothing is given to it.
  Step command_broken(const std::string& function, std::string reason, const Moment& moment);
  Step command_mended(const std::string& function, const Moment& moment);

  // --- workers
  Step worker_attached(Attachment attachment, const Moment& moment);
  // Nothing more for it; what it holds it may still answer.
  Step worker_detached(Ticket ticket, WorkerId worker, const Moment& moment);
  // Its connection has ended. What was not pushed to it by then goes to another.
  Step worker_lost(WorkerId worker, const Moment& moment);
  // It is on its way to the worker: the time of the attempt runs from here.
  Step attempt_pushed(WorkerId worker, const EventId& id, AttemptNumber attempt,
                      const Moment& moment);
  // A StopAttempt is on its way to the worker: it has kill_grace from here.
  Step stop_forwarded(WorkerId worker, const EventId& id, AttemptNumber attempt,
                      const Moment& moment);
  // Fenced by event, attempt and worker.
  Step attempt_answered(Ticket ticket, WorkerId worker, const EventId& id, AttemptNumber attempt,
                        AttemptReport report, const Moment& moment);
  Step attempt_heartbeat(Ticket ticket, WorkerId worker, const EventId& id, AttemptNumber attempt,
                         const Moment& moment);

  // --- the disk's answers
  Step key_looked_up(const storage::KeyHash& hash,
                     std::optional<storage::IdempotencyRecord> record, const Moment& moment);
  Step fresh_page_loaded(FunctionId function, storage::FreshPage page, const Moment& moment);
  Step due_page_loaded(FunctionId function, storage::DuePage page, const Moment& moment);
  Step event_loaded(storage::LoadedEvent loaded, LoadPurpose purpose, const Moment& moment);
  Step expired_keys_loaded(storage::KeyPage page, const Moment& moment);
  Step dead_letters_loaded(FunctionId function, storage::DeadLetterPage page,
                           const Moment& moment);
  Step message_page_loaded(QueueId queue, storage::MessagePage page, const Moment& moment);
  Step messages_loaded(uint64_t request,
                       std::vector<std::optional<storage::MessageRecord>> messages,
                       const Moment& moment);

  // --- time
  Step ticked(const Moment& moment);
  // The earliest moment at which ticked() would do something. Empty: nothing waits.
  std::optional<TimePoint> next_wakeup() const;

  // --- commits
  // The meta rows that go last into the commit; ledger.h has the rule for a second seal.
  storage::Batch seal(const storage::ClockStamp& clock, Seal seal = Seal::next);
  bool wants_commit() const { return ledger_.wants_commit(); }
  void committed(StepSeq watermark);
  // The memory of a step that has been dealt with. It need not come back, but steps are many.
  void take_back(Step step);

  // --- questions
  bool draining() const { return draining_; }
  bool idle() const;
  const WorkerBook& workers() const { return workers_; }
  size_t attempts_running() const { return running_.size(); }
  uint32_t attempts_running_max() const { return slots_max_; }
  uint64_t running_bytes() const { return running_bytes_; }
  const Ledger& ledger() const { return ledger_; }
  const Backlog& backlog() const { return backlog_; }
  const QueueBook& queues() const { return queues_; }
  const config::Settings& settings() const { return settings_; }
  const RecoveryCounts& recovery() const { return recovery_; }
  // Why an event without a key would be refused now for want of disk, or nothing.
  std::optional<Refused> refusal() const;
  // The disk is too full for attempts to start.
  bool starts_wait_for_disk() const;
  // Disk that living events may still need.
  uint64_t disk_set_aside() const;
  // Attempts of this function may start: its dead letters and the queues it sends to have
  // room for what they leave.
  bool has_room(const Function& function) const;

  // Recomputes every index and counter that can be; tests call it after each step.
  void verify() const;

 private:
  struct Running {
    EventId event;
    storage::Generation generation;
    storage::InvocationType type = storage::InvocationType::event;
    bool recorded = false;  // has a `running` row
    EventPtr record;
    storage::Spent spent;
    std::vector<storage::AttemptRecord> attempts;  // earlier ones, all on disk
    std::shared_ptr<const config::FunctionSettings> settings;
    WallTime started_wall;
    OutcomeBytes outcome;         // most that its end writes
    Function::Routes routes;      // as the function had them at the start
    std::optional<storage::PayloadHash> payload_hash;  // of a keyed call
    std::vector<Ticket> callers;                       // of a synchronous call
    std::vector<Ticket> cancels;
    bool stopping = false;
    StepSeq started_in;

    // Of an attempt that a worker has. Without `worker` it is adrift: a worker of the
    // last life had it, and may come back.
    bool with_worker = false;
    std::optional<WorkerId> worker;
    bool pushed = false;
    std::optional<UpPoint> deadline;  // then it is stopped; after that, its worker is
    std::optional<Outcome> verdict;   // what it was stopped for
  };

  // An event at its ending, wherever it stood.
  struct FreshPlace {};
  struct NoPlace {};
  using Place = std::variant<NoPlace, FreshPlace, storage::WaitingKey, storage::RunningKey>;
  struct Life {
    EventPtr record;
    storage::InvocationType type = storage::InvocationType::event;
    Place place;
    storage::Generation generation;  // of the place
    storage::Spent spent;
    std::vector<storage::AttemptRecord> attempts;
    size_t attempts_stored = 0;  // the first so many have rows
    std::optional<storage::PayloadHash> payload_hash;
    std::vector<Ticket> callers;
    std::vector<Ticket> cancels;
  };
  struct Ending {
    storage::EndState state;
    storage::Condition condition;
    std::optional<std::string> result;
    std::string error_type;
    std::string error_message;
  };

  struct RedriveRow {
    storage::LoadedDeadLetter row;
  };
  using KeyWaiter = std::variant<Submission, RedriveRow>;

  struct DeadLetterWork {
    enum class Kind : uint8_t { redrive, discard, drop_oldest };
    Kind kind;
    Ticket ticket;
    std::optional<EventId> one;
    Seq from;
    Seq ending_below;
    uint64_t count = 0;
    size_t keys_awaited = 0;
    std::optional<Refused> refused;
    std::optional<Seq> next;
  };

  // dispatch.cc
  Step begin();
  Step finish(Step step, const Moment& moment);
  void touch(Function& function) { touched_.insert(function.id); }
  void dispatch(Step& step, const Moment& moment);
  bool leaves_backlog(const Function& function, const Claim& claim, const Moment& moment) const;
  void unclaim_fresh(Step& step, Function& function);
  void resolve_claims(Step& step, Function& function, const Moment& moment);
  void resolve(Step& step, Function& function, Claim claim, const Moment& moment);
  void claim_next(Step& step, Function& function, const Moment& moment);
  void claimed(Step& step, Function& function, Claim& claim);
  void expire_blocked(Step& step, Function& function, const Moment& moment);
  void rearm(Function& function, const Moment& moment);
  Duration event_age_max(const Function& function) const;
  size_t slots_in_use() const { return running_.size() + claims_ + adrift_loading_.size(); }
  bool has_event_slot() const;
  bool has_call_slot() const;
  bool has_memory() const;
  bool may_start(const Function& function) const { return function.settings && !draining_; }

  // start_gate.cc
  bool has_disk() const;
  void open_gate();
  void owe_outcome(Function& function, Running& running);
  void settle_outcome(Function& function, const Running& running);
  void hold_back(const Function& function) { held_back_.insert(function.id); }
  void release_held_back();

  AdmitQuestion ask_for_disk(uint64_t bytes) const;
  uint64_t living(const Function& function) const;

  // submit.cc
  // A key that a submission or a redrive comes with; nothing where it has none. `known` is
  // the row it has, which a new one replaces: it lives until put_key(), no longer.
  struct KeyUse {
    storage::KeyHash hash{};
    const storage::IdempotencyRecord* known = nullptr;
  };
  void decide(Step& step, Submission submission, const KeyUse& key, const Moment& moment);
  void answer_duplicate(Step& step, const Submission& submission,
                        const storage::IdempotencyRecord& known);
  void accept(Step& step, Function& function, Submission submission, const KeyUse& key,
              const Moment& moment);
  void call(Step& step, Function& function, Submission submission, const KeyUse& key,
            const Moment& moment);
  std::optional<Refused> refuse_submission(const Function& function, const Submission& submission);
  void put_key(Step& step, const KeyUse& key, storage::IdempotencyRecord record);
  EventPtr make_event(const Function& function, Submission& submission, const Moment& moment);

  // attempts.cc
  void start(Step& step, Function& function, Running running, const Moment& moment);
  void retry(Step& step, Function& function, Running running, Duration delay,
             std::optional<storage::AttemptRecord> failed, const Moment& moment);
  Life life_of(Running running) const;
  Running take_running(Function& function, Seq seq);
  void add_running(Function& function, Running running);
  void finished(Step& step, Function& function, Running running, AttemptReport report,
                const Moment& moment);
  void stop(Step& step, Running& running, StopReason reason);
  void failed(Step& step, Function& function, Running running, storage::AttemptRecord attempt,
              const Moment& moment);

  // workers.cc
  void attach(Step& step, const Attachment& attachment, const Moment& moment);
  Running* held_by(WorkerId worker, const EventId& id, AttemptNumber attempt);
  void give_to(WorkerId worker, Running& running);
  void set_deadline(Running& running, UpPoint deadline);
  void drop_deadline(Running& running);
  static Duration grace(const config::FunctionSettings& settings);
  void refuse_waiting(Step& step, WorkerId worker, const char* why);
  void workers_ticked(Step& step, const Moment& moment);
  void set_adrift(Step& step, const storage::RunningKey& key,
                  const storage::RunningRecord& record, const Moment& moment);
  void adrift_loaded(Step& step, const storage::LoadedEvent& loaded, const Moment& moment);
  void settle_adrift(Step& step, const Moment& moment);
  bool is_left(const Running& running) const;
  std::optional<UpPoint> workers_wakeup() const;
  void verify_workers() const;

  // ending.cc
  void end(Step& step, Life life, Ending ending, const Moment& moment);
  void leave_place(Step& step, const Life& life);
  void put_dead_letter(Step& step, const Life& life, const Ending& ending, Seq ending_seq,
                       const Moment& moment);
  void send_records(Step& step, const Life& life, const Ending& ending, const Moment& moment);
  void store_answer(Step& step, const Life& life, const storage::StoredAnswer& answer,
                    const Moment& moment);
  void answer_waiting(Step& step, Life& life, const storage::StoredAnswer& answer);

  // cancel.cc
  void look_to_cancel(Step& step, const EventId& id, std::vector<Ticket> tickets);
  void event_loaded_for_cancel(Step& step, const storage::LoadedEvent& loaded,
                               const Moment& moment);
  void await_over(Step& step, Ticket ticket);
  void awaited_ended(Step& step, Seq seq);

  // dead_letters.cc
  void begin_work(Step& step, FunctionId function);
  void work_done(Step& step, FunctionId function);
  void redrive(Step& step, const storage::LoadedDeadLetter& row, const KeyUse& key,
               const Moment& moment);
  void discard(Step& step, const storage::LoadedDeadLetter& row);
  void key_known_for_redrive(Step& step, const RedriveRow& waiter, const KeyUse& key,
                             const Moment& moment);

  // upkeep.cc
  void settle(Step& step, const storage::RunningKey& key, const storage::RunningRecord& record,
              const Moment& moment);
  void sweep(Step& step, const Moment& moment);
  void configure();

  config::Settings settings_;
  Ledger ledger_;
  Backlog backlog_;
  QueueBook queues_;
  KeyTable<KeyWaiter> keys_;
  Random random_;
  Space space_;

  std::vector<std::pair<storage::RunningKey, storage::RunningRecord>> unsettled_;
  std::map<Seq, Running> running_;
  uint64_t running_bytes_ = 0;  // payloads and the room for results
  uint64_t outcome_bytes_ = 0;  // of all that run
  Growth growth_;               // of all living events
  bool disk_was_short_ = false;
  std::set<FunctionId> held_back_;  // for want of room in a queue, or of dead letters
  bool room_grew_ = false;
  size_t claims_ = 0;
  uint32_t slots_max_ = 0;
  FunctionSet touched_;    // by this step
  FunctionSet finishing_;  // finish() is at these; a member for its memory's sake

  // Cancels whose event is being looked for. Of several looks the last one counts:
  // an event may start and end between an early look and its answer.
  struct Look {
    std::vector<Ticket> tickets;
    size_t under_way = 0;
  };
  std::map<EventId, Look> cancels_;

  struct Await {
    EventId event;
    TimePoint until;
  };
  std::map<Ticket, Await> awaits_;
  std::map<Seq, std::vector<Ticket>> awaited_;
  std::set<std::pair<TimePoint, Ticket>> await_ends_;

  WorkerBook workers_;
  std::set<std::pair<UpPoint, Seq>> worker_deadlines_;
  // Attempts of the last life's workers, and until when those may come back. First their
  // events are read; who attaches meanwhile waits for that.
  std::map<EventId, std::pair<storage::RunningKey, storage::RunningRecord>> adrift_loading_;
  std::vector<Attachment> attaching_;
  std::optional<UpPoint> reattach_ends_;
  bool drain_over_ = false;
  Duration now_less_up_{0};  // as of the last fact: next_wakeup() speaks of core time

  std::map<FunctionId, std::deque<DeadLetterWork>> dead_letter_work_;

  std::optional<storage::KeyHash> sweeping_from_;
  TimePoint sweep_at_{};
  std::optional<TimePoint> history_ages_at_;

  [[no_unique_address]] TornBatch torn_batch_;
  bool draining_ = false;
  StepSeq next_step_{1};
  Step blank_;  // memory for the next one
  StepSeq durable_{0};
  RecoveryCounts recovery_;
};

// A record of a failed attempt, in the words of client/PROTOCOL.md, section 7.
storage::AttemptRecord describe(const AttemptReport& report, AttemptNumber attempt,
                                const std::string& request_id, WallTime started, WallTime ended);
storage::AttemptRecord describe_interrupted(AttemptNumber attempt, WallTime started,
                                            WallTime ended);

}  // namespace holdfast::core
