#include "storage/verify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "storage/codec.h"
#include "storage/keys.h"
#include "storage/memory_store.h"
#include "tests/storage/record_samples.h"

namespace holdfast::storage {
namespace {

constexpr FunctionId kResize{1};
constexpr QueueId kDone{1};
constexpr Seq kCutoff{15};
constexpr Seq kHead{40};

EventId event(uint64_t seq) { return {kResize, Lane{0}, Seq{seq}}; }
KeyHash hash(const std::string& key) { return hash_of_key(kResize, key); }
std::string key_row(const std::string& key) {
  return std::string{idempotency_row_key(hash(key))};
}

// A small box on which nothing is missing, made as commits make it, and the means to
// take a piece away.
class Box {
 public:
  static constexpr uint64_t kDelayed = 20, kRetried = 21, kRunning = 22, kDead = 23;
  static constexpr uint64_t kRedriven = 24, kEnded = 25, kCall = 26, kForgotten = 3;
  static constexpr uint64_t kFresh = 40, kFreshWithKey = 41;
  static constexpr uint64_t kMessage = 50;

  Box() {
    function.name = "resize";
    function.head = kHead;
    queue.name = "done";
    state.next_seq = Seq{100};
    state.next_function = FunctionId{2};
    state.next_queue = QueueId{2};
    state.history_cutoff = kCutoff;
    state.history_bytes = 1000;
    state.history_marks = {{kCutoff, 1000, LitPoint{}}};
    put(Family::meta, std::string{kFormatKey}, std::string{"\0\0\0\0\0\0\0\1", 8});
    put_living();
    put_ended();
    put_message(kMessage);
    put_message(kMessage + 1);
    seal();
  }

  // The rows of meta, with the counters as they stand.
  void seal() {
    put(Family::meta, function_key(kResize), encode(function));
    put(Family::meta, queue_key(kDone), encode(queue));
    put(Family::meta, std::string{kStateKey}, encode(state));
  }

  void put(Family family, std::string key, std::string value) {
    CHECK(store.commit(std::vector{Write{family, WriteOp::put, std::move(key), std::move(value)}}));
  }
  void remove(Family family, std::string key) {
    const WriteOp op =
        row_of(family).life == KeyLife::once ? WriteOp::single_delete : WriteOp::erase;
    CHECK(store.commit(std::vector{Write{family, op, std::move(key), {}}}));
  }
  void replace(Family family, const std::string& key, std::string value) {
    remove(family, key);
    put(family, key, std::move(value));
  }

