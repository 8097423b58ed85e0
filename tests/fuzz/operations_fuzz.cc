// A request of a peer, down to the call that the daemon's core is given.
//
//    input := 0x90..0x9F bytes        as it comes from the socket
//           | operation:u8 field*     a request of the right shape with any values
//    field := name:u8 kind:u8 ...     see Packer below
//
// What must hold
//   - An error has a type of the protocol, says something that can be printed, and can be
//     sent; an operation of admins answers everybody else the same, whatever the fields.
//   - A call can harm neither the core nor the disk: ids and markers are ones that this
//     box could have given, numbers are in their range, and what will be stored can be.
#include <algorithm>
#include <vector>

#include "client/wire/limits.h"
#include "client/wire/message.h"
#include "daemon/api/calls.h"
#include "daemon/api/errors.h"
#include "daemon/api/handles.h"
#include "daemon/api/text.h"
#include "storage/base/check.h"
#include "storage/base/match.h"
#include "storage/codec.h"
#include "storage/keys.h"
#include "storage/limits.h"
#include "storage/list_marker.h"
#include "storage/memory_store.h"
#include "tests/fuzz/target.h"

namespace holdfast::api {
namespace {

using std::chrono::seconds;

constexpr storage::BoxTag kBox{0x2ABCD};
constexpr size_t kErrorBytesMax = 1024;
const std::vector<storage::FunctionId> kFunctions{storage::FunctionId{1}, storage::FunctionId{2}};

// A box with two functions and two queues, ids 1 and 2 each, that has accepted events.
core::Ledger ledger_of_target() {
  storage::Recovered recovered;
  recovered.fresh_directory = true;
  core::Ledger ledger{recovered, kBox};
  ledger.function_named("resize");
  ledger.function_named("mail");
  ledger.queue_named("done");
  ledger.queue_named("lost");
  ledger.change().next_seq = storage::Seq{5000};
  return ledger;
}

const core::Ledger& ledger() {
  static const core::Ledger ledger = ledger_of_target();
  return ledger;
}

// --- requests out of a recipe ------------------------------------------------

class Packer {
 public:
  explicit Packer(fuzz::Recipe recipe) : recipe_(recipe) {}

  std::string request() {
    const Operation& operation = operations()[recipe_.up_to(operations().size() - 1)];
    std::string bytes;
    wire::begin_request(bytes, static_cast<uint32_t>(recipe_.number(1)), operation.name);
    wire::MapWriter map{bytes};
    while (!recipe_.empty()) {
      const uint64_t name = recipe_.up_to(operation.fields.size());
      if (name == operation.fields.size()) {
        append_value(map.value_of(recipe_.text(70)), nullptr);
      } else {
        append_value(map.value_of(operation.fields[name].name), &operation.fields[name]);
      }
    }
    return bytes;
  }

 private:
  // `field` is null for one that does not exist.
  void append_value(std::string& out, const Field* field) {
    switch (recipe_.number(1) % 15) {
      case 0: return wire::append_str(out, recipe_.text(300));
      case 1: return wire::append_bin(out, recipe_.text(300));
      case 2: return wire::append_int(out, static_cast<int64_t>(recipe_.number(8)));
      case 3: return wire::append_uint(out, recipe_.number(8));
      case 4: return wire::append_int(out, static_cast<int8_t>(recipe_.number(1)));
      case 5: return append_limit(out, field);
      case 6: return append_known_name(out);
      case 7: return append_texts(out);
      case 8: return wire::append_str(out, request_id());
      case 9: return wire::append_str(out, receipt());
      case 10: return append_list_marker(out);
      case 11: return append_page_marker(out);
      case 12: return wire::append_str(out, to_message_id(storage::Seq{recipe_.number(2)}, kBox));
      case 13: return wire::append_bool(out, recipe_.number(1) != 0);
      default: return append_numbers(out);
    }
  }

