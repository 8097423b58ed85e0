// Decoding: authorisation, names and ids, markers, receipts.
#include "daemon/api/calls.h"

#include <gtest/gtest.h>

#include <map>

#include "daemon/api/errors.h"
#include "daemon/api/handles.h"
#include "storage/keys.h"
#include "storage/limits.h"
#include "storage/memory_store.h"
#include "tests/daemon/api_support.h"

namespace holdfast::api {
namespace {

using wire::MapWriter;
using Decoded = std::variant<Call, wire::CallError>;

Decoded decode_as(Role role, std::string_view method, const PackParams& pack) {
  core::PayloadMemory payloads;
  return decode(request(method, pack).view(), role, ledger_of_tests(), payloads);
}
Decoded decode_of(std::string_view method, const PackParams& pack) {
  return decode_as(Role::admin, method, pack);
}

template <class T>
T call_of(std::string_view method, const PackParams& pack) {
  Decoded decoded = decode_of(method, pack);
  if (const auto* error = std::get_if<wire::CallError>(&decoded)) {
    ADD_FAILURE() << error->type << ": " << error->message;
    return {};
  }
  T* call = std::get_if<T>(&std::get<Call>(decoded));
  if (call == nullptr) {
    ADD_FAILURE() << "another call";
    return {};
  }
  return std::move(*call);
}

std::string error_of(const Decoded& decoded) {
  const auto* error = std::get_if<wire::CallError>(&decoded);
  return error == nullptr ? "none" : error->type;
}
std::string error_of(std::string_view method, const PackParams& pack) {
  return error_of(decode_of(method, pack));
}

const storage::EventId kEvent{storage::FunctionId{1}, storage::Lane{}, storage::Seq{17}};
const storage::MessageKey kMessage{storage::QueueId{1}, from_ms<TimePoint>(1'700'000'000'123),
                                   storage::Seq{99}, storage::Generation{3}};

// --- who may what ----------------------------------------------------------

struct Row {
  Role role;
  size_t call;  // index in Call
  PackParams pack;
};

const std::map<std::string, Row>& rows() {
  static const auto one_event = [](MapWriter& map) { map.text("RequestId", request_id(17)); };
  static const auto one_attempt = [](MapWriter& map) {
    map.text("RequestId", request_id(17)).number("Attempt", 1);
  };
  static const auto nothing = [](MapWriter&) {};
  static const std::map<std::string, Row> rows{
      {"Invoke", {Role::group, 0, [](MapWriter& map) { map.text("FunctionName", "resize"); }}},
      {"GetEvent", {Role::group, 1, one_event}},
      {"ListEvents", {Role::admin, 2, nothing}},
      {"CancelEvent", {Role::admin, 3, one_event}},
      {"ListFunctions", {Role::admin, 4, nothing}},
      {"GetStatus", {Role::admin, 5, nothing}},
      {"ListDeadLetters", {Role::admin, 6, nothing}},
      {"GetDeadLetter", {Role::admin, 7, one_event}},
      {"RedriveDeadLetters", {Role::admin, 8, one_event}},
      {"DiscardDeadLetters", {Role::admin, 8, one_event}},
      {"SendMessage", {Role::group, 9, [](MapWriter& map) {
                         map.text("QueueName", "done").bytes("MessageBody", "b");
                       }}},
      {"ReceiveMessage", {Role::group, 10, [](MapWriter& map) { map.text("QueueName", "done"); }}},
      {"DeleteMessage", {Role::group, 11, [](MapWriter& map) {
                           map.text("QueueName", "done");
                           map.text("ReceiptHandle", to_receipt(kMessage, kBox));
                         }}},
      {"ListQueues", {Role::group, 12, nothing}},
      {"GetEventPayload", {Role::admin, 13, one_event}},
      {"AttachWorker", {Role::group, 14, [](MapWriter& map) {
                          map.text("FunctionName", "resize").number("Concurrency", 1);
                        }}},
      {"SendAttemptSuccess", {Role::group, 15, one_attempt}},
      {"SendAttemptFailure", {Role::group, 15, one_attempt}},
      {"SendAttemptHeartbeat", {Role::group, 16, one_attempt}},
      {"DetachWorker", {Role::group, 17, nothing}},
  };
  return rows;
}

TEST(Decode, EveryOperationBecomesItsCallAndOnlyAdminsMayCallThoseOfAdmins) {
  EXPECT_EQ(operations().size(), rows().size());
  for (const Operation& operation : operations()) {
    SCOPED_TRACE(operation.name);
    const Row& row = rows().at(std::string{operation.name});
    EXPECT_EQ(operation.role, row.role);
    const Decoded decoded = decode_as(Role::admin, operation.name, row.pack);
    ASSERT_EQ(error_of(decoded), "none");
    EXPECT_EQ(std::get<Call>(decoded).index(), row.call);
    EXPECT_EQ(error_of(decode_as(Role::group, operation.name, row.pack)),
              row.role == Role::group ? "none" : kAccessDenied);
  }
}

TEST(Decode, AnUnknownMethodIsNamedBeforeAnythingElseIsLookedAt) {
  for (const char* method : {"invoke", "Nonsense", "GetStatus "}) {
    EXPECT_EQ(error_of(decode_as(Role::group, method, [](MapWriter& map) { map.text("x", ""); })),
              kUnknownOperation);
  }
}

TEST(Decode, AStrangerLearnsNothingOfTheFieldsOfAnAdminsOperation) {
  EXPECT_EQ(error_of(decode_as(Role::group, "ListEvents",
                               [](MapWriter& map) { map.text("Nonsense", ""); })),
            kAccessDenied);
}

// --- Invoke ----------------------------------------------------------------

TEST(DecodeInvoke, TheDefaultsAreThoseOfAws) {
  const auto call = call_of<core::Submission>(
      "Invoke", [](MapWriter& map) { map.text("FunctionName", "anything"); });
  EXPECT_EQ(call.function, "anything");  // the core knows which there are
  EXPECT_EQ(call.type, storage::InvocationType::synchronous);
  EXPECT_FALSE(call.dry_run);
  EXPECT_EQ(call.payload, "");
  EXPECT_EQ(call.idempotency_key, "");
  EXPECT_EQ(call.delay, Duration{0});
}

TEST(DecodeInvoke, EveryFieldArrives) {
  const std::string payload{"\0\xFF{}", 4};
  const auto call = call_of<core::Submission>("Invoke", [&](MapWriter& map) {
    map.text("FunctionName", "resize").text("InvocationType", "Event").bytes("Payload", payload);
    map.text("IdempotencyKey", "order-1").number("DelaySeconds", 90);
  });
  EXPECT_EQ(call.type, storage::InvocationType::event);
  EXPECT_EQ(call.payload, payload);
  EXPECT_EQ(call.idempotency_key, "order-1");
  EXPECT_EQ(call.delay, Duration{90'000});
}

TEST(DecodeInvoke, ADryRunMakesTheChecksOfAnEvent) {
  const auto call = call_of<core::Submission>("Invoke", [](MapWriter& map) {
    map.text("FunctionName", "resize").text("InvocationType", "DryRun");
  });
  EXPECT_EQ(call.type, storage::InvocationType::event);
  EXPECT_TRUE(call.dry_run);
}

TEST(DecodeInvoke, OnlyAnEventCanBeDelayed) {
  const auto with = [](std::string_view type, int64_t seconds) {
    return error_of("Invoke", [&](MapWriter& map) {
      map.text("FunctionName", "resize").text("InvocationType", type);
      map.number("DelaySeconds", seconds);
    });
  };
  EXPECT_EQ(with("Event", 1), "none");
  EXPECT_EQ(with("RequestResponse", 0), "none");
  EXPECT_EQ(with("RequestResponse", 1), kInvalidParameterValue);
}

// --- ids and names ---------------------------------------------------------

TEST(DecodeEvent, ARequestIdFindsItsEventAndOthersAreNotFound) {
  const auto with = [](std::string_view id) {
    return error_of("GetEvent", [&](MapWriter& map) { map.text("RequestId", id); });
  };
  const auto call = call_of<GetEvent>("GetEvent", [](MapWriter& map) {
    map.text("RequestId", request_id(17)).number("WaitSeconds", 20);
  });
  EXPECT_EQ(call.event, kEvent);
  EXPECT_EQ(call.wait, Duration{20'000});
  EXPECT_EQ(with(request_id(4999)), "none");
  EXPECT_EQ(with(request_id(5000)), kResourceNotFound) << "this seq has not been given yet";
  EXPECT_EQ(with(request_id(17, 3)), kResourceNotFound) << "there is no third function";
  EXPECT_EQ(with(request_id(17, 1, storage::BoxTag{1})), kResourceNotFound) << "another box";
  EXPECT_EQ(with(to_message_id(storage::Seq{17}, kBox)), kResourceNotFound) << "a message";
  storage::EventId other_lane = kEvent;
  other_lane.lane = storage::Lane{1};
  EXPECT_EQ(with(storage::to_request_id(other_lane, kBox)), kResourceNotFound);
  EXPECT_EQ(with("00000000-0000-0000-0000-000000000000"), kResourceNotFound);
  EXPECT_EQ(with(std::string(36, '-')), kResourceNotFound);
  EXPECT_EQ(with("not a RequestId"), kInvalidParameterValue);
}

TEST(DecodeNames, UnknownFunctionsAndQueuesAreNotFound) {
  const auto function = [](std::string_view method, std::string_view name) {
    return error_of(method, [&](MapWriter& map) { map.text("FunctionName", name); });
  };
  for (const char* method :
       {"ListEvents", "ListDeadLetters", "RedriveDeadLetters", "DiscardDeadLetters"}) {
    EXPECT_EQ(function(method, "mail"), "none") << method;
    EXPECT_EQ(function(method, "nobody"), kResourceNotFound) << method;
  }
  EXPECT_EQ(error_of("ReceiveMessage", [](MapWriter& map) { map.text("QueueName", "nobody"); }),
            kResourceNotFound);
}

TEST(DecodeQueues, EveryFieldArrives) {
  const auto sent = call_of<SendMessage>("SendMessage", [](MapWriter& map) {
    map.text("QueueName", "lost").bytes("MessageBody", "body").number("DelaySeconds", 900);
    map.map("MessageAttributes").text("a", "1").text("b", "2");
  });
  EXPECT_EQ(sent.queue, storage::QueueId{2});
  EXPECT_EQ(sent.message->body, "body");
  EXPECT_EQ(sent.message->attributes, (std::map<std::string, std::string>{{"a", "1"}, {"b", "2"}}));
  EXPECT_EQ(sent.delay, Duration{900'000});

  const auto few = call_of<ReceiveMessage>(
      "ReceiveMessage", [](MapWriter& map) { map.text("QueueName", "done"); });
  EXPECT_EQ(few.messages_max, 1u);
  EXPECT_EQ(few.visibility_timeout, std::nullopt);
  const auto many = call_of<ReceiveMessage>("ReceiveMessage", [](MapWriter& map) {
    map.text("QueueName", "done").number("MaxNumberOfMessages", 10).number("VisibilityTimeout", 0);
  });
  EXPECT_EQ(many.messages_max, 10u);
  EXPECT_EQ(many.visibility_timeout, Duration{0});
}

// --- lists and their markers -----------------------------------------------

TEST(DecodeLists, TheDefaultsListEverythingAHundredAtATime) {
  const auto events = call_of<ListEvents>("ListEvents", [](MapWriter&) {});
  EXPECT_EQ(events.rows_max, 100u);
  EXPECT_FALSE(events.filter.function || events.filter.state || events.marker);
  const auto dead = call_of<ListDeadLetters>("ListDeadLetters", [](MapWriter& map) {
    map.text("FunctionName", "mail").number("MaxItems", 7);
    map.text("Marker", "l000000000000000c");
  });
  EXPECT_EQ(dead.function, storage::FunctionId{2});
  EXPECT_EQ(dead.rows_max, 7u);
  EXPECT_EQ(dead.marker, "l000000000000000c");
}

// The disk answers a marker that is not its own with an error, and an error of the
// disk stops the daemon: so both must agree about every one.
TEST(DecodeLists, WhatMarkersAreTakenIsWhatTheListsTake) {
  const std::map<std::string, std::optional<storage::ViewState>> states{
      {"", std::nullopt},
      {"pending", storage::ViewState::pending},
      {"running", storage::ViewState::running},
      {"dead", storage::ViewState::dead},
      {"succeeded", storage::ViewState::succeeded},
      {"failed", storage::ViewState::failed},
      {"cancelled", storage::ViewState::cancelled},
  };
  std::vector<std::string> markers{"x", "r", "r00", "R0000000000000001", "r000000000000000g",
                                   "r00000000000000001", "z0000000000000001"};
  for (const char letter : std::string{"rpdhl"}) {
    markers.push_back(letter + std::string(16, '0'));
    markers.push_back(letter + std::string(16, 'f'));
  }
  const storage::MemoryStore store;
  const std::vector<storage::FunctionId> functions{storage::FunctionId{1}};
  size_t taken = 0;
  for (const std::string& marker : markers) {
    for (const auto& [name, state] : states) {
      SCOPED_TRACE(marker + " for " + name);
      const auto listed = storage::list_events(store, functions, {std::nullopt, state},
                                               storage::Seq{}, marker, {});
      const std::string error = error_of("ListEvents", [&](MapWriter& map) {
        if (!name.empty()) map.text("State", name);
        map.text("Marker", marker);
      });
      EXPECT_EQ(error, listed ? "none" : kInvalidParameterValue);
      taken += error == "none" ? 1 : 0;
    }
    const auto listed =
        storage::list_dead_letters(store, functions, std::nullopt, marker, {});
    EXPECT_EQ(error_of("ListDeadLetters", [&](MapWriter& map) { map.text("Marker", marker); }),
              listed ? "none" : kInvalidParameterValue);
  }
  EXPECT_EQ(taken, 2u * (4 + 6));
}

TEST(DecodeMove, TakesOneEventOrAFunctionAndAMarkerOnlyWithAFunction) {
  const auto verb = [](std::string_view method) {
    return call_of<core::DeadLettersRequest>(
               method, [](MapWriter& map) { map.text("RequestId", request_id(17)); })
        .verb;
  };
  EXPECT_EQ(verb("RedriveDeadLetters"), core::DeadLetterVerb::redrive);
  EXPECT_EQ(verb("DiscardDeadLetters"), core::DeadLetterVerb::discard);

  const auto one = call_of<core::DeadLettersRequest>(
      "RedriveDeadLetters", [](MapWriter& map) { map.text("RequestId", request_id(17)); });
  EXPECT_EQ(one.one, kEvent);
  EXPECT_EQ(one.function, kEvent.function);

  const DeadLettersPage page{storage::Seq{5}, storage::Seq{UINT64_MAX}};
  const auto all = call_of<core::DeadLettersRequest>("DiscardDeadLetters", [&](MapWriter& map) {
    map.text("FunctionName", "mail").text("Marker", to_page_marker(page));
  });
  EXPECT_EQ(all.function, storage::FunctionId{2});
  EXPECT_EQ(all.one, std::nullopt);
  EXPECT_EQ(all.page, page);

  const std::vector<PackParams> refused{
      [](MapWriter&) {},
      [](MapWriter& map) { map.text("RequestId", request_id(17)).text("FunctionName", "mail"); },
      [&](MapWriter& map) {
        map.text("RequestId", request_id(17)).text("Marker", to_page_marker(page));
      },
      [](MapWriter& map) { map.text("FunctionName", "mail").text("Marker", "p0000000000000001"); },
      [](MapWriter& map) { map.text("FunctionName", "mail").text("Marker", std::string(31, '0')); },
      [](MapWriter& map) { map.text("FunctionName", "mail").text("Marker", std::string(34, '0')); },
      [](MapWriter& map) { map.text("FunctionName", "mail").text("Marker", std::string(32, 'F')); },
  };
  for (const PackParams& pack : refused) {
    EXPECT_EQ(error_of("RedriveDeadLetters", pack), kInvalidParameterValue);
  }
}

// --- receipts --------------------------------------------------------------

std::string delete_error(std::string_view queue, std::string_view receipt) {
  return error_of("DeleteMessage", [&](MapWriter& map) {
    map.text("QueueName", queue).text("ReceiptHandle", receipt);
  });
}

TEST(Receipts, ComeBackAsTheKeyTheyWereMadeOf) {
  const auto call = call_of<DeleteMessage>("DeleteMessage", [](MapWriter& map) {
    map.text("QueueName", "done").text("ReceiptHandle", to_receipt(kMessage, kBox));
  });
  EXPECT_EQ(call.receipt, kMessage);
}

// The row is looked for on the disk, and a key there CHECKs what it is made of.
TEST(Receipts, AreTakenOnlyIfTheirRowCanHaveAKey) {
  for (const int64_t ms : {int64_t{0}, storage::kInstantMsMax}) {
    storage::MessageKey key = kMessage;
    key.visible_at = from_ms<TimePoint>(ms);
    EXPECT_EQ(from_receipt(to_receipt(key, kBox), kBox), key);
    EXPECT_EQ(storage::parse_message_key(storage::message_key(key)), key);
  }
}

TEST(Receipts, EveryPrefixAndEveryChangedCharacterIsInvalid) {
  const std::string receipt = to_receipt(kMessage, kBox);
  for (size_t n = 0; n < receipt.size(); ++n) {
    EXPECT_EQ(from_receipt(receipt.substr(0, n), kBox), std::nullopt) << n;
    std::string changed = receipt;
    changed[n] = changed[n] == '0' ? '1' : '0';
    EXPECT_EQ(from_receipt(changed, kBox), std::nullopt) << n;
    changed[n] = 'G';
    EXPECT_EQ(from_receipt(changed, kBox), std::nullopt) << n;
  }
  EXPECT_EQ(from_receipt(receipt + "00", kBox), std::nullopt);
}

TEST(Receipts, OfAnotherBoxOrQueueOrBeyondAllTimeAreInvalid) {
  EXPECT_EQ(delete_error("done", to_receipt(kMessage, kBox)), "none");
  EXPECT_EQ(delete_error("lost", to_receipt(kMessage, kBox)), kReceiptHandleIsInvalid);
  EXPECT_EQ(delete_error("done", to_receipt(kMessage, storage::BoxTag{1})),
            kReceiptHandleIsInvalid);
  EXPECT_EQ(delete_error("done", "garbage"), kReceiptHandleIsInvalid);
  EXPECT_EQ(delete_error("nobody", "garbage"), kResourceNotFound);
  for (const int64_t ms : {int64_t{-1}, storage::kInstantMsMax + 1, INT64_MIN}) {
    storage::MessageKey forged = kMessage;
    forged.visible_at = from_ms<TimePoint>(ms);
    EXPECT_EQ(from_receipt(to_receipt(forged, kBox), kBox), std::nullopt) << ms;
  }
}

}  // namespace
}  // namespace holdfast::api
