#include "client/wire/message.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace holdfast::wire {
namespace {

using std::string_literals::operator""s;

std::string example_request(uint32_t msgid = 7) {
  return encode_request(msgid, "Invoke", [](MapWriter& params) {
    params.text("FunctionName", "resize").bytes("Payload", "cat\0png"s).number("DelaySeconds", 30);
    params.map("MessageAttributes").text("a", "b");
  });
}

template <class Expected, class Variant>
Expected take(Variant variant) {
  Expected* found = std::get_if<Expected>(&variant);
  if (found == nullptr) {
    const auto* fault = std::get_if<Fault>(&variant);
    throw std::runtime_error("another alternative: " +
                             (fault == nullptr ? "not a fault" : fault->message));
  }
  return std::move(*found);
}

void expect_example(const Request& request) {
  EXPECT_EQ(request.method, "Invoke");
  const msgpack::object& params = request.params;
  ASSERT_EQ(params.type, msgpack::type::MAP);
  EXPECT_EQ(params.via.map.size, 4u);
  EXPECT_EQ(as_text(*find(params, "FunctionName")), "resize");
  EXPECT_EQ(as_bytes(*find(params, "Payload")), "cat\0png"s);
  EXPECT_EQ(as_text(*find(params, "Payload")), std::nullopt);
  EXPECT_EQ(as_int(*find(params, "DelaySeconds")), 30);
  EXPECT_EQ(as_text(*find(*find(params, "MessageAttributes"), "a")), "b");
  EXPECT_EQ(find(params, "Other"), nullptr);
}

TEST(RequestReader, EveryPrefixOfARequestNeedsMore) {
  const std::string bytes = example_request();
  for (size_t n = 0; n < bytes.size(); ++n) {
    RequestReader reader;
    reader.feed(std::string_view{bytes}.substr(0, n));
    EXPECT_TRUE(std::holds_alternative<NeedMore>(reader.next())) << n;
    EXPECT_EQ(reader.buffered_bytes(), n);
    reader.feed(std::string_view{bytes}.substr(n));
    const Request request = take<Request>(reader.next());
    EXPECT_EQ(request.msgid, 7u);
    EXPECT_EQ(request.bytes, bytes.size());
    expect_example(request);
  }
}

TEST(RequestReader, ByteAtATimeEqualsWhole) {
  RequestReader reader;
  const std::string bytes = example_request();
  for (size_t n = 0; n < bytes.size(); ++n) {
    EXPECT_TRUE(std::holds_alternative<NeedMore>(reader.next())) << n;
    reader.feed({&bytes[n], 1});
  }
  expect_example(take<Request>(reader.next()));
  EXPECT_EQ(reader.buffered_bytes(), 0u);
}

TEST(RequestReader, PipelinedRequestsComeOutInOrderHoweverTheyAreCut) {
  std::string bytes;
  for (uint32_t msgid = 0; msgid < 50; ++msgid) bytes += example_request(msgid);
  for (const size_t piece : {size_t{1}, size_t{3}, size_t{64}, size_t{200}, bytes.size()}) {
    RequestReader reader;
    uint32_t next_msgid = 0;
    for (size_t at = 0; at < bytes.size(); at += piece) {
      reader.feed(std::string_view{bytes}.substr(at, piece));
      while (true) {
        auto next = reader.next();
        if (std::holds_alternative<NeedMore>(next)) break;
        const Request request = take<Request>(std::move(next));
        EXPECT_EQ(request.msgid, next_msgid++);
        expect_example(request);
      }
    }
    EXPECT_EQ(next_msgid, 50u) << piece;
    EXPECT_EQ(reader.buffered_bytes(), 0u);
  }
}

TEST(RequestReader, NoParametersAreAnEmptyMap) {
  RequestReader reader;
  reader.feed("\x94\x00\x01\xa9GetStatus\x90"s);
  reader.feed("\x94\x00\x02\xa9GetStatus\x91\x80"s);
  for (uint32_t msgid = 1; msgid <= 2; ++msgid) {
    const Request request = take<Request>(reader.next());
    EXPECT_EQ(request.msgid, msgid);
    EXPECT_EQ(request.method, "GetStatus");
    ASSERT_EQ(request.params.type, msgpack::type::MAP);
    EXPECT_EQ(request.params.via.map.size, 0u);
  }
}

TEST(RequestReader, LeavesDuplicateKeysToTheDaemon) {
  RequestReader reader;
  reader.feed("\x94\x00\x01\xa1m\x91\x82\xa1k\x01\xa1k\x02"s);
  EXPECT_EQ(take<Request>(reader.next()).params.via.map.size, 2u);
}

TEST(RequestReader, AnswersWhatCameBeforeAFaultAndThenOnlyTheFault) {
  RequestReader reader;
  reader.feed(example_request() + "GET / HTTP/1.1\r\n");
  expect_example(take<Request>(reader.next()));
  const Fault fault = take<Fault>(reader.next());
  reader.feed(example_request());
  EXPECT_EQ(take<Fault>(reader.next()).message, fault.message);
}

TEST(RequestReader, TakesNothingMoreAfterAWellFormedValueThatIsNoRequest) {
  RequestReader reader;
  reader.feed("\x93\x00\x05\xa1m"s + example_request());
  const Fault fault = take<Fault>(reader.next());
  EXPECT_EQ(fault.msgid, 5u);
  const size_t buffered_bytes = reader.buffered_bytes();
  reader.feed(example_request());
  EXPECT_EQ(take<Fault>(reader.next()).message, fault.message);
  EXPECT_EQ(reader.buffered_bytes(), buffered_bytes);
}

TEST(RequestReader, TakesTheMsgidOnlyFromBytesBeforeTheFault) {
  // An array that is too large is refused before its elements.
  RequestReader reader;
  reader.feed("\xdd\xff\xff\xff\xff\x00\x05"s);
  EXPECT_EQ(take<Fault>(reader.next()).msgid, 0u);
}

struct MalformedCase {
  const char* name;
  std::string bytes;
  uint32_t msgid;
  std::string_view type = kInvalidRequestContent;
};

class MalformedRequestTest : public testing::TestWithParam<MalformedCase> {};

TEST_P(MalformedRequestTest, IsAFaultThatNamesWhatCanBeNamed) {
  for (const bool byte_at_a_time : {false, true}) {
    RequestReader reader;
    std::variant<NeedMore, Request, Fault> next;
    const std::string& bytes = GetParam().bytes;
    const size_t piece = byte_at_a_time ? 1 : bytes.size();
    for (size_t at = 0; at < bytes.size(); at += piece) {
      reader.feed(std::string_view{bytes}.substr(at, piece));
      next = reader.next();
    }
    const Fault fault = take<Fault>(std::move(next));
    EXPECT_EQ(fault.msgid, GetParam().msgid);
    EXPECT_EQ(fault.type, GetParam().type);
    EXPECT_FALSE(fault.message.empty());
  }
}

INSTANTIATE_TEST_SUITE_P(
    Malformed, MalformedRequestTest,
    testing::Values(
        MalformedCase{"http", "GET / HTTP/1.1\r\n\r\n", 0}, MalformedCase{"nil", "\xc0", 0},
        MalformedCase{"map", "\x81\x01\x02", 0}, MalformedCase{"empty_array", "\x90", 0},
        MalformedCase{"one_element", "\x91\x00"s, 0},
        MalformedCase{"three_elements", "\x93\x00\x05\xa1m"s, 5},
        MalformedCase{"five_elements", "\x95\x00\x05\xa1m\x90\x90"s, 5},
        MalformedCase{"notification", "\x93\x02\xa1m\x90", 0},
        MalformedCase{"notification_of_four", "\x94\x02\xa1m\x90\x90", 0},
        MalformedCase{"reply", "\x94\x01\x05\xc0\xc0", 5},
        MalformedCase{"type_is_text", "\x94\xa1x\x05\xa1m\x90", 0},
        MalformedCase{"type_is_negative", "\x94\xff\x05\xa1m\x90", 0},
        MalformedCase{"msgid_is_text", "\x94\x00\xa1x\xa1m\x90"s, 0},
        MalformedCase{"msgid_is_negative", "\x94\x00\xff\xa1m\x90"s, 0},
        MalformedCase{"msgid_has_33_bits", "\x94\x00\xcf\0\0\0\x01\0\0\0\0\xa1m\x90"s, 0},
        MalformedCase{"msgid_is_a_float", "\x94\x00\xca\0\0\0\0\xa1m\x90"s, 0},
        MalformedCase{"method_is_bytes", "\x94\x00\x05\xc4\x01m\x90"s, 5},
        MalformedCase{"method_is_nil", "\x94\x00\xcc\xff\xc0\x90"s, 255},
        MalformedCase{"method_is_empty", "\x94\x00\xcd\x01\x00\xa0\x90"s, 256},
        MalformedCase{"params_are_a_map", "\x94\x00\xce\xff\xff\xff\xff\xa1m\x80"s, 4294967295},
        MalformedCase{"params_are_nil", "\x94\x00\x05\xa1m\xc0"s, 5},
        MalformedCase{"params_are_positional", "\x94\x00\x05\xa1m\x91\x01"s, 5},
        MalformedCase{"params_are_two_maps", "\x94\x00\x05\xa1m\x92\x80\x80"s, 5},
        MalformedCase{"reserved_byte", "\x94\x00\x05\xc1"s, 5},
        MalformedCase{"reserved_byte_before_msgid", "\x94\x00\xc1"s, 0},
        MalformedCase{"extension", "\x94\x00\x05\xa1m\x91\x81\xa1k\xd4\x00\x00"s, 5},
        MalformedCase{"two_gigabyte_method", "\x94\x00\x05\xdb\x80\x00\x00\x00"s, 5,
                      kRequestTooLarge},
        MalformedCase{"array16_envelope", "\xdc\x00\x04\x00\x05\xc0\x90"s, 5},
        MalformedCase{"array32_envelope_too_large",
                      "\xdd\x00\x00\x00\x04\x00\x05\xdb\xff\xff\xff\xff"s, 5, kRequestTooLarge},
        MalformedCase{"too_many_values", "\x94\x00\x05\xa1m\xdd\x00\x01\x00\x00"s, 5,
                      kRequestTooLarge}),
    [](const auto& test) { return std::string{test.param.name}; });

std::string request_of_bytes(size_t bytes) {
  const auto with_payload = [](size_t payload_bytes) {
    return encode_request(1, "m", [&](MapWriter& params) {
      params.bytes("Payload", std::string(payload_bytes, 'x'));
    });
  };
  const size_t overhead = with_payload(1u << 20).size() - (1u << 20);
  return with_payload(bytes - overhead);
}

TEST(RequestReader, TakesARequestOfExactlyTheLimitAndRefusesOneByteMore) {
  const std::string at_limit = request_of_bytes(kRequestBytesMax);
  ASSERT_EQ(at_limit.size(), kRequestBytesMax);
  RequestReader reader;
  reader.feed(at_limit);
  EXPECT_EQ(take<Request>(reader.next()).bytes, kRequestBytesMax);

  RequestReader other;
  other.feed(std::string_view{request_of_bytes(kRequestBytesMax + 1)}.substr(0, 100));
  EXPECT_EQ(take<Fault>(other.next()).type, kRequestTooLarge);
}

TEST(RequestReader, TakesTheNestingAllowedAndRefusesOneMore) {
  // The outer array, the parameters and their map are three containers already.
  const std::string head = "\x94\x00\x01\xa1m\x91\x81\xa1k"s;
  RequestReader at_limit;
  at_limit.feed(head + std::string(kNestingMax - 4, '\x91') + "\x90");
  EXPECT_EQ(take<Request>(at_limit.next()).msgid, 1u);

  RequestReader beyond;
  beyond.feed(head + std::string(kNestingMax - 3, '\x91') + "\x90");
  EXPECT_EQ(take<Fault>(beyond.next()).msgid, 1u);
}

TEST(RequestReader, TakesAMethodOf64BytesAndRefusesOneMore) {
  RequestReader reader;
  reader.feed(encode_request(1, std::string(kMethodBytesMax, 'm'), [](MapWriter&) {}));
  EXPECT_EQ(take<Request>(reader.next()).method.size(), kMethodBytesMax);
  reader.feed(encode_request(2, std::string(kMethodBytesMax + 1, 'm'), [](MapWriter&) {}));
  EXPECT_EQ(take<Fault>(reader.next()).msgid, 2u);
}

TEST(RequestReader, TakesTheLargestSynchronousPayload) {
  RequestReader reader;
  reader.feed(encode_request(1, "Invoke", [](MapWriter& params) {
    params.text("FunctionName", std::string(kFunctionNameBytesMax, 'f'))
        .text("IdempotencyKey", std::string(kIdempotencyKeyBytesMax, 'k'))
        .bytes("Payload", std::string(kPayloadBytesMaxSynchronous, 'x'));
  }));
  const Request request = take<Request>(reader.next());
  EXPECT_EQ(as_bytes(*find(request.params, "Payload"))->size(), kPayloadBytesMaxSynchronous);
}

TEST(ReplyReader, GivesResultsAndErrorsWithTheirMsgid) {
  std::string bytes;
  {
    ReplyWriter reply{bytes, 3};
    reply.map().text("RequestId", "r").number("StatusCode", 202);
  }
  append_error_reply(bytes, 4, {"ResourceNotFoundException", "no such function"});
  append_str(ReplyWriter{bytes, 5}.result(), "bare");

  ReplyReader reader;
  for (const char byte : bytes.substr(0, bytes.size() - 1)) reader.feed({&byte, 1});
  const Reply first = take<Reply>(reader.next());
  EXPECT_EQ(first.msgid, 3u);
  const auto& result = std::get<msgpack::object_handle>(first.answer);
  EXPECT_EQ(as_int(*find(result.get(), "StatusCode")), 202);
  const Reply second = take<Reply>(reader.next());
  EXPECT_EQ(second.msgid, 4u);
  EXPECT_EQ(std::get<CallError>(second.answer).type, "ResourceNotFoundException");
  EXPECT_EQ(std::get<CallError>(second.answer).message, "no such function");
  EXPECT_TRUE(std::holds_alternative<NeedMore>(reader.next()));
  reader.feed(bytes.substr(bytes.size() - 1));
  EXPECT_EQ(take<Reply>(reader.next()).msgid, 5u);
}

TEST(ReplyReader, RefusesWhatIsNoReply) {
  for (const std::string& bytes :
       {"\x94\x00\x01\xa1m\x90"s, "\x93\x01\x02\xc0"s, "\x94\x01\x02\xa1x\xc0"s,
        "\x94\x01\x02\x81\xa4Type\xa1x\xc0"s, "\xc1"s, "\xdb\x01\x00\x00\x00"s}) {
    ReplyReader reader;
    reader.feed(bytes);
    EXPECT_FALSE(take<Fault>(reader.next()).message.empty());
  }
}

std::string example_push() {
  std::string bytes;
  PushWriter{bytes, "RunAttempt"}.map().text("RequestId", "r").bytes("Payload", "cat\0png"s);
  return bytes;
}

TEST(ReplyReader, RefusesAPush) {
  ReplyReader reader;
  reader.feed(example_push());
  EXPECT_FALSE(take<Fault>(reader.next()).message.empty());
}

TEST(WorkerReader, EveryPrefixOfAPushNeedsMore) {
  const std::string bytes = example_push();
  for (size_t n = 0; n < bytes.size(); ++n) {
    WorkerReader reader;
    reader.feed(std::string_view{bytes}.substr(0, n));
    EXPECT_TRUE(std::holds_alternative<NeedMore>(reader.next())) << n;
    reader.feed(std::string_view{bytes}.substr(n));
    const Push push = take<Push>(reader.next());
    EXPECT_EQ(push.method, "RunAttempt");
    EXPECT_EQ(as_text(*find(push.params.get(), "RequestId")), "r");
    EXPECT_EQ(as_bytes(*find(push.params.get(), "Payload")), "cat\0png"s);
  }
}

TEST(WorkerReader, GivesRepliesAndPushesInTheirOrder) {
  std::string bytes = example_push();
  ReplyWriter{bytes, 3}.map().number("WorkerId", 8);
  append_error_reply(bytes, 4, {"ResourceConflictException", "not yours"});
  bytes += example_push();

  WorkerReader reader;
  for (const char byte : bytes) reader.feed({&byte, 1});
  EXPECT_EQ(take<Push>(reader.next()).method, "RunAttempt");
  const Reply attached = take<Reply>(reader.next());
  EXPECT_EQ(attached.msgid, 3u);
  const auto& result = std::get<msgpack::object_handle>(attached.answer);
  EXPECT_EQ(as_int(*find(result.get(), "WorkerId")), 8);
  const Reply refused = take<Reply>(reader.next());
  EXPECT_EQ(refused.msgid, 4u);
  EXPECT_EQ(std::get<CallError>(refused.answer).type, "ResourceConflictException");
  EXPECT_EQ(take<Push>(reader.next()).method, "RunAttempt");
  EXPECT_TRUE(std::holds_alternative<NeedMore>(reader.next()));
}

TEST(WorkerReader, APushOutlivesTheReaderAndItsBuffer) {
  std::optional<Push> push;
  {
    WorkerReader reader;
    reader.feed(example_push());
    push = take<Push>(reader.next());
    reader.feed(std::string(100, '\x90'));
  }
  EXPECT_EQ(as_text(*find(push->params.get(), "RequestId")), "r");
}

TEST(WorkerReader, RefusesWhatIsNeitherReplyNorPushAndStaysSo) {
  const std::string long_method = "\xd9\x41"s + std::string(kMethodBytesMax + 1, 'm');
  for (const std::string& bytes :
       {"\x94\x00\x01\xa1m\x90"s, "\x94\x02\xa1m\x91\x80\xc0"s, "\x92\x02\xa1m"s,
        "\x93\x02\x01\x91\x80"s, "\x93\x02\xa0\x91\x80"s, "\x93\x02\xa1m\x90"s,
        "\x93\x02\xa1m\x92\x80\x80"s, "\x93\x02\xa1m\x91\x01"s, "\x93\x02\xa1m\x80"s,
        "\x93\x02"s + long_method + "\x91\x80"s, "\x90"s, "\x02"s, "\x93\x03\xa1m\x91\x80"s,
        "\xc1"s, "\xdb\x01\x00\x00\x01"s}) {
    WorkerReader reader;
    reader.feed(bytes);
    const std::string message = take<Fault>(reader.next()).message;
    EXPECT_FALSE(message.empty());
    reader.feed(example_push());
    EXPECT_EQ(take<Fault>(reader.next()).message, message);
  }
}

TEST(Writer, CountsTheFieldsItWasGiven) {
  std::string bytes;
  {
    MapWriter map{bytes};
    map.text("t", "x").bytes("b", "y").number("n", -1).count("c", UINT64_MAX).boolean("o", true);
    append_nil(map.value_of("v"));
    {
      ArrayWriter rows = map.array("rows");
      for (int n = 0; n < 70000; ++n) rows.map().number("n", n);
      EXPECT_EQ(rows.size(), 70000u);
    }
    map.array("words").text("one").text("two");
    map.map("inner");
  }
  const msgpack::object_handle handle = msgpack::unpack(bytes.data(), bytes.size());
  const msgpack::object& map = handle.get();
  EXPECT_EQ(map.via.map.size, 9u);
  EXPECT_EQ(find(map, "b")->type, msgpack::type::BIN);
  EXPECT_EQ(as_int(*find(map, "n")), -1);
  EXPECT_EQ(as_int(*find(map, "c")), std::nullopt);
  EXPECT_EQ(find(map, "c")->via.u64, UINT64_MAX);
  EXPECT_TRUE(find(map, "o")->via.boolean);
  EXPECT_TRUE(find(map, "v")->is_nil());
  EXPECT_EQ(find(map, "rows")->via.array.size, 70000u);
  EXPECT_EQ(as_int(*find(find(map, "rows")->via.array.ptr[69999], "n")), 69999);
  EXPECT_EQ(as_text(find(map, "words")->via.array.ptr[1]), "two");
  EXPECT_EQ(find(map, "inner")->via.map.size, 0u);
}

TEST(EncodeRequest, TakesAnObjectOrAFunctionToTheSameEffect) {
  const std::string packed = encode_request(9, "m", [](MapWriter& map) { map.text("k", "v"); });
  RequestReader reader;
  reader.feed(packed);
  const Request request = take<Request>(reader.next());
  reader.feed(encode_request(9, "m", request.params));
  EXPECT_EQ(as_text(*find(take<Request>(reader.next()).params, "k")), "v");
}

}  // namespace
}  // namespace holdfast::wire
