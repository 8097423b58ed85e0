// Answers, read back as a client reads them.
#include "daemon/api/answers.h"

#include <gtest/gtest.h>

#include <map>

#include "daemon/api/errors.h"
#include "daemon/api/handles.h"
#include "tests/daemon/api_support.h"

namespace holdfast::api {
namespace {

using storage::AttemptNumber;
using storage::Condition;
using storage::EndState;
using storage::Seq;

const storage::EventId kAnswered{storage::FunctionId{1}, storage::Lane{}, Seq{17}};

WallTime wall(int64_t ms) { return from_ms<WallTime>(ms); }

std::string answer(const core::Answer& answer) {
  std::string out;
  append_answer(out, kMsgid, answer, ledger_of_tests());
  return text_of(out);
}

// {"RequestId":"...", then the rest.
std::string with_id(const std::string& before, const std::string& after) {
  return "{" + before + "\"RequestId\":\"" + request_id(17) + "\"" + after + "}";
}

storage::StoredAnswer stored(EndState state, Condition condition) {
  storage::StoredAnswer stored;
  stored.state = state;
  stored.condition = condition;
  stored.ended_wall = wall(1234);
  return stored;
}

storage::AttemptRecord attempt() {
  storage::AttemptRecord attempt;
  attempt.attempt = AttemptNumber{2};
  attempt.failure = storage::Failure::signaled;
  attempt.error_type = "Runtime.ExitError";
  attempt.error_message = "signal: killed";
  attempt.started_wall = wall(10);
  attempt.ended_wall = wall(20);
  attempt.exit_status = 3;
  attempt.signal = 9;
  attempt.log_tail = "oh\xFF";
  return attempt;
}

const std::string kAttempts =
    R"("Attempts":[{"Attempt":2,"Outcome":"signaled","ErrorType":"Runtime.ExitError",)"
    R"("ErrorMessage":"signal: killed","StartedAt":10,"EndedAt":20,"ExitStatus":3,"Signal":9,)"
    "\"LogTail\":\"oh\xEF\xBF\xBD\"}]";

// --- answers of the core ---------------------------------------------------

TEST(Answers, EveryRefusalHasItsErrorType) {
  const std::map<core::Refusal, std::string> types{
      {core::Refusal::not_found, "ResourceNotFoundException"},
      {core::Refusal::invalid, "InvalidParameterValueException"},
      {core::Refusal::conflict, "ResourceConflictException"},
      {core::Refusal::too_large, "RequestTooLargeException"},
      {core::Refusal::busy, "TooManyRequestsException"},
      {core::Refusal::key_conflict, "IdempotencyConflictException"},
      {core::Refusal::no_space, "InsufficientStorageException"},
      {core::Refusal::receipt_invalid, "ReceiptHandleIsInvalid"},
      {core::Refusal::unavailable, "ServiceUnavailableException"},
  };
  for (const auto& [refusal, type] : types) {
    EXPECT_EQ(answer(core::Refused{refusal, "why"}), type + ": why");
  }
}

TEST(Answers, AnAcceptedEventIs202) {
  EXPECT_EQ(answer(core::Accepted{kAnswered, false, {}}), with_id(R"("StatusCode":202,)", ""));
  EXPECT_EQ(answer(core::Accepted{kAnswered, true, {}}),
            with_id(R"("StatusCode":202,)", R"(,"Duplicate":true)"));
  EXPECT_EQ(answer(core::DryRunPassed{}), R"({"StatusCode":204})");
}

TEST(Answers, ADuplicateOfAnEndedEventTellsItsEnding) {
  const auto with = [](const storage::StoredAnswer& ending, const std::string& text) {
    EXPECT_EQ(answer(core::Accepted{kAnswered, true, ending}),
              with_id(R"("StatusCode":202,)", R"(,"Duplicate":true,"Ending":{)" + text + "}"));
  };
  storage::StoredAnswer ending = stored(EndState::succeeded, Condition::success);
  ending.result = "42";
  ending.result_bytes = 2;
  with(ending, R"("State":"succeeded","Condition":"Success","EndedAt":1234,"Payload":b"42")");
  ending.result.reset();
  ending.result_bytes = 70000;
  with(ending, R"("State":"succeeded","Condition":"Success","EndedAt":1234,"PayloadBytes":70000)");
  ending = stored(EndState::failed, Condition::retries_exhausted);
  ending.error_type = "T";
  ending.error_message = "M";
  with(ending, R"("State":"failed","Condition":"RetriesExhausted","EndedAt":1234,"Payload":b"",)"
               R"("ErrorType":"T","ErrorMessage":"M")");
}

TEST(Answers, ASynchronousCallReturnsItsResultOrAnErrorObject) {
  core::Returned returned{kAnswered, false, stored(EndState::succeeded, Condition::success)};
  returned.answer.result = "42";
  EXPECT_EQ(answer(returned), with_id(R"("StatusCode":200,)", R"(,"Payload":b"42")"));
  returned.duplicate = true;
  returned.answer.result.reset();
  returned.answer.result_bytes = 65537;
  EXPECT_EQ(answer(returned),
            with_id(R"("StatusCode":200,)", R"(,"Duplicate":true,"PayloadBytes":65537)"));
  returned.answer.result_bytes = 0;
  EXPECT_EQ(answer(returned),
            with_id(R"("StatusCode":200,)", R"(,"Duplicate":true,"Payload":b"")"));

  core::Returned failed{kAnswered, false, stored(EndState::failed, Condition::function_error)};
  failed.answer.error_type = "Runtime.ExitError";
  failed.answer.error_message = "exit status 1";
  EXPECT_EQ(answer(failed),
            with_id(R"("StatusCode":200,)",
                    R"(,"FunctionError":"Unhandled","Payload":b"{\"errorType\":)"
                    R"(\"Runtime.ExitError\",\"errorMessage\":\"exit status 1\",\"requestId\":\")" +
                        request_id(17) + R"(\"}")"));
}

TEST(Answers, ACancelledEventTellsHowItEnded) {
  EXPECT_EQ(answer(core::CancelAnswer{kAnswered, EndState::cancelled}),
            with_id("", R"(,"State":"cancelled")"));
  EXPECT_EQ(answer(core::CancelAnswer{kAnswered, EndState::succeeded}),
            with_id("", R"(,"State":"succeeded")"));
  EXPECT_EQ(answer(core::CancelAnswer{kAnswered, EndState::failed}),
            with_id("", R"(,"State":"dead")"));
}

TEST(Answers, MovedDeadLettersAreCountedAndTheMarkerLeadsOn) {
  core::DeadLettersMoved moved;
  moved.count = 3;
  EXPECT_EQ(answer(moved), R"({"Redriven":3})");
  moved.verb = core::DeadLetterVerb::discard;
  EXPECT_EQ(answer(moved), R"({"Discarded":3})");
  moved.verb = core::DeadLetterVerb::redrive;
  moved.next = {Seq{5}, Seq{6}};
  EXPECT_EQ(answer(moved), R"({"Redriven":3,"NextMarker":"00000000000000050000000000000006"})");
}

TEST(Answers, MessagesComeWithReceiptsAndTheIdThatTheSenderWasTold) {
  const std::string id = to_message_id(Seq{9}, kBox);
  EXPECT_EQ(answer(core::Sent{Seq{9}}), "{\"MessageId\":\"" + id + "\"}");
  EXPECT_EQ(answer(core::Deleted{}), "{}");
  EXPECT_EQ(answer(core::Received{}), R"({"Messages":[]})");

  const storage::MessageKey key{storage::QueueId{1}, from_ms<TimePoint>(5), Seq{9},
                                storage::Generation{2}};
  auto record = std::make_shared<storage::MessageRecord>();
  record->body = "body";
  record->attributes = {{"a", "1"}};
  record->sent_wall = wall(77);
  record->receive_count = 2;
  EXPECT_EQ(answer(core::Received{{{key, record}}}),
            "{\"Messages\":[{\"MessageId\":\"" + id + "\",\"ReceiptHandle\":\"" +
                to_receipt(key, kBox) +
                R"(","Body":b"body","MessageAttributes":{"a":"1"},"SentAt":77,)"
                R"("ReceiveCount":2}]})");
}

// --- events ----------------------------------------------------------------

storage::EventView pending() {
  storage::EventView view;
  view.id = kAnswered;
  view.spent.attempt = AttemptNumber{2};
  view.spent.failures = 1;
  view.spent.interruptions = 1;
  view.accepted_wall = wall(1000);
  view.payload_bytes = 5;
  view.attempts = {attempt()};
  return view;
}

storage::EventView ended(EndState state, Condition condition) {
  storage::EventView view = pending();
  view.ending.emplace();
  view.ending->event = kAnswered;
  view.ending->state = state;
  view.ending->condition = condition;
  view.ending->ended_wall = wall(3000);
  return view;
}

std::string event(const storage::EventView& view) {
  std::string out;
  append_event_view(out, kMsgid, view, ledger_of_tests());
  return text_of(out);
}

std::string event_text(const std::string& state, const std::string& rest,
                       const std::string& type = "Event") {
  return with_id("", R"(,"FunctionName":"resize","State":")" + state +
                         R"(","InvocationType":")" + type +
                         R"(","PayloadBytes":5,"Attempt":2,"Failures":1,"Interruptions":1,)"
                         R"("AcceptedAt":1000)" +
                         rest);
}

TEST(EventViews, ALivingEventTellsWhenItIsDueOrUntilWhenItRuns) {
  storage::EventView view = pending();
  EXPECT_EQ(event(view), event_text("pending", "," + kAttempts));
  view.due_at = from_ms<TimePoint>(2000);
  EXPECT_EQ(event(view), event_text("pending", R"(,"DueAt":2000,)" + kAttempts));
  view.due_at.reset();
  view.state = storage::ViewState::running;
  view.running = {wall(1500), wall(4500)};
  view.type = storage::InvocationType::synchronous;
  EXPECT_EQ(event(view),
            event_text("running", R"(,"StartedAt":1500,"DeadlineAt":4500,)" + kAttempts,
                       "RequestResponse"));
}

TEST(EventViews, AnEndedEventTellsItsResultOrItsError) {
  storage::EventView view = ended(EndState::succeeded, Condition::success);
  view.state = storage::ViewState::succeeded;
  view.ending->result = "42";
  view.ending->result_bytes = 2;
  view.attempts.clear();
  EXPECT_EQ(event(view),
            event_text("succeeded", R"(,"EndedAt":3000,"Condition":"Success","ResultBytes":2,)"
                                    R"("Result":b"42","Attempts":[])"));
  for (const auto& [state, word] : std::map<storage::ViewState, std::string>{
           {storage::ViewState::dead, "dead"}, {storage::ViewState::failed, "failed"}}) {
    view = ended(EndState::failed, Condition::event_age_exceeded);
    view.state = state;
    view.ending->error_type = "T";
    view.ending->error_message = "M";
    EXPECT_EQ(event(view), event_text(word, R"(,"EndedAt":3000,"Condition":"EventAgeExceeded",)"
                                            R"("ErrorType":"T","ErrorMessage":"M",)" +
                                                kAttempts));
  }
  view = ended(EndState::cancelled, Condition::cancelled);
  view.state = storage::ViewState::cancelled;
  EXPECT_EQ(event(view), event_text("cancelled", R"(,"EndedAt":3000,"Condition":"Cancelled",)" +
                                                     kAttempts));
}

TEST(EventViews, AListLeavesOutAttemptsAndMayBeEmptyWithAMarker) {
  const auto list = [](const storage::EventList& events) {
    std::string out;
    append_event_list(out, kMsgid, events, ledger_of_tests());
    return text_of(out);
  };
  EXPECT_EQ(list({}), R"({"Events":[]})");
  EXPECT_EQ(list({{}, "m"}), R"({"Events":[],"NextMarker":"m"})");
  EXPECT_EQ(list({{pending()}, {}}), R"({"Events":[)" + event_text("pending", "") + "]}");
}

TEST(DeadLetters, AListHasRowsAndOneHasItsPayloadToo) {
  storage::DeadLetterRow row{{kAnswered.function, kAnswered.seq, storage::Generation{4}}, {}};
  row.record.died_wall = wall(4000);
  row.record.spent.attempt = AttemptNumber{3};
  row.record.error_type = "T";
  row.record.error_message = "M";
  row.record.payload_bytes = 3;
  row.record.attempts = {attempt()};
  const std::string text =
      R"(,"FunctionName":"resize","DiedAt":4000,"Condition":"RetriesExhausted","Attempt":3,)"
      R"("ErrorType":"T","ErrorMessage":"M","PayloadBytes":3)";
  std::string out;
  append_dead_letter_list(out, kMsgid, {{row}, "m"}, ledger_of_tests());
  EXPECT_EQ(text_of(out), R"({"DeadLetters":[)" + with_id("", text) + R"(],"NextMarker":"m"})");

  auto record = std::make_shared<storage::EventRecord>();
  record->payload = "abc";
  const storage::LoadedDeadLetter dead_letter{row.key, row.record};
  const storage::LoadedEvent loaded{kAnswered, record, {}, dead_letter, {}};
  out.clear();
  append_dead_letter(out, kMsgid, loaded, ledger_of_tests());
  EXPECT_EQ(text_of(out), with_id("", text + R"(,"Payload":b"abc",)" + kAttempts));
}

TEST(Payload, ComesWithTheNamesOfItsEvent) {
  storage::EventRecord record;
  record.id = kAnswered;
  record.payload = "abc";
  std::string out;
  append_payload(out, kMsgid, record, ledger_of_tests());
  EXPECT_EQ(text_of(out), with_id("", R"(,"FunctionName":"resize","Payload":b"abc")"));
}

// --- the daemon ------------------------------------------------------------

config::Settings settings_of_tests() {
  config::Settings settings;
  config::FunctionSettings function;
  function.command = {"/bin/cat", "-"};
  settings.functions.emplace("resize", function);
  settings.limits.attempts_running_max = 5;
  settings.queues.emplace("done", config::QueueSettings{});
  return settings;
}

storage::Recovered recovered_of_tests() {
  storage::Recovered recovered;
  recovered.state.box = kBox;
  recovered.state.next_seq = Seq{5000};
  recovered.state.next_function = storage::FunctionId{4};
  recovered.state.next_queue = storage::QueueId{3};
  recovered.state.accepted = 30;
  recovered.state.ended = 20;
  recovered.state.batch_number = 12;
  recovered.state.history_bytes = 1000;
  recovered.state.history_marks = {{Seq{1}, 400, {}}};
  storage::FunctionRecord left;
  left.name = "left";
  left.dead_letters = 2;
  left.dead_letters_bytes = 300;
  left.succeeded = 7;
  storage::FunctionRecord resize;
  resize.name = "resize";
  storage::FunctionRecord forgotten;
  forgotten.name = "forgotten";
  recovered.functions = {{storage::FunctionId{1}, resize},
                         {storage::FunctionId{2}, left},
                         {storage::FunctionId{3}, forgotten}};
  recovered.queues = {{storage::QueueId{1}, {"done", 0, 0}}, {storage::QueueId{2}, {"gone", 0, 0}}};
  return recovered;
}

TEST(Status, FunctionsAreThoseOfTheConfigurationAndThoseWithSomethingKept) {
  core::Lifecycle core{recovered_of_tests(), kBox, settings_of_tests(), 1};
  std::string out;
  append_functions(out, kMsgid, core, {}, {});
  EXPECT_EQ(text_of(out),
            R"({"Functions":[{"FunctionName":"resize","Configured":true,"Backlog":0,"Running":0,)"
            R"("DeadLetters":0,"DeadLettersBytes":0,"Timeout":3000,"ConcurrencyMax":8,"Retries":2,)"
            R"("Kinds":["command"],"Command":["/bin/cat","-"]},{"FunctionName":"left",)"
            R"("Configured":false,"Backlog":0,"Running":0,"DeadLetters":2,)"
            R"("DeadLettersBytes":300}]})");
  out.clear();
  append_queues(out, kMsgid, core);
  EXPECT_EQ(text_of(out), R"({"Queues":[{"QueueName":"done","Configured":true,"Messages":0,)"
                          R"("Bytes":0,"BytesMax":67108864}]})");
}

TEST(Status, TellsAllThatTheCoreAndTheShellKnow) {
  core::Lifecycle core{recovered_of_tests(), kBox, settings_of_tests(), 1};
  Moment moment{from_ms<TimePoint>(50'000), from_ms<LitPoint>(40'000), wall(90'000)};
  core.started(moment);
  core::Submission submission;
  submission.function = "resize";
  submission.delay = std::chrono::seconds{1};
  core.submitted(submission, moment);
  moment.lit += std::chrono::milliseconds{63'999};
  core.drain_started(moment);

  StatusReport report{"1.2.3", 321, wall(80'000), 4, 5'000, wall(89'000), 6'000, Duration{7},
                      "all is well"};
  std::string out;
  append_status(out, kMsgid, report, core, moment);
  const std::string text = text_of(out);
  for (const std::string part : {
           R"({"Version":"1.2.3","Pid":321,"State":"draining","StartedAt":80000,"Now":90000,)",
           R"("Backlog":1,"Running":0,"DeadLetters":0,"DeadLettersBytes":0,"OldestAgeSeconds":62,)"
           R"("DeadLettersBytesMax":67108864,"Kinds":["command"],"DeadLettersDropped":0,)"
           R"("Succeeded":0,"Failed":0,"Cancelled":0})",
           R"({"FunctionName":"left","Configured":false,"Backlog":0,"Running":0,"DeadLetters":2,)"
           R"("DeadLettersBytes":300,"DeadLettersDropped":0,"Succeeded":7,"Failed":0,)"
           R"("Cancelled":0})",
           R"("Queues":[{"QueueName":"done",)",
           R"("AttemptsRunning":0,"AttemptsRunningMax":5,"Connections":4,"MemoryBytes":6000,)"
           R"("DiskFreeBytes":5000,"DiskFreeMinBytes":268435456,"DiskReservedBytes":)",
           R"("Accepting":false,"Refusal":"the daemon is stopping")",
           R"("HistoryBytes":600,"HistoryBytesMax":268435456,"LastSyncAt":89000,"Commits":12,)"
           R"("Accepted":31,"Ended":20,)",
           R"("Recovery":{"DurationMs":7,"InterruptedEvents":0,"InterruptedCalls":0,"Waiting":0,)"
           R"("WalAudit":"all is well"}})",
       }) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\nis not in\n" << text;
  }
  EXPECT_EQ(text.find("forgotten"), std::string::npos);
}

TEST(Status, OfADamagedBoxTellsTheDamageAndAcceptsNothing) {
  core::Lifecycle core{recovered_of_tests(), kBox, settings_of_tests(), 1};
  core.space_measured(UINT64_MAX);
  StatusReport report;
  report.damage = "in 000012.log at byte 4711";
  std::string out;
  append_status(out, kMsgid, report, core, Moment{});
  const std::string text = text_of(out);
  for (const char* part : {R"("State":"damaged",)", R"("Accepting":false,"Refusal":"in 000012.log)",
                           R"(,"Damage":"in 000012.log at byte 4711"})"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\nis not in\n" << text;
  }
}

}  // namespace
}  // namespace holdfast::api