  void put_event(uint64_t seq, const std::string& key = {}, bool delayed = false) {
    put(Family::events, event_key(event(seq)), encode(event_record(seq, key, delayed)));
    state.accepted += 1;
    state.reserved_bytes += 7;
  }
  static EventRecord event_record(uint64_t seq, const std::string& key, bool delayed) {
    EventRecord record;
    record.id = event(seq);
    record.delayed = delayed;
    record.reserved_bytes = 7;
    record.idempotency_key = key;
    record.payload = "payload";
    return record;
  }
  static WaitingKey waiting_of(uint64_t seq) {
    return {event(seq), at_ms<TimePoint>(500), Generation{3}};
  }
  void put_waiting(uint64_t seq, bool owns_key = true) {
    WaitingRecord record{waiting_of(seq).due_at, sample_spent()};
    record.spent.owns_key = owns_key;
    put(Family::waiting, waiting_key(event(seq), Generation{3}), encode(record));
    put_due(seq, to_ms(record.spent.age_from));
    function.waiting += 1;
  }
  void put_due(uint64_t seq, int64_t age_from_ms) {
    std::string age_from;
    append_be64(age_from, static_cast<uint64_t>(age_from_ms));
    put(Family::due, due_key(waiting_of(seq)), age_from);
  }
  static RunningRecord running_record(uint64_t seq, InvocationType type) {
    RunningRecord record;
    record.event = event(seq);
    record.type = type;
    if (type == InvocationType::synchronous) record.idempotency_key = "call";
    return record;
  }
  void put_running(uint64_t seq, InvocationType type = InvocationType::event) {
    put(Family::running, running_key({Seq{seq}, Generation{2}}),
        encode(running_record(seq, type)));
  }
  void put_attempt(uint64_t seq, uint32_t attempt) {
    put(Family::attempts, attempt_key(Seq{seq}, AttemptNumber{attempt}),
        encode(sample_attempt(attempt)));
  }
  static IdempotencyRecord key_record(const std::string& key, uint64_t seq, bool answered) {
    IdempotencyRecord record = minimal_sample<IdempotencyRecord>();
    record.function = kResize;
    record.key = key;
    record.event = event(seq);
    if (answered) record.answer = sample_answer();
    return record;
  }
  void put_key(const std::string& key, uint64_t seq, bool answered) {
    const IdempotencyRecord record = key_record(key, seq, answered);
    put(Family::idempotency, key_row(key), encode(record));
    state.idempotency_bytes += charged_bytes(record);
  }
  static HistoryRecord history_record(uint64_t seq, EndState end) {
    HistoryRecord record;
    record.event = event(seq);
    record.state = end;
    record.result = "result";
    return record;
  }
  void put_history(uint64_t ending, uint64_t seq, EndState end) {
    const HistoryRecord record = history_record(seq, end);
    put(Family::history, history_key(Seq{ending}), encode(record));
    put(Family::endings, ending_key(Seq{seq}), history_key(Seq{ending}));
    if (ending >= kCutoff.value) state.history_bytes += charged_bytes(record);
    (end == EndState::succeeded ? function.succeeded : function.failed) += 1;
    state.ended += 1;
  }
  void put_dead(uint64_t seq, uint64_t ending, uint32_t generation = 4) {
    DeadLetterRecord record;
    record.ending = Seq{ending};
    record.charged_bytes = 600;
    put(Family::dead_letters, dead_letter_key({kResize, Seq{seq}, Generation{generation}}),
        encode(record));
    function.dead_letters += 1;
    function.dead_letters_bytes += 600;
  }
  static MessageKey message(uint64_t seq, int64_t visible_at_ms = 900) {
    return {kDone, at_ms<TimePoint>(visible_at_ms), Seq{seq}, Generation{1}};
  }
  void put_message(uint64_t seq, int64_t visible_at_ms = 900) {
    const MessageRecord record = full_sample<MessageRecord>();
    put(Family::destinations, message_key(message(seq, visible_at_ms)), encode(record));
    queue.messages += 1;
    queue.bytes += charged_bytes_of_message(record);
  }

  MemoryStore store{MemoryStore::DeadKeys::forgotten};
  FunctionRecord function;
  QueueRecord queue;
  StateRecord state;