  // The limits of the field, and one beyond either; of words one of them.
  void append_limit(std::string& out, const Field* field) {
    const uint64_t choice = recipe_.number(1);
    if (field == nullptr) return wire::append_nil(out);
    if (!field->words.empty()) {
      return wire::append_str(out, field->words[choice % field->words.size()]);
    }
    const int64_t limits[] = {field->min, field->max, field->min - 1, field->max + 1};
    const int64_t limit = limits[choice % 4];
    if (field->type == FieldType::number) return wire::append_int(out, limit);
    if (field->type == FieldType::numbers) return append_many_numbers(out, limit);
    const auto bytes = static_cast<size_t>(std::clamp<int64_t>(limit, 0, 10'000));
    const std::string text(bytes, field->alphabet == Alphabet::uuid ? 'a' : 'x');
    if (field->type != FieldType::texts) return wire::append_str(out, text);
    wire::MapWriter{out}.text("x", text.substr(0, bytes - 1));
  }
  void append_known_name(std::string& out) {
    static constexpr std::string_view kNames[] = {"resize", "mail", "done", "lost", "nobody"};
    wire::append_str(out, kNames[recipe_.up_to(std::size(kNames) - 1)]);
  }
  void append_texts(std::string& out) {
    wire::MapWriter map{out};
    for (uint64_t left = recipe_.up_to(4); left > 0; --left) {
      const std::string_view name = recipe_.text(20);
      map.text(name, recipe_.text(20));
    }
  }
  // Attempts that are held: each of any event, and of any number.
  void append_numbers(std::string& out) {
    wire::MapWriter map{out};
    for (uint64_t left = recipe_.up_to(4); left > 0; --left) {
      const std::string id = request_id();
      map.number(id, static_cast<int8_t>(recipe_.number(1)));
    }
  }
  void append_many_numbers(std::string& out, int64_t entries) {
    wire::MapWriter map{out};
    for (int64_t n = 0; n < entries; ++n) {
      const storage::Seq seq{static_cast<uint64_t>(n)};
      map.number(storage::to_request_id({storage::FunctionId{1}, storage::Lane{}, seq}, kBox), 1);
    }
  }
  void append_list_marker(std::string& out) {
    static constexpr std::string_view kLetters = "rpdhlx";
    const char letter = kLetters[recipe_.up_to(kLetters.size() - 1)];
    const storage::Seq below{recipe_.number(8)};
    wire::append_str(out, storage::to_text({static_cast<storage::ListSection>(letter), below}));
  }
  void append_page_marker(std::string& out) {
    const storage::Seq from{recipe_.number(8)};
    wire::append_str(out, to_page_marker({from, storage::Seq{recipe_.number(8)}}));
  }

  storage::BoxTag box() {
    return recipe_.number(1) == 0xFF ? storage::BoxTag{kBox.value ^ 1} : kBox;
  }
  std::string request_id() {
    const storage::BoxTag of = box();
    return storage::to_request_id({storage::FunctionId{static_cast<uint32_t>(recipe_.up_to(3))},
                                   storage::Lane{static_cast<uint8_t>(recipe_.number(1) / 128)},
                                   storage::Seq{recipe_.number(2)}},
                                  of);
  }
  std::string receipt() {
    const storage::MessageKey key{storage::QueueId{static_cast<uint32_t>(recipe_.up_to(3))},
                                  from_ms<TimePoint>(static_cast<int64_t>(recipe_.number(8))),
                                  storage::Seq{recipe_.number(2)},
                                  storage::Generation{static_cast<uint32_t>(recipe_.number(1))}};
    return to_receipt(key, box());
  }

  fuzz::Recipe recipe_;
};

// --- what must hold ----------------------------------------------------------

void check_error(const wire::CallError& error) {
  CHECK(std::find(kErrorTypes.begin(), kErrorTypes.end(), error.type) != kErrorTypes.end());
  CHECK(!error.message.empty() && error.message.size() <= kErrorBytesMax);
  CHECK(is_utf8(error.message));
  CHECK(std::none_of(error.message.begin(), error.message.end(), [](char character) {
    return static_cast<uint8_t>(character) < 0x20 || character == 0x7F;
  }));
}

void check_event(const storage::EventId& event) {
  CHECK(event.lane == storage::Lane{});
  CHECK(event.seq < ledger().state().next_seq);
  CHECK(ledger().functions().contains(event.function));
}
void check_function(const std::optional<storage::FunctionId>& function) {
  CHECK(!function || ledger().functions().contains(*function));
}
void check_length(Duration length, uint32_t seconds_max) {
  CHECK(length >= Duration::zero() && length <= seconds{seconds_max});
}
void check_rows(size_t rows_max) { CHECK(rows_max >= 1 && rows_max <= wire::kPageItemsMax); }

void check_call(const core::Submission& call) {
  CHECK(!call.function.empty() && call.function.size() <= wire::kFunctionNameBytesMax);
  CHECK(call.idempotency_key.size() <= storage::kIdempotencyKeyBytesMax);
  CHECK(call.idempotency_key.find('\0') == std::string::npos && is_utf8(call.idempotency_key));
  CHECK(call.payload.size() <= storage::kSynchronousPayloadBytesMax);
  check_length(call.delay, wire::kInvokeDelaySecondsMax);
  const bool event = call.type == storage::InvocationType::event;
  CHECK(event || (call.delay == Duration::zero() && !call.dry_run));
  // What the core would store of it.
  storage::EventRecord record;
  record.idempotency_key = call.idempotency_key;
  record.payload = call.payload;
  if (record.payload.size() <= storage::kEventPayloadBytesMax) (void)encode(record);
}
void check_call(const GetEvent& call) {
  check_event(call.event);
  check_length(call.wait, wire::kWaitSecondsMax);
}
void check_call(const GetEventPayload& call) { check_event(call.event); }
void check_call(const ListEvents& call) {
  check_function(call.filter.function);
  check_rows(call.rows_max);
  static const storage::MemoryStore store;
  const storage::PageBudget budget{call.rows_max, {}};
  CHECK(list_events(store, kFunctions, call.filter, storage::Seq{}, call.marker, budget));
}
void check_call(const CancelEvent& call) { check_event(call.event); }
void check_call(const ListFunctions&) {}
void check_call(const GetStatus&) {}
void check_call(const ListDeadLetters& call) {
  check_function(call.function);
  check_rows(call.rows_max);
  static const storage::MemoryStore store;
  const storage::PageBudget budget{call.rows_max, {}};
  CHECK(list_dead_letters(store, kFunctions, call.function, call.marker, budget));
}
void check_call(const GetDeadLetter& call) { check_event(call.event); }
void check_call(const core::DeadLettersRequest& call) {
  check_function(call.function);
  if (call.one) {
    check_event(*call.one);
    CHECK(call.function == call.one->function && !call.page);
  }
  if (call.page) CHECK(from_page_marker(to_page_marker(*call.page)) == call.page);
}
void check_call(const SendMessage& call) {
  CHECK(ledger().queues().contains(call.queue));
  CHECK(!call.message->body.empty());
  CHECK(call.message->body.size() <= storage::kMessageBodyBytesMax);
  check_length(call.delay, wire::kMessageDelaySecondsMax);
  const auto again = storage::decode_message(encode(*call.message));
  CHECK(again && *again == *call.message);
}
void check_call(const ReceiveMessage& call) {
  CHECK(ledger().queues().contains(call.queue));
  CHECK(call.messages_max >= 1 && call.messages_max <= wire::kReceiveMessagesMax);
  if (call.visibility_timeout) {
    check_length(*call.visibility_timeout, wire::kVisibilityTimeoutSecondsMax);
  }
}
void check_call(const DeleteMessage& call) {
  CHECK(ledger().queues().contains(call.receipt.queue));
  CHECK(from_receipt(to_receipt(call.receipt, kBox), kBox) == call.receipt);
  // The row is looked for under this key.
  CHECK(storage::parse_message_key(message_key(call.receipt)) == call.receipt);
}
void check_call(const ListQueues&) {}
void check_attempt(storage::AttemptNumber attempt) { CHECK(attempt.value >= 1); }
void check_call(const AttachWorker& call) {
  CHECK(!call.function.empty() && call.function.size() <= wire::kFunctionNameBytesMax);
  CHECK(call.concurrency >= 1 && call.concurrency <= wire::kWorkerConcurrencyMax);
  CHECK(call.held.size() <= wire::kWorkerConcurrencyMax);
  for (const auto& [event, attempt] : call.held) {
    check_event(event);
    check_attempt(attempt);
  }
}
void check_call(const AnswerAttempt& call) {
  check_event(call.event);
  check_attempt(call.attempt);
  CHECK(call.report.log_tail.size() <= storage::kLogTailBytesMax);
  const auto* failed = std::get_if<core::Failed>(&call.report.outcome);
  CHECK(failed != nullptr || std::holds_alternative<core::Succeeded>(call.report.outcome));
  if (failed == nullptr) return;
  CHECK(failed->error_type.size() <= storage::kErrorTypeBytesMax && is_utf8(failed->error_type));
  CHECK(failed->error_message.size() <= storage::kErrorMessageBytesMax);
}
void check_call(const HeartbeatAttempt& call) {
  check_event(call.event);
  check_attempt(call.attempt);
}
void check_call(const DetachWorker&) {}

void check_reply(uint32_t msgid, const wire::CallError& error) {
  std::string bytes;
  wire::append_error_reply(bytes, msgid, error);
  wire::ReplyReader reader;
  reader.feed(bytes);
  const auto next = reader.next();
  const auto* reply = std::get_if<wire::Reply>(&next);
  CHECK(reply != nullptr && reply->msgid == msgid);
  const auto* read = std::get_if<wire::CallError>(&reply->answer);
  CHECK(read != nullptr && read->type == error.type && read->message == error.message);
}

template <class T>
const T* call_in(const std::variant<Call, wire::CallError>& decoded) {
  const Call* call = std::get_if<Call>(&decoded);
  return call == nullptr ? nullptr : std::get_if<T>(call);
}

void check_request(const wire::Request& request) {
  const Operation* operation = find_operation(request.method);
  core::PayloadMemory payloads;
  const auto decoded = decode(request, Role::admin, ledger(), payloads);
  const auto of_group = decode(request, Role::group, ledger(), payloads);
  if (const auto* error = std::get_if<wire::CallError>(&decoded)) {
    check_error(*error);
    check_reply(request.msgid, *error);
  } else {
    std::visit([](const auto& call) { check_call(call); }, std::get<Call>(decoded));
  }
  // Nothing that was sent is left out without a word.
  if (const auto* sent = call_in<SendMessage>(decoded)) {
    const msgpack::object* texts = wire::find(request.params, "MessageAttributes");
    CHECK(sent->message->attributes.size() == (texts == nullptr ? 0 : texts->via.map.size));
  }
  const auto* refused = std::get_if<wire::CallError>(&of_group);
  if (operation != nullptr && operation->role == Role::admin) {
    CHECK(refused != nullptr && refused->type == kAccessDenied);
  } else {
    CHECK(of_group.index() == decoded.index());
    if (refused != nullptr) CHECK(refused->message == std::get<wire::CallError>(decoded).message);
  }
}

}  // namespace
}  // namespace holdfast::api

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdfast;
  if (size == 0) return 0;
  const std::string_view input = fuzz::view_of(data, size);
  const bool raw = (data[0] & 0xF0) == 0x90;
  const std::string made = raw ? std::string{} : api::Packer{fuzz::Recipe{input}}.request();
  wire::RequestReader reader;
  reader.feed(raw ? input : made);
  for (;;) {
    const auto next = reader.next();
    const auto* request = std::get_if<wire::Request>(&next);
    if (request == nullptr) break;
    api::check_request(*request);
  }
  return 0;
}
