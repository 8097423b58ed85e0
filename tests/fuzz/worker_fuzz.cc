// A stream of bytes as something that is not the daemon may send it to a worker.
//
//    input := the bytes
//
// What must hold
//   - What is heard does not depend on how the bytes were cut when they arrived.
//   - A message and what is decoded of it keep to the limits of a reply, and are no larger
//     than the bytes that they came from.
//   - A push that was read can be written, and is the same when it is read again.
//   - What a worker names or answers afterwards are requests that the daemon can read.
//   - A reader that has told a fault tells the same one for ever.
#include <optional>
#include <string>
#include <vector>

#include "client/wire/limits.h"
#include "client/wire/message.h"
#include "client/worker_book.h"
#include "client/worker_messages.h"
#include "storage/base/check.h"
#include "storage/base/match.h"
#include "storage/base/random.h"
#include "tests/fuzz/target.h"

namespace holdfast::client {
namespace {

using Heard = std::vector<std::string>;

std::string packed(const msgpack::object& object) {
  std::string bytes;
  wire::append_object(bytes, object);
  return bytes;
}

// Whether it keeps to what a client of ours is willing to read.
void check_limits(const msgpack::object& object, uint32_t depth, uint64_t& values) {
  CHECK(depth <= wire::kReplyNestingMax);
  CHECK(++values <= wire::kReplyValuesMax);
  if (object.type == msgpack::type::ARRAY) {
    for (uint32_t n = 0; n < object.via.array.size; ++n) {
      check_limits(object.via.array.ptr[n], depth + 1, values);
    }
  }
  if (object.type == msgpack::type::MAP) {
    for (uint32_t n = 0; n < object.via.map.size; ++n) {
      check_limits(object.via.map.ptr[n].key, depth + 1, values);
      check_limits(object.via.map.ptr[n].val, depth + 1, values);
    }
  }
}

// --- what a worker makes of a message -----------------------------------------

// The daemon's side: what is sent after all that must be a request.
void check_request(std::string_view method, const std::string& bytes) {
  wire::RequestReader reader;
  reader.feed(bytes);
  const auto next = reader.next();
  CHECK(std::holds_alternative<wire::Request>(next));
  CHECK(std::get<wire::Request>(next).method == method);
  CHECK(std::holds_alternative<wire::NeedMore>(reader.next()));
}

void check_answer(const RunAttempt& what) {
  const Attempt attempt{what};
  for (const AttemptResult& result :
       {sendable(success(what.payload)), failure(what.function_name, what.payload, what.payload)}) {
    check_request(method_of(result),
                  wire::encode_request(1, method_of(result), [&](wire::MapWriter& params) {
                    pack_which(params, attempt);
                    pack_result(params, result);
                  }));
  }
  check_request(kAttachWorker, wire::encode_request(1, kAttachWorker, [&](wire::MapWriter& params) {
    pack_attach(params, {.function_name = what.function_name}, {{what.request_id, what.number}});
  }));
}

std::string told(const RunAttempt& what) {
  return " runs " + what.request_id + " " + std::to_string(what.number) + " of " +
         what.function_name + " " + what.invocation_type + " " +
         std::to_string(what.deadline_at_ms) + " " + what.idempotency_key.value_or("(none)") + " " +
         what.payload;
}

std::string told(const AttachReply& attached) {
  CHECK(attached.timeout > Duration::zero() && attached.timeout <= kTimeoutMax);
  const Duration window = attached.reattach_window.value_or(Duration::zero());
  CHECK(window >= Duration::zero() && window <= kTimeoutMax);
  std::string text = " attached " + std::to_string(attached.timeout.count()) + " " +
                     std::to_string(attached.reattach_window.value_or(Duration{-1}).count());
  for (const std::string& id : attached.continued) text += " " + id;
  return text;
}

// Each decoder is given everything: the daemon, and not the program, says what a map is.
std::string decoded(const msgpack::object& object, bool thorough) {
  uint64_t values = 0;
  check_limits(object, 1, values);
  const std::string bytes = packed(object);
  std::string text;
  if (const auto what = RunAttempt::unpack(object)) {
    CHECK(what->payload.size() + what->function_name.size() + what->request_id.size() +
              what->invocation_type.size() <=
          bytes.size());
    text += told(*what);
    if (thorough) check_answer(*what);
  }
  if (const auto which = unpack_which(object)) {
    CHECK(which->request_id.size() <= bytes.size());
    text += " names " + which->request_id + " " + std::to_string(which->number);
  }
  if (const auto attached = AttachReply::unpack(object)) {
    CHECK(attached->continued.size() <= bytes.size());
    text += told(*attached);
  }
  return bytes + text;
}

// --- the reader ----------------------------------------------------------------

std::string told(const wire::Fault& fault) {
  CHECK(!fault.message.empty());
  return "fault " + std::to_string(fault.msgid) + " " + fault.message;
}

// A reader, and everything it has told so far. Thorough: what it has told is written, and
// read back; too slow to do it for every way of cutting.
class Listener {
 public:
  explicit Listener(bool thorough) : thorough_(thorough) {}