 private:
  void put_living() {
    put_event(kFresh);
    put_event(kFreshWithKey, "fresh");
    put_key("fresh", kFreshWithKey, false);
    function.fresh = 2;
    put_event(kDelayed, {}, true);
    put_waiting(kDelayed);
    put_event(kRetried, "retried");
    put_waiting(kRetried);
    put_attempt(kRetried, 1);
    put_key("retried", kRetried, false);
    put_event(kRunning);
    put_running(kRunning);
    put_running(kCall, InvocationType::synchronous);
    put_key("call", kCall, false);
  }
  void put_ended() {
    put_history(10, kForgotten, EndState::succeeded);  // below the cut-off
    put_event(kDead, "dead");
    put_history(30, kDead, EndState::failed);
    put_dead(kDead, 30);
    put_key("dead", kDead, true);
    state.reserved_bytes -= 7;
    // Died, and lives again; its key names a younger event by now.
    put_event(kRedriven, "redriven");
    put_history(31, kRedriven, EndState::failed);
    put_waiting(kRedriven, false);
    put_key("redriven", kEnded, true);
    state.accepted += 1;  // kEnded
    put_history(32, kEnded, EndState::succeeded);
  }
};

TEST(Verify, a_whole_store_gives_no_complaint_and_its_counts) {
  Box box;
  const Result<Verification> found = verify(box.store);
  ASSERT_TRUE(found);
  EXPECT_THAT(found->complaints, testing::IsEmpty());
  EXPECT_EQ(found->complaint_count, 0u);
  EXPECT_EQ(found->fresh, 2u);
  EXPECT_EQ(found->accepted, 8u);
  EXPECT_EQ(found->ended, 4u);
  const std::array<uint64_t, kFamilyCount> rows{4, 7, 3, 3, 2, 1, 5, 3, 1, 2, 3};
  EXPECT_EQ(found->rows, rows);
}

TEST(Verify, a_new_directory_gives_no_complaint) {
  const MemoryStore store;
  const Result<Verification> found = verify(store);
  ASSERT_TRUE(found);
  EXPECT_THAT(found->complaints, testing::IsEmpty());
}

TEST(Verify, more_complaints_than_are_kept_are_counted) {
  Box box;
  for (uint64_t seq = 1000; seq < 1000 + 2 * kComplaintsKeptMax; ++seq) box.put_attempt(seq, 1);
  const Result<Verification> found = verify(box.store);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->complaints.size(), kComplaintsKeptMax);
  EXPECT_EQ(found->complaint_count, 2 * kComplaintsKeptMax);
}

TEST(Verify, more_rows_than_one_page_of_a_cursor_are_joined) {
  Box box;
  for (uint64_t seq = 1000; seq < 2500; ++seq) {
    box.put_event(seq, {}, true);
    box.put_waiting(seq);
  }
  box.state.next_seq = Seq{3000};
  box.seal();
  const Result<Verification> found = verify(box.store);
  ASSERT_TRUE(found);
  EXPECT_THAT(found->complaints, testing::IsEmpty());
  EXPECT_EQ(found->rows_of(Family::waiting), 1503u);
}

struct BrokenCase {
  const char* name;
  const char* complaint;  // a part of one of them
  std::function<void(Box&)> damage;
};
void PrintTo(const BrokenCase& row, std::ostream* out) { *out << row.name; }

class VerifyBroken : public testing::TestWithParam<BrokenCase> {};

TEST_P(VerifyBroken, is_complained_of) {
  Box box;
  GetParam().damage(box);
  const Result<Verification> found = verify(box.store);
  ASSERT_TRUE(found);
  EXPECT_THAT(found->complaints, testing::Contains(testing::HasSubstr(GetParam().complaint)));
  EXPECT_EQ(found->complaint_count, found->complaints.size());
}

constexpr auto kNamed = [](const auto& info) { return std::string{info.param.name}; };

INSTANTIATE_TEST_SUITE_P(
    Events, VerifyBroken,
    testing::Values(
        BrokenCase{"event_that_does_not_decode", "events row",
                   [](Box& box) {
                     box.replace(Family::events, event_key(event(Box::kFresh)), "\x93");
                   }},
        BrokenCase{"event_lost", "fresh events of resize",
                   [](Box& box) { box.remove(Family::events, event_key(event(Box::kFresh))); }},
        BrokenCase{"accepted_event_without_a_trace", "some are missing",
                   [](Box& box) {
                     box.state.accepted = 100;
                     box.seal();
                   }},
        BrokenCase{"event_of_a_function_that_meta_does_not_know", "which meta does not know",
                   [](Box& box) { box.remove(Family::meta, function_key(kResize)); }},
        BrokenCase{"event_in_two_places", "stands in 2 places",
                   [](Box& box) { box.put_running(Box::kRetried); }},
        BrokenCase{"fresh_event_below_the_head", "is fresh below the head",
                   [](Box& box) {
                     box.function.head = Seq{Box::kFresh + 1};
                     box.seal();
                   }},
        BrokenCase{"started_event_above_the_head", "has left the backlog above the head",
                   [](Box& box) {
                     box.function.head = Seq{Box::kRunning};
                     box.seal();
                   }},
        BrokenCase{"delayed_event_that_waits_for_nothing", "was put delayed and waits for nothing",
                   [](Box& box) {
                     box.remove(Family::waiting,
                                waiting_key(event(Box::kDelayed), Generation{3}));
                   }},
        BrokenCase{"waiting_row_without_its_event", "waits without its payload",
                   [](Box& box) { box.remove(Family::events, event_key(event(Box::kDelayed))); }},
        BrokenCase{"waiting_row_that_does_not_decode", "waiting row",
                   [](Box& box) {
                     box.replace(Family::waiting,
                                 waiting_key(event(Box::kDelayed), Generation{3}), "x");
                   }},
        BrokenCase{"waiting_row_behind_the_last_event", "waits without its payload",
                   [](Box& box) { box.put_waiting(90); }},
        BrokenCase{"waiting_rows_miscounted", "waiting events of resize",
                   [](Box& box) {
                     box.function.waiting += 1;
                     box.seal();
                   }},
        BrokenCase{"waiting_row_without_its_twin", "has no twin in due",
                   [](Box& box) {
                     box.remove(Family::due, due_key(Box::waiting_of(Box::kRetried)));
                   }},
        BrokenCase{"due_row_without_its_twin", "has a row in due, and none in waiting",
                   [](Box& box) { box.put_due(Box::kFresh, 1); }},
        BrokenCase{"twins_that_disagree", "ages by one time in waiting and by another in due",
                   [](Box& box) {
                     box.remove(Family::due, due_key(Box::waiting_of(Box::kRetried)));
                     box.put_due(Box::kRetried, 1);
                   }},
        BrokenCase{"due_row_without_an_instant", "due row",
                   [](Box& box) {
                     box.replace(Family::due, due_key(Box::waiting_of(Box::kRetried)), "x");
                   }},
        BrokenCase{"running_event_without_payload", "runs, and its payload is gone",
                   [](Box& box) { box.remove(Family::events, event_key(event(Box::kRunning))); }},
        BrokenCase{"running_call_that_is_kept_as_an_event", "is a call, and is kept as an event",
                   [](Box& box) { box.put_event(Box::kCall); }},
        BrokenCase{"event_that_runs_twice", "its event runs twice",
                   [](Box& box) {
                     const RunningKey second{Seq{Box::kRunning}, Generation{9}};
                     box.put(Family::running, running_key(second),
                             encode(Box::running_record(Box::kRunning, InvocationType::event)));
                   }},
        BrokenCase{"running_row_of_another_event", "another event's record",
                   [](Box& box) {
                     box.put(Family::running, running_key({Seq{27}, Generation{1}}),
                             encode(Box::running_record(Box::kRunning, InvocationType::event)));
                   }},
        BrokenCase{"attempts_that_outlived_their_event", "outlived it",
                   [](Box& box) { box.put_attempt(Box::kEnded, 1); }},
        BrokenCase{"attempts_of_a_dead_letter", "outlived it",
                   [](Box& box) { box.put_attempt(Box::kDead, 1); }},
        BrokenCase{"attempts_of_a_fresh_event", "has failed, and was never started",
                   [](Box& box) { box.put_attempt(Box::kFresh, 1); }},
        BrokenCase{"too_many_attempts", "keeps more failed attempts than it may",
                   [](Box& box) {
                     for (uint32_t n = 2; n <= kAttemptsKeptMax + 1; ++n) {
                       box.put_attempt(Box::kRetried, n);
                     }
                   }},
        BrokenCase{"attempt_that_does_not_decode", "attempts row",
                   [](Box& box) {
                     box.replace(Family::attempts,
                                 attempt_key(Seq{Box::kRetried}, AttemptNumber{1}), "x");
                   }},
        BrokenCase{"disk_set_aside_miscounted", "disk set aside",
                   [](Box& box) {
                     box.state.reserved_bytes -= 1;
                     box.seal();
                   }}),
    kNamed);

INSTANTIATE_TEST_SUITE_P(
    Endings, VerifyBroken,
    testing::Values(
        BrokenCase{"history_row_lost", "the history has no ending 60",
                   [](Box& box) {
                     box.put(Family::endings, ending_key(Seq{33}), history_key(Seq{60}));
                   }},
        BrokenCase{"history_row_that_its_event_does_not_find", "is not found by its event",
                   [](Box& box) { box.remove(Family::endings, ending_key(Seq{Box::kEnded})); }},
        BrokenCase{"endings_row_that_names_an_older_life", "is not found by its event",
                   [](Box& box) {
                     box.put(Family::endings, ending_key(Seq{Box::kEnded}),
                             history_key(Seq{30}));
                   }},
        BrokenCase{"history_row_that_does_not_decode", "history row",
                   [](Box& box) { box.put(Family::history, history_key(Seq{60}), "x"); }},
        BrokenCase{"bytes_of_the_history_miscounted", "bytes of the history",
                   [](Box& box) {
                     box.state.history_bytes += 1;
                     box.seal();
                   }},
        BrokenCase{"more_endings_than_counted", "more endings than were counted",
                   [](Box& box) {
                     box.function.failed = 1;
                     box.seal();
                   }},
        BrokenCase{"ended_event_that_lives", "has ended, and lives",
                   [](Box& box) { box.put_event(Box::kEnded, {}, true); }},
        BrokenCase{"fresh_event_that_has_ended", "has ended, and lives",
                   [](Box& box) { box.put_history(61, Box::kFresh, EndState::failed); }},
        BrokenCase{"dead_letter_without_payload", "is dead and its payload gone",
                   [](Box& box) { box.remove(Family::events, event_key(event(Box::kDead))); }},
        BrokenCase{"dead_letter_without_an_ending", "is dead without an ending",
                   [](Box& box) {
                     box.put_event(27);
                     box.put_dead(27, 60);
                   }},
        BrokenCase{"dead_letter_of_a_success", "is dead without an ending",
                   [](Box& box) { box.put_dead(Box::kEnded, 32); }},
        BrokenCase{"dead_letter_that_is_there_twice", "is dead twice",
                   [](Box& box) { box.put_dead(Box::kDead, 30, 9); }},
        BrokenCase{"dead_letters_miscounted", "dead letters of resize",
                   [](Box& box) {
                     box.function.dead_letters += 1;
                     box.seal();
                   }},
        BrokenCase{"bytes_of_dead_letters_miscounted", "bytes of the dead letters of resize",
                   [](Box& box) {
                     box.function.dead_letters_bytes -= 1;
                     box.seal();
                   }}),
    kNamed);

INSTANTIATE_TEST_SUITE_P(
    KeysAndTheRest, VerifyBroken,
    testing::Values(
        BrokenCase{"key_of_an_event_that_does_not_live", "has no answer, and its event does not",
                   [](Box& box) { box.put_key("lost", 28, false); }},
        BrokenCase{"key_of_a_dead_letter_without_answer", "has no answer, and its event does not",
                   [](Box& box) { box.put_key("dead", Box::kDead, false); }},
        BrokenCase{"key_of_a_call_that_does_not_run", "has no answer, and its event does not",
                   [](Box& box) {
                     IdempotencyRecord record = Box::key_record("gone", 29, false);
                     record.type = InvocationType::synchronous;
                     box.put(Family::idempotency, key_row("gone"),
                             encode(record));
                   }},
        BrokenCase{"living_event_whose_key_is_forgotten", "its idempotency key is forgotten",
                   [](Box& box) {
                     box.remove(Family::idempotency, key_row("retried"));
                   }},
        BrokenCase{"running_call_whose_key_is_forgotten", "its idempotency key is forgotten",
                   [](Box& box) {
                     box.remove(Family::idempotency, key_row("call"));
                   }},
        BrokenCase{"living_event_whose_key_has_an_answer", "its idempotency key has an answer",
                   [](Box& box) { box.put_key("fresh", Box::kFreshWithKey, true); }},
        BrokenCase{"living_event_whose_key_names_another", "its idempotency key names another",
                   [](Box& box) { box.put_key("fresh", Box::kEnded, true); }},
        BrokenCase{"key_in_the_wrong_place", "stands where nobody looks for it",
                   [](Box& box) {
                     box.put(Family::idempotency, key_row("here"),
                             encode(Box::key_record("there", Box::kEnded, true)));
                   }},
        BrokenCase{"bytes_of_keys_miscounted", "bytes of idempotency keys",
                   [](Box& box) {
                     box.state.idempotency_bytes -= 1;
                     box.seal();
                   }},
        BrokenCase{"message_that_is_there_twice", "message 50 is there twice",
                   [](Box& box) { box.put_message(Box::kMessage, 901); }},
        BrokenCase{"message_of_a_queue_that_meta_does_not_know", "rows of queue 1",
                   [](Box& box) { box.remove(Family::meta, queue_key(kDone)); }},
        BrokenCase{"message_that_does_not_decode", "destinations row",
                   [](Box& box) {
                     box.replace(Family::destinations, message_key(Box::message(Box::kMessage)),
                                 "x");
                   }},
        BrokenCase{"messages_miscounted", "messages of done",
                   [](Box& box) {
                     box.remove(Family::destinations, message_key(Box::message(Box::kMessage)));
                   }},
        BrokenCase{"bytes_of_messages_miscounted", "bytes of done",
                   [](Box& box) {
                     box.queue.bytes += 1;
                     box.seal();
                   }},
        BrokenCase{"state_lost", "the state is lost",
                   [](Box& box) { box.remove(Family::meta, std::string{kStateKey}); }},
        BrokenCase{"format_number_lost", "the state is lost",
                   [](Box& box) { box.remove(Family::meta, std::string{kFormatKey}); }},
        BrokenCase{"state_that_does_not_decode", "meta row",
                   [](Box& box) { box.put(Family::meta, std::string{kStateKey}, "x"); }},
        BrokenCase{"row_of_meta_that_nobody_knows", "not a key of this family",
                   [](Box& box) { box.put(Family::meta, "stranger", "x"); }},
        BrokenCase{"number_that_would_be_given_twice", "is in use, and the next one to be given",
                   [](Box& box) {
                     box.state.next_seq = Seq{45};
                     box.seal();
                   }},
        BrokenCase{"name_that_is_given_twice", "two functions are called resize",
                   [](Box& box) {
                     box.put(Family::meta, function_key(FunctionId{9}), encode(box.function));
                   }},
        BrokenCase{"mark_outside_of_the_history", "a mark of the history is not within it",
                   [](Box& box) {
                     box.state.history_cutoff = Seq{16};
                     box.seal();
                   }}),
    kNamed);

}  // namespace
}  // namespace holdfast::storage
