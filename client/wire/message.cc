#include "client/wire/message.h"

#include <string>
#include <utility>

#include "storage/base/check.h"
#include "storage/base/match.h"

namespace holdfast::wire {
namespace {

constexpr uint64_t kTypeRequest = 0;
constexpr uint64_t kTypeReply = 1;
constexpr uint64_t kTypeNotification = 2;

// The msgid of a message, even if the rest of it is broken or has not arrived.
//
//   message := array-header one-byte-type msgid ...
uint32_t msgid_of(std::string_view bytes) {
  size_t at = 0;
  const auto byte_at = [&](size_t index) { return static_cast<uint8_t>(bytes[index]); };
  if (bytes.empty()) return 0;
  if ((byte_at(0) & 0xF0) == 0x90) {
    at = 1;
  } else if (byte_at(0) == 0xDC) {
    at = 3;
  } else if (byte_at(0) == 0xDD) {
    at = 5;
  } else {
    return 0;
  }
  if (bytes.size() < at + 2 || byte_at(at) > 0x7F) return 0;
  ++at;
  const uint8_t first = byte_at(at);
  if (first <= 0x7F) return first;
  if (first < 0xCC || first > 0xCE) return 0;
  const size_t number_bytes = size_t{1} << (first - 0xCC);
  if (bytes.size() < at + 1 + number_bytes) return 0;
  uint32_t msgid = 0;
  for (size_t n = 1; n <= number_bytes; ++n) msgid = (msgid << 8) | byte_at(at + n);
  return msgid;
}

Fault fault_of(ScanFault fault, std::string_view bytes, const ScanLimits& limits) {
  const uint32_t msgid = msgid_of(bytes);
  switch (fault) {
    case ScanFault::too_large:
      return {msgid, "the message claims more than " + std::to_string(limits.bytes_max) + " bytes",
              kRequestTooLarge};
    case ScanFault::too_deep:
      return {msgid, "containers are nested deeper than " + std::to_string(limits.nesting_max)};
    case ScanFault::too_many_values:
      return {msgid, "the message has more than " + std::to_string(limits.values_max) + " values",
              kRequestTooLarge};
    case ScanFault::reserved_byte:
      return {msgid, "0xc1 begins no MessagePack value"};
    case ScanFault::extension_type:
      return {msgid, "MessagePack extension types are not used here"};
  }
  check_failed("every case has returned", __FILE__, __LINE__);
}

// The scanner has found the frame whole, so msgpack has little left to refuse.
std::optional<msgpack::object_handle> unpack(std::string_view frame) {
  try {
    size_t offset = 0;
    msgpack::object_handle handle = msgpack::unpack(frame.data(), frame.size(), offset);
    if (offset != frame.size()) return std::nullopt;
    return handle;
  } catch (const msgpack::unpack_error&) {
    return std::nullopt;
  }
}

bool is_uint(const msgpack::object& object, uint64_t limit) {
  return object.type == msgpack::type::POSITIVE_INTEGER && object.via.u64 <= limit;
}

msgpack::object empty_map() {
  msgpack::object map;
  map.type = msgpack::type::MAP;
  map.via.map.size = 0;
  map.via.map.ptr = nullptr;
  return map;
}

// The elements of a message of four: type, msgid and two more.
struct Envelope {
  uint32_t msgid;
  const msgpack::object* third;
  const msgpack::object* fourth;
};

std::variant<Envelope, Fault> open_envelope(const msgpack::object& object, uint64_t type,
                                            uint32_t msgid) {
  if (object.type != msgpack::type::ARRAY) {
    return Fault{0, "a message is an array: this is not MessagePack-RPC"};
  }
  const msgpack::object_array& array = object.via.array;
  if (array.size > 0 && type == kTypeRequest &&
      array.ptr[0].type == msgpack::type::POSITIVE_INTEGER &&
      array.ptr[0].via.u64 == kTypeNotification) {
    return Fault{0, "notifications are refused: send a request and read its reply"};
  }
  if (array.size != 4) return Fault{msgid, "a message is an array of four elements"};
  if (!is_uint(array.ptr[0], type) || array.ptr[0].via.u64 != type) {
    return Fault{msgid, "the first element must be " + std::to_string(type)};
  }
  if (!is_uint(array.ptr[1], UINT32_MAX)) {
    return Fault{0, "msgid must be an integer between 0 and 4294967295"};
  }
  return Envelope{static_cast<uint32_t>(array.ptr[1].via.u64), &array.ptr[2], &array.ptr[3]};
}

struct InPlace {
  msgpack::object object;
  size_t bytes;
};

// Like unpack(), but texts and bytes stay where they are, and the rest goes into the zone.
// More may follow the value.
std::optional<InPlace> unpack_in_place(std::string_view bytes, msgpack::zone& zone,
                                       const msgpack::unpack_limit& limit) {
  const auto stays = [](msgpack::type::object_type, size_t, void*) { return true; };
  try {
    size_t offset = 0;
    bool referenced = false;
    const msgpack::object object = msgpack::unpack(zone, bytes.data(), bytes.size(), offset,
                                                   referenced, stays, nullptr, limit);
    return InPlace{object, offset};
  } catch (const msgpack::unpack_error&) {
    return std::nullopt;
  }
}

// What may be unpacked before the scanner has seen it: containers as requests have them, no
// extension. A container's memory is taken when its header is read: at most 48 KB for each of
// the kNestingMax that may be open.
const msgpack::unpack_limit kUnscannedLimit{
    /*array=*/1024, /*map=*/1024, /*str=*/UINT32_MAX, /*bin=*/UINT32_MAX,
    /*ext=*/0,      /*depth=*/kNestingMax};

using RequestOrFault = std::variant<NeedMore, Request, Fault>;

RequestOrFault request_of(const msgpack::object& object, std::string_view frame) {
  const uint32_t msgid = msgid_of(frame);
  const auto opened = open_envelope(object, kTypeRequest, msgid);
  if (const auto* fault = std::get_if<Fault>(&opened)) return *fault;
  const Envelope& envelope = *std::get_if<Envelope>(&opened);

  const std::optional<std::string_view> method = as_text(*envelope.third);
  if (!method) return Fault{envelope.msgid, "the method must be a string"};
  if (method->empty() || method->size() > kMethodBytesMax) {
    return Fault{envelope.msgid, "the method must have 1 to 64 bytes"};
  }
  const msgpack::object& list = *envelope.fourth;
  if (list.type != msgpack::type::ARRAY || list.via.array.size > 1 ||
      (list.via.array.size == 1 && list.via.array.ptr[0].type != msgpack::type::MAP)) {
    return Fault{envelope.msgid, "the parameters must be an array of no element or one map"};
  }
  const msgpack::object params = list.via.array.size == 1 ? list.via.array.ptr[0] : empty_map();
  return Request{envelope.msgid, *method, params, frame.size()};
}

RequestOrFault decode_request(std::string_view frame, msgpack::zone& zone) {
  const std::optional<InPlace> unpacked = unpack_in_place(frame, zone, msgpack::unpack_limit{});
  if (!unpacked || unpacked->bytes != frame.size()) {
    return Fault{msgid_of(frame), "the bytes are not MessagePack"};
  }
  return request_of(unpacked->object, frame);
}

std::variant<Reply, Fault> open_reply(msgpack::object_handle handle, uint32_t msgid) {
  const auto opened = open_envelope(handle.get(), kTypeReply, msgid);
  if (const auto* fault = std::get_if<Fault>(&opened)) return *fault;
  const Envelope& envelope = *std::get_if<Envelope>(&opened);

  if (envelope.third->type == msgpack::type::NIL) {
    const msgpack::object result = *envelope.fourth;
    return Reply{envelope.msgid, msgpack::object_handle{result, std::move(handle.zone())}};
  }
  const msgpack::object* type = find(*envelope.third, "Type");
  const msgpack::object* message = find(*envelope.third, "Message");
  if (type == nullptr || message == nullptr || !as_text(*type) || !as_text(*message)) {
    return Fault{envelope.msgid, "an error must be a map with the texts Type and Message"};
  }
  return Reply{envelope.msgid,
               CallError{std::string{*as_text(*type)}, std::string{*as_text(*message)}}};
}

bool is_push(const msgpack::object& object) {
  return object.type == msgpack::type::ARRAY && object.via.array.size > 0 &&
         is_uint(object.via.array.ptr[0], kTypeNotification) &&
         object.via.array.ptr[0].via.u64 == kTypeNotification;
}

std::variant<Push, Fault> open_push(msgpack::object_handle handle) {
  const msgpack::object_array& array = handle->via.array;
  if (array.size != 3) return Fault{0, "a push is an array of three elements"};
  const std::optional<std::string_view> method = as_text(array.ptr[1]);
  if (!method || method->empty() || method->size() > kMethodBytesMax) {
    return Fault{0, "the method of a push must be a string of 1 to 64 bytes"};
  }
  const msgpack::object& list = array.ptr[2];
  if (list.type != msgpack::type::ARRAY || list.via.array.size != 1 ||
      list.via.array.ptr[0].type != msgpack::type::MAP) {
    return Fault{0, "the parameters of a push must be an array of one map"};
  }
  const msgpack::object params = list.via.array.ptr[0];
  return Push{std::string{*method}, msgpack::object_handle{params, std::move(handle.zone())}};
}

// A variant as one that has more alternatives.
template <class Wide, class Narrow>
Wide widen(Narrow narrow) {
  return std::visit([](auto& found) { return Wide{std::move(found)}; }, narrow);
}

using ReplyOrFault = std::variant<NeedMore, Reply, Fault>;
using WorkerMessage = std::variant<NeedMore, Reply, Push, Fault>;

ReplyOrFault decode_reply(std::string_view frame) {
  const uint32_t msgid = msgid_of(frame);
  std::optional<msgpack::object_handle> handle = unpack(frame);
  if (!handle) return Fault{msgid, "the bytes are not MessagePack"};
  return widen<ReplyOrFault>(open_reply(std::move(*handle), msgid));
}

WorkerMessage decode_for_worker(std::string_view frame) {
  const uint32_t msgid = msgid_of(frame);
  std::optional<msgpack::object_handle> handle = unpack(frame);
  if (!handle) return Fault{msgid, "the bytes are not MessagePack"};
  if (is_push(handle->get())) return widen<WorkerMessage>(open_push(std::move(*handle)));
  return widen<WorkerMessage>(open_reply(std::move(*handle), msgid));
}

// What all readers do: a frame is decoded, a fault is remembered.
template <class Outcome, class Decode>
Outcome next_message(FrameBuffer& buffer, const ScanLimits& limits, std::optional<Fault>& fault,
                     Decode decode) {
  if (fault) return *fault;
  const auto frame = buffer.next();
  if (std::holds_alternative<NeedMore>(frame)) return NeedMore{};
  Outcome message;
  if (const auto* scan_fault = std::get_if<ScanFault>(&frame)) {
    message = fault_of(*scan_fault, buffer.scanned(), limits);
  } else {
    message = decode(*std::get_if<std::string_view>(&frame));
  }
  if (const auto* found = std::get_if<Fault>(&message)) fault = *found;
  return message;
}

}  // namespace

// Most requests arrive whole, and are as the protocol has them: unpacking them says so. For
// all others it takes the scanner, which also tells what is wrong.
std::optional<RequestOrFault> RequestReader::next_at_once() {
  // So few bytes have no more values than a request may have.
  static_assert(kRequestValuesMax < kRequestBytesMax);
  const std::string_view bytes = buffer_.unscanned().substr(0, kRequestValuesMax);
  if (bytes.empty() || fault_) return std::nullopt;
  const std::optional<InPlace> unpacked = unpack_in_place(bytes, containers_, kUnscannedLimit);
  if (!unpacked) {
    let_go();
    return std::nullopt;
  }
  RequestOrFault request = request_of(unpacked->object, buffer_.take(unpacked->bytes));
  if (const auto* found = std::get_if<Fault>(&request)) fault_ = *found;
  return request;
}

std::variant<NeedMore, Request, Fault> RequestReader::next() {
  let_go();
  if (std::optional<RequestOrFault> request = next_at_once()) return *std::move(request);
  return next_message<RequestOrFault>(
      buffer_, kRequestLimits, fault_,
      [this](std::string_view frame) { return decode_request(frame, containers_); });
}

std::variant<NeedMore, Reply, Fault> ReplyReader::next() {
  return next_message<ReplyOrFault>(buffer_, kReplyLimits, fault_, decode_reply);
}

std::variant<NeedMore, Reply, Push, Fault> WorkerReader::next() {
  return next_message<WorkerMessage>(buffer_, kReplyLimits, fault_, decode_for_worker);
}

void begin_request(std::string& out, uint32_t msgid, std::string_view method) {
  append_array_head(out, 4);
  append_uint(out, kTypeRequest);
  append_uint(out, msgid);
  append_str(out, method);
  append_array_head(out, 1);
}

std::string encode_request(uint32_t msgid, std::string_view method, const msgpack::object& params) {
  CHECK(params.type == msgpack::type::MAP);
  std::string out;
  begin_request(out, msgid, method);
  append_object(out, params);
  return out;
}

void append_error_reply(std::string& out, uint32_t msgid, const CallError& error) {
  append_array_head(out, 4);
  append_uint(out, kTypeReply);
  append_uint(out, msgid);
  MapWriter{out}.text("Type", error.type).text("Message", error.message);
  append_nil(out);
}

ReplyWriter::ReplyWriter(std::string& out, uint32_t msgid) : out_(out) {
  append_array_head(out, 4);
  append_uint(out, kTypeReply);
  append_uint(out, msgid);
  append_nil(out);
}

PushWriter::PushWriter(std::string& out, std::string_view method) : out_(out) {
  append_array_head(out, 3);
  append_uint(out, kTypeNotification);
  append_str(out, method);
  append_array_head(out, 1);
}

const msgpack::object* find(const msgpack::object& map, std::string_view key) {
  if (map.type != msgpack::type::MAP) return nullptr;
  for (uint32_t n = 0; n < map.via.map.size; ++n) {
    const msgpack::object_kv& field = map.via.map.ptr[n];
    if (as_text(field.key) == key) return &field.val;
  }
  return nullptr;
}

std::optional<std::string_view> as_text(const msgpack::object& object) {
  if (object.type != msgpack::type::STR) return std::nullopt;
  return std::string_view{object.via.str.ptr, object.via.str.size};
}

std::optional<std::string_view> as_bytes(const msgpack::object& object) {
  if (object.type == msgpack::type::BIN) {
    return std::string_view{object.via.bin.ptr, object.via.bin.size};
  }
  return as_text(object);
}

std::optional<int64_t> as_int(const msgpack::object& object) {
  if (object.type == msgpack::type::NEGATIVE_INTEGER) return object.via.i64;
  if (object.type != msgpack::type::POSITIVE_INTEGER || object.via.u64 > INT64_MAX) {
    return std::nullopt;
  }
  return static_cast<int64_t>(object.via.u64);
}

}  // namespace holdfast::wire