  void hear(std::string_view piece) {
    reader_.feed(piece);
    bool more = !failed_;
    while (more) {
      auto next = reader_.next();
      std::visit(match{
                     [&](wire::NeedMore) { more = false; },
                     [&](const wire::Reply& reply) { take(reply); },
                     [&](const wire::Push& push) { take(push); },
                     [&](const wire::Fault& fault) {
                       heard_.push_back(told(fault));
                       failed_ = true;
                       more = false;
                     },
                 },
                 next);
    }
    const auto again = reader_.next();
    const auto* fault = std::get_if<wire::Fault>(&again);
    CHECK((fault != nullptr) == failed_);
    if (fault != nullptr) CHECK(told(*fault) == heard_.back());
  }

  const Heard& heard() const { return heard_; }

 private:
  void take(const wire::Reply& reply) {
    const std::string number = std::to_string(reply.msgid);
    if (const auto* error = std::get_if<wire::CallError>(&reply.answer)) {
      return heard_.push_back("error " + number + " " + error->type + ": " + error->message);
    }
    const auto& result = std::get<msgpack::object_handle>(reply.answer);
    heard_.push_back("result " + number + " " + decoded(result.get(), thorough_));
  }

  void take(const wire::Push& push) {
    CHECK(push.params.get().type == msgpack::type::MAP);
    CHECK(!push.method.empty() && push.method.size() <= wire::kMethodBytesMax);
    heard_.push_back("push " + push.method + " " + decoded(push.params.get(), thorough_));
    if (thorough_) check_again(push);
  }

  // PushWriter's map is written field by field; here is one that holds whatever was read.
  void check_again(const wire::Push& push) {
    std::string bytes;
    wire::append_array_head(bytes, 3);
    wire::append_uint(bytes, 2);
    wire::append_str(bytes, push.method);
    wire::append_array_head(bytes, 1);
    wire::append_object(bytes, push.params.get());
    Listener again{false};
    again.hear(bytes);
    CHECK(again.heard() == Heard{heard_.back()});
  }

  wire::WorkerReader reader_;
  Heard heard_;
  const bool thorough_;
  bool failed_ = false;
};

// Longer streams come in longer pieces only, for the sake of time.
constexpr size_t kFedByteByByteMax = 512;

void check_cuts(std::string_view stream, Random random) {
  Listener whole{true};
  whole.hear(stream);

  const uint64_t few = stream.size() <= kFedByteByByteMax ? 8 : 64;
  for (const uint64_t piece_bytes_max : {few, uint64_t{300}}) {
    Listener pieces{false};
    for (std::string_view rest = stream; !rest.empty();) {
      const std::string_view piece = rest.substr(0, 1 + random.up_to(piece_bytes_max));
      pieces.hear(piece);
      rest.remove_prefix(piece.size());
    }
    CHECK(pieces.heard() == whole.heard());
  }
  if (stream.size() > kFedByteByByteMax) return;
  Listener bytes{false};
  for (const char& byte : stream) bytes.hear({&byte, 1});
  CHECK(bytes.heard() == whole.heard());
}

}  // namespace
}  // namespace holdfast::client

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view stream = holdfast::fuzz::view_of(data, size);
  holdfast::client::check_cuts(stream, holdfast::Random{holdfast::fuzz::number_of(stream)});
  return 0;
}
