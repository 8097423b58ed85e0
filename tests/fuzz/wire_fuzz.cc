// A stream of bytes as a peer may send it, to the readers of both sides.
//
//    input := the bytes
//
// What must hold
//   - What is heard does not depend on how the bytes were cut when they arrived.
//   - A frame that the scanner has cut out is one MessagePack value for msgpack too, and
//     bytes for which the scanner still waits are none yet: the two read one grammar.
//   - A message that was read can be written, and is the same when it is read again.
//   - A reader that has told a fault tells the same one for ever.
#include "client/wire/frame_buffer.h"
#include "client/wire/message.h"
#include "storage/base/check.h"
#include "storage/base/random.h"
#include "tests/fuzz/target.h"

namespace holdfast::wire {
namespace {

std::string packed(const msgpack::object& object) {
  std::string bytes;
  append_object(bytes, object);
  return bytes;
}

std::string told(const Fault& fault) {
  CHECK(fault.type == kInvalidRequestContent || fault.type == kRequestTooLarge);
  CHECK(!fault.message.empty());
  return "fault " + std::to_string(fault.msgid) + " " + std::string{fault.type} + ": " +
         fault.message;
}

std::string told(const Request& request) {
  CHECK(request.params.type == msgpack::type::MAP);
  CHECK(!request.method.empty() && request.method.size() <= kMethodBytesMax);
  return "request " + std::to_string(request.msgid) + " " + std::string{request.method} +
         " " + packed(request.params);
}

std::string told(const Reply& reply) {
  const std::string number = std::to_string(reply.msgid);
  if (const auto* error = std::get_if<CallError>(&reply.answer)) {
    return "error " + number + " " + error->type + ": " + error->message;
  }
  return "result " + number + " " + packed(std::get<msgpack::object_handle>(reply.answer).get());
}

std::string written(const Request& request) {
  return encode_request(request.msgid, request.method, request.params);
}

std::string written(const Reply& reply) {
  std::string bytes;
  if (const auto* error = std::get_if<CallError>(&reply.answer)) {
    append_error_reply(bytes, reply.msgid, *error);
  } else {
    append_object(ReplyWriter{bytes, reply.msgid}.result(),
                  std::get<msgpack::object_handle>(reply.answer).get());
  }
  return bytes;
}

// A reader, and everything it has told so far.
template <class Reader, class Message>
class Listener {
 public:
  void hear(std::string_view piece) {
    reader_.feed(piece);
    while (!failed_) {
      auto next = reader_.next();
      if (std::holds_alternative<NeedMore>(next)) return;
      if (const auto* fault = std::get_if<Fault>(&next)) {
        heard_.push_back(told(*fault));
        failed_ = true;
      } else {
        heard_.push_back(told(std::get<Message>(next)));
        if (again_) check_again(std::get<Message>(next));
      }
    }
    const auto next = reader_.next();
    CHECK(std::holds_alternative<Fault>(next));
    CHECK(told(std::get<Fault>(next)) == heard_.back());
  }

  // Writes each message and reads it back; too slow to do it for every way of cutting.
  void check_messages() { again_ = true; }

  const std::vector<std::string>& heard() const { return heard_; }

 private:
  void check_again(const Message& message) {
    const std::string bytes = written(message);
    Reader reader;
    reader.feed(bytes);
    const auto next = reader.next();
    CHECK(std::holds_alternative<Message>(next));
    CHECK(told(std::get<Message>(next)) == heard_.back());
    CHECK(std::holds_alternative<NeedMore>(reader.next()));
  }

  Reader reader_;
  std::vector<std::string> heard_;
  bool again_ = false;
  bool failed_ = false;
};

// Longer streams come in longer pieces only, for the sake of time.
constexpr size_t kFedByteByByteMax = 512;

template <class Reader, class Message>
void check_reader(std::string_view stream, Random random) {
  Listener<Reader, Message> whole;
  whole.check_messages();
  whole.hear(stream);

  const uint64_t few = stream.size() <= kFedByteByByteMax ? 8 : 64;
  for (const uint64_t piece_bytes_max : {few, uint64_t{300}}) {
    Listener<Reader, Message> pieces;
    for (std::string_view rest = stream; !rest.empty();) {
      const std::string_view piece = rest.substr(0, 1 + random.up_to(piece_bytes_max));
      pieces.hear(piece);
      rest.remove_prefix(piece.size());
    }
    CHECK(pieces.heard() == whole.heard());
  }
  if (stream.size() > kFedByteByByteMax) return;
  Listener<Reader, Message> bytes;
  for (const char& byte : stream) bytes.hear({&byte, 1});
  CHECK(bytes.heard() == whole.heard());
}

// Where the first value of the bytes ends for msgpack; nothing if they hold no whole one.
std::optional<size_t> end_of_value(std::string_view bytes) {
  try {
    size_t end = 0;
    const msgpack::object_handle value = msgpack::unpack(bytes.data(), bytes.size(), end);
    return end;
  } catch (const msgpack::unpack_error&) {
    return std::nullopt;
  }
}

void check_frames(std::string_view stream) {
  FrameBuffer buffer{kRequestLimits};
  buffer.feed(stream);
  for (size_t begin = 0;;) {
    const std::string_view rest = stream.substr(begin);
    const auto next = buffer.next();
    if (std::holds_alternative<ScanFault>(next)) {
      CHECK(buffer.scanned() == rest.substr(0, buffer.scanned().size()));
      return;
    }
    if (std::holds_alternative<NeedMore>(next)) {
      CHECK(buffer.rest_bytes() == rest.size());
      CHECK(rest.empty() || !end_of_value(rest));
      return;
    }
    const std::string_view frame = std::get<std::string_view>(next);
    CHECK(!frame.empty() && frame == rest.substr(0, frame.size()));
    CHECK(end_of_value(frame) == frame.size());
    begin += frame.size();
  }
}

}  // namespace
}  // namespace holdfast::wire

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdfast::wire;
  const std::string_view stream = holdfast::fuzz::view_of(data, size);
  const holdfast::Random random{holdfast::fuzz::number_of(stream)};
  check_frames(stream);
  check_reader<RequestReader, Request>(stream, random);
  check_reader<ReplyReader, Reply>(stream, random);
  return 0;
}
