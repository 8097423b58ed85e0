#include "daemon/pool/frame.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "daemon/core/json_text.h"
#include "storage/limits.h"

namespace holdfast::pool {
namespace {

using namespace std::string_literals;
using config::Framing;
using nlohmann::json;

constexpr auto kLines = Framing::json_lines;
constexpr auto kPrefixed = Framing::length_prefixed;
constexpr uint64_t kResultBytesMax = 1000;

EventHead head_of_event() {
  return {"resize", "id-1",       storage::AttemptNumber{3}, storage::InvocationType::event,
          from_ms<WallTime>(1'700'000'000'123), ""};
}

std::string length_of(size_t length) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(length >> shift));
  return bytes;
}

std::string prefixed(const std::string& head, const std::string& body = "") {
  return length_of(head.size()) + length_of(body.size()) + head + body;
}

// What a reader said, as a line to compare.
std::string text_of(const Said& said) {
  if (std::holds_alternative<NeedMore>(said)) return "more";
  if (std::holds_alternative<Ready>(said)) return "ready";
  if (const auto* fault = std::get_if<Fault>(&said)) {
    return (fault->too_large ? "too large: " : "fault: ") + fault->what;
  }
  const auto& answer = std::get<Answer>(said);
  if (const auto* failed = std::get_if<core::Failed>(&answer.outcome)) {
    return answer.request_id + " failed " + failed->error_type + ": " + failed->error_message;
  }
  return answer.request_id + " = " + std::get<core::Succeeded>(answer.outcome).result;
}

std::vector<std::string> all_of(FrameReader& reader) {
  std::vector<std::string> all;
  do {
    all.push_back(text_of(reader.next()));
  } while (all.back() != "more" && all.back().find("fault") != 0 &&
           all.back().find("too large") != 0);
  return all;
}

std::vector<std::string> read(Framing framing, std::string_view bytes,
                              uint64_t result_bytes_max = kResultBytesMax) {
  FrameReader reader{framing, result_bytes_max};
  reader.feed(bytes);
  return all_of(reader);
}

std::vector<std::string> read_byte_by_byte(Framing framing, std::string_view bytes) {
  FrameReader reader{framing, kResultBytesMax};
  std::vector<std::string> all;
  for (const char byte : bytes) {
    reader.feed({&byte, 1});
    for (const std::string& said : all_of(reader)) {
      if (said != "more") all.push_back(said);
    }
  }
  all.push_back("more");
  return all;
}

std::string of_line(const std::string& line) { return read(kLines, line + "\n").front(); }

using Saids = std::vector<std::string>;

// --- to the handler ----------------------------------------------------------

struct PayloadCase {
  const char* name;
  std::string payload;
  std::string in_the_line;  // from "Payload" on
};

class EncodeLineTest : public testing::TestWithParam<PayloadCase> {};

TEST_P(EncodeLineTest, PutsThePayloadAsTheTableSays) {
  const std::string line = encode(kLines, head_of_event(), GetParam().payload);
  EXPECT_EQ(line,
            R"({"FunctionName":"resize","RequestId":"id-1","Attempt":3,"InvocationType":"Event",)"
            R"("DeadlineAt":1700000000123,)" +
                GetParam().in_the_line + "}\n");
}

INSTANTIATE_TEST_SUITE_P(
    Frames, EncodeLineTest,
    testing::Values(
        PayloadCase{"json_byte_for_byte", R"({"n": 1.50, "n":12345678901234567890123})",
                    R"("Payload":{"n": 1.50, "n":12345678901234567890123})"},
        PayloadCase{"line_ends_outside_strings_become_spaces", "{\r\n\"a\"\n:\r1}\n",
                    R"("Payload":{  "a" : 1} )"},
        PayloadCase{"escaped_line_ends_in_strings_stay", R"(["a\nb\r\u000a\\n"])",
                    R"("Payload":["a\nb\r\u000a\\n"])"},
        PayloadCase{"text_becomes_base64", "no json", R"("Payload":"bm8ganNvbg==",)"
                                                      R"("PayloadEncoding":"base64")"},
        PayloadCase{"nothing_becomes_base64", "", R"("Payload":"","PayloadEncoding":"base64")"},
        PayloadCase{"a_bare_line_end_in_a_string_is_no_json", "\"\n\"",
                    R"("Payload":"Igoi","PayloadEncoding":"base64")"},
        PayloadCase{"a_byte_order_mark_is_no_json", "\xEF\xBB\xBF" "1",
                    R"("Payload":"77u/MQ==","PayloadEncoding":"base64")"},
        PayloadCase{"what_would_add_a_field_is_no_json", "1\0,\"RequestId\":\"x\""s,
                    R"("Payload":"MQAsIlJlcXVlc3RJZCI6Ingi","PayloadEncoding":"base64")"}),
    [](const auto& row) { return std::string{row.param.name}; });

TEST(EncodeFrame, ASynchronousEventWithAKeySaysSo) {
  EventHead head = head_of_event();
  head.type = storage::InvocationType::synchronous;
  head.idempotency_key = "order \"7\"\n";
  const std::string line = encode(kLines, head, "{}");
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  const json read = json::parse(line);
  EXPECT_EQ(read["InvocationType"], "RequestResponse");
  EXPECT_EQ(read["IdempotencyKey"], "order \"7\"\n");
  EXPECT_FALSE(json::parse(encode(kLines, head_of_event(), "{}")).contains("IdempotencyKey"));
}

TEST(EncodeFrame, APrefixedFrameHasThePayloadBehindItsHead) {
  for (const std::string& payload : {""s, "{\n}"s, "\0\xFF bytes\n"s, std::string(70'000, 'x')}) {
    EventHead head = head_of_event();
    head.idempotency_key = "k";
    EXPECT_EQ(encode(kPrefixed, head, payload),
              prefixed(R"({"FunctionName":"resize","RequestId":"id-1","Attempt":3,)"
                       R"("InvocationType":"Event","DeadlineAt":1700000000123,)"
                       R"("IdempotencyKey":"k"})",
                       payload));
  }
}

// --- lines of the handler ----------------------------------------------------

struct LineCase {
  const char* name;
  std::string line;
  std::string said;
};

class ReadLineTest : public testing::TestWithParam<LineCase> {};

TEST_P(ReadLineTest, IsUnderstoodAsTheTableSays) {
  EXPECT_EQ(of_line(GetParam().line), GetParam().said);
}

INSTANTIATE_TEST_SUITE_P(
    Good, ReadLineTest,
    testing::Values(
        LineCase{"ready", R"({"Ready": true})", "ready"},
        LineCase{"ready_with_more", R"( { "Version":[1,{"Ready":false}] , "Ready" : true } )",
                 "ready"},
        LineCase{"without_result", R"({"RequestId":"a"})", "a = "},
        LineCase{"a_string", R"({"RequestId":"a","Result":"x\ny"})", R"(a = "x\ny")"},
        LineCase{"null", R"({"RequestId":"a","Result":null})", "a = null"},
        LineCase{"many_digits", R"({"RequestId":"a","Result":1.23456789012345678901234567890e-5})",
                 "a = 1.23456789012345678901234567890e-5"},
        LineCase{"400_digits", R"({"RequestId":"a","Result":[)" + std::string(400, '7') + "]}",
                 "a = [" + std::string(400, '7') + "]"},
        LineCase{"spaces_within_stay", R"({"RequestId":"a","Result": { "b" : [ 1 ,2 ] } })",
                 R"(a = { "b" : [ 1 ,2 ] })"},
        LineCase{"nested",
                 R"({"RequestId":"a","Result":{"Result":{"RequestId":"b"},"q":["}",{"]":"\"{"}]}})",
                 R"(a = {"Result":{"RequestId":"b"},"q":["}",{"]":"\"{"}]})"},
        LineCase{"result_first", R"({"Result":{"a":[]},"RequestId":"a"})", R"(a = {"a":[]})"},
        LineCase{"the_last_of_two_results", R"({"Result":1,"RequestId":"a","Result":[2]})",
                 "a = [2]"},
        LineCase{"the_last_of_two_ids", R"({"RequestId":"a","RequestId":"b"})", "b = "},
        LineCase{"an_escaped_id", R"({"RequestId":"\u0061\"\\"})", "a\"\\ = "},
        LineCase{"quotes_and_colons_in_names",
                 R"({"a\"Result\":":1,"\\":2,":":"x","RequestId":"a","Result":3,"{,":4})", "a = 3"},
        LineCase{"an_escaped_name", R"({"RequestId":"a","Res\u0075lt":7})", "a = 7"},
        LineCase{"an_escaped_error", R"({"RequestId":"a","\u0045rror":{"Type":"T"}})",
                 "a failed T: "},
        LineCase{"base64", R"({"RequestId":"a","Result":"aGkK","ResultEncoding":"base64"})",
                 "a = hi\n"},
        LineCase{"base64_with_escapes",
                 R"({"ResultEncoding":"b\u0061se64","Result":"\u002f\/\/\/","RequestId":"a"})",
                 "a = \xFF\xFF\xFF"},
        LineCase{"base64_of_nothing", R"({"RequestId":"a","Result":"","ResultEncoding":"base64"})",
                 "a = "},
        LineCase{"base64_without_result", R"({"RequestId":"a","ResultEncoding":"base64"})", "a = "},
        LineCase{"ready_false_and_an_answer", R"({"Ready":false,"RequestId":"a"})", "a = "}),
    [](const auto& row) { return std::string{row.param.name}; });

INSTANTIATE_TEST_SUITE_P(
    Errors, ReadLineTest,
    testing::Values(
        LineCase{"with_both", R"({"RequestId":"a","Error":{"Type":"T","Message":"m \u00e9"}})",
                 "a failed T: m \xC3\xA9"},
        LineCase{"without_type", R"({"RequestId":"a","Error":{"Message":"m"}})", "a failed : m"},
        LineCase{"without_message", R"({"RequestId":"a","Error":{"Type":"T"}})", "a failed T: "},
        LineCase{"empty", R"({"RequestId":"a","Error":{}})", "a failed : "},
        LineCase{"not_an_object", R"({"RequestId":"a","Error":"oh"})", "a failed : "},
        LineCase{"null_is_none", R"({"RequestId":"a","Error":null,"Result":1})", "a = 1"},
        LineCase{"a_type_that_is_no_string", R"({"RequestId":"a","Error":{"Type":7,"Message":[]}})",
                 "a failed : "},
        LineCase{"an_error_wins_over_a_result", R"({"RequestId":"a","Result":1,"Error":{}})",
                 "a failed : "},
        LineCase{"a_number_beyond_a_double_beside", R"({"RequestId":"a","Error":)"
                                                    R"({"Code":1e999,"Type":"T"}})",
                 "a failed T: "},
        LineCase{"the_last_of_two_types", R"({"RequestId":"a","Error":{"Type":"T","Type":"U"}})",
                 "a failed U: "}),
    [](const auto& row) { return std::string{row.param.name}; });

constexpr char kNoObject[] = "fault: it wrote a line that is no JSON object";
constexpr char kNoId[] = "fault: its answer has no RequestId";
constexpr char kNoBase64[] =
    "fault: its Result is not the base64 that ResultEncoding promises";

INSTANTIATE_TEST_SUITE_P(
    Bad, ReadLineTest,
    testing::Values(LineCase{"junk", "starting up...", kNoObject},
                    LineCase{"an_array", R"(["RequestId"])", kNoObject},
                    LineCase{"a_string", R"("{")", kNoObject}, LineCase{"a_number", "7", kNoObject},
                    LineCase{"cut_off", R"({"RequestId":"a")", kNoObject},
                    LineCase{"two_objects", R"({"Ready":true}{"Ready":true})", kNoObject},
                    LineCase{"not_utf8", "{\"RequestId\":\"\xFF\"}", kNoObject},
                    LineCase{"a_zero_byte", "{\"Ready\":true}\0"s, kNoObject},
                    LineCase{"more_behind_a_zero_byte", "{}\0\"RequestId"s, kNoObject},
                    LineCase{"a_byte_order_mark", "\xEF\xBB\xBF{\"Ready\":true}", kNoObject},
                    LineCase{"an_empty_object", "{}", kNoId},
                    LineCase{"without_an_id", R"({"Result":1})", kNoId},
                    LineCase{"an_id_deeper_down", R"({"Result":{"RequestId":"a"}})", kNoId},
                    LineCase{"an_empty_id", R"({"RequestId":""})", kNoId},
                    LineCase{"an_id_that_is_a_number", R"({"RequestId":7})", kNoId},
                    LineCase{"ready_but_not_true", R"({"Ready":1})", kNoId},
                    LineCase{"bad_base64",
                             R"({"RequestId":"a","Result":"aGk","ResultEncoding":"base64"})",
                             kNoBase64},
                    LineCase{"base64_that_is_a_number",
                             R"({"RequestId":"a","Result":1234,"ResultEncoding":"base64"})",
                             kNoBase64},
                    LineCase{"base64_that_is_null",
                             R"({"RequestId":"a","Result":null,"ResultEncoding":"base64"})",
                             kNoBase64}),
    [](const auto& row) { return std::string{row.param.name}; });

TEST(ReadLines, AnErrorIsCutBetweenCharacters) {
  // Three bytes each: neither bound is a multiple of three.
  std::string euros;
  for (int n = 0; n < 500; ++n) euros += "\xE2\x82\xAC";
  FrameReader reader{kLines, kResultBytesMax};
  reader.feed(R"({"RequestId":"a","Error":{"Type":")" + euros + R"(","Message":")" + euros +
              "\"}}\n");
  const Said said = reader.next();
  const auto& failed = std::get<core::Failed>(std::get<Answer>(said).outcome);
  EXPECT_EQ(failed.error_type, euros.substr(0, storage::kErrorTypeBytesMax / 3 * 3));
  EXPECT_EQ(failed.error_message, euros.substr(0, storage::kErrorMessageBytesMax / 3 * 3));
}

TEST(ReadLines, AnErrorAtItsBoundIsWhole) {
  const std::string type(storage::kErrorTypeBytesMax, 't');
  const std::string message(storage::kErrorMessageBytesMax, 'm');
  const auto error = [](const std::string& one, const std::string& other) {
    return of_line(R"({"RequestId":"a","Error":{"Type":")" + one + R"(","Message":")" + other +
                   "\"}}");
  };
  EXPECT_EQ(error(type, message), "a failed " + type + ": " + message);
  EXPECT_EQ(error(type + "t", message + "m"), "a failed " + type + ": " + message);
}

TEST(ReadLines, TwoInOneFeedAreTwo) {
  const std::string two = R"({"Ready":true})" "\n" R"({"RequestId":"a","Result":1})" "\n";
  EXPECT_EQ(read(kLines, two), (Saids{"ready", "a = 1", "more"}));
  EXPECT_EQ(read(kLines, two + "{"), (Saids{"ready", "a = 1", "more"}));
}

TEST(ReadLines, EmptyLinesAndCarriageReturnsMeanNothing) {
  const std::string bytes = "\n\r\n  \n{\"Ready\":true}\r\n\n\t{\"RequestId\":\"a\"} \r\n\n";
  EXPECT_EQ(read(kLines, bytes), (Saids{"ready", "a = ", "more"}));
  EXPECT_EQ(read_byte_by_byte(kLines, bytes), (Saids{"ready", "a = ", "more"}));
}

// One call for each of them would end the stack.
TEST(ReadLines, AMillionEmptyLinesAreSurvived) {
  EXPECT_EQ(read(kLines, std::string(1'000'000, '\n') + "{\"Ready\":true}\n").front(), "ready");
}

TEST(ReadLines, ByteByByteIsTheSame) {
  EXPECT_EQ(read_byte_by_byte(kLines, R"({"Ready":true})" "\n"
                                      R"({"RequestId":"a","Result":"\"\n"})" "\n"),
            (Saids{"ready", R"(a = "\"\n")", "more"}));
}

// --- bounds of lines ---------------------------------------------------------

std::string line_with(const std::string& result) {
  return R"({"RequestId":"a","Result":)" + result + "}\n";
}
std::string base64_line(const std::string& bytes) {
  return R"({"ResultEncoding":"base64","RequestId":"a","Result":")" + core::base64(bytes) + "\"}\n";
}

TEST(ReadLines, AResultMayHaveItsBoundAndNoByteMore) {
  const std::string most = "\"" + std::string(kResultBytesMax - 2, 'x') + "\"";
  EXPECT_EQ(read(kLines, line_with(most)).front(), "a = " + most);
  EXPECT_EQ(read(kLines, line_with(" " + most + " ")).front(), "a = " + most);
  const std::string more = "\"" + std::string(kResultBytesMax - 1, 'x') + "\"";
  EXPECT_EQ(read(kLines, line_with(more)).front(), "too large: its result is too large");
}

TEST(ReadLines, InBase64TheBoundIsOfTheBytes) {
  for (const uint64_t bound : {0, 1, 2, 3, 1000, 100'000, 100'001, 100'002}) {
    const std::string most(bound, '\xFF');
    EXPECT_EQ(read(kLines, base64_line(most), bound).front(), "a = " + most) << bound;
    EXPECT_EQ(read(kLines, base64_line(most + "x"), bound).front(),
              "too large: its result is too large")
        << bound;
  }
}

TEST(ReadLines, TheBoundIsOfTheNextAnswer) {
  FrameReader reader{kLines, 0};
  reader.feed("{\"Ready\":true}\n");
  EXPECT_EQ(text_of(reader.next()), "ready");
  reader.set_result_bytes_max(4);
  reader.feed(line_with("1234"));
  EXPECT_EQ(text_of(reader.next()), "a = 1234");
  reader.set_result_bytes_max(3);
  reader.feed(line_with("1234"));
  EXPECT_EQ(text_of(reader.next()), "too large: its result is too large");
}

TEST(ReadLines, ALineWithoutEndIsNotWaitedFor) {
  const uint64_t line_bytes_max = kResultBytesMax / 3 * 4 + 4 + kHeadBytesMax;
  const std::string most = "{\"x\":\"" + std::string(line_bytes_max - 6, 'x');
  EXPECT_EQ(read(kLines, most).front(), "more");
  EXPECT_EQ(read(kLines, most + "x").front(), "too large: its line is too long");
  EXPECT_EQ(read(kLines, most + "xxx\"}\n").front(), "too large: its line is too long");
}

TEST(ReadLines, AHeadIsBounded) {
  const std::string most(kHeadBytesMax - 2, 'i');
  const auto with_id = [](const std::string& id) {
    return read(kLines, "{\"RequestId\":\"" + id + "\"}\n", 100'000).front();
  };
  EXPECT_EQ(with_id(most), most + " = ");
  EXPECT_EQ(with_id(most + "i"), "fault: its RequestId or Error is too long");
  EXPECT_EQ(read(kLines, "{\"RequestId\":\"a\",\"Error\":[\"" + most + "\"]}\n", 100'000).front(),
            "fault: its RequestId or Error is too long");
}

// --- length-prefixed ---------------------------------------------------------

TEST(ReadPrefixed, AFrameIsItsHeadAndTheResult) {
  const std::string frames = prefixed(R"({"Ready":true})") +
                             prefixed(R"({"RequestId":"a"})", "\0\n{bytes"s) +
                             prefixed(R"({"RequestId":"b"})") +
                             prefixed(R"( {"Error":{"Type":"T"}, "RequestId":"c"} )", "ignored");
  const Saids saids{"ready", "a = \0\n{bytes"s, "b = ", "c failed T: ", "more"};
  EXPECT_EQ(read(kPrefixed, frames), saids);
  EXPECT_EQ(read_byte_by_byte(kPrefixed, frames), saids);
}

TEST(ReadPrefixed, EveryPrefixOfAFrameNeedsMore) {
  const std::string frame = prefixed(R"({"RequestId":"a"})", "result");
  for (size_t n = 0; n < frame.size(); ++n) {
    EXPECT_EQ(read(kPrefixed, frame.substr(0, n)), Saids{"more"}) << n;
  }
}

TEST(ReadPrefixed, AResultMayHaveItsBoundAndNoByteMore) {
  const std::string most(kResultBytesMax, '\n');
  EXPECT_EQ(read(kPrefixed, prefixed(R"({"RequestId":"a"})", most)).front(), "a = " + most);
  // Before the rest of it is there.
  EXPECT_EQ(read(kPrefixed, length_of(17) + length_of(kResultBytesMax + 1)).front(),
            "too large: its result is too large");
}

TEST(ReadPrefixed, AHeadMayHaveItsBoundAndNoByteMore) {
  std::string head = R"({"RequestId":"a"})";
  head += std::string(kHeadBytesMax - head.size(), ' ');
  EXPECT_EQ(read(kPrefixed, prefixed(head, "x")).front(), "a = x");
  EXPECT_EQ(read(kPrefixed, length_of(kHeadBytesMax + 1) + length_of(0)).front(),
            "fault: its frame has a head that is too long");
}

TEST(ReadPrefixed, AHeadThatIsNoObjectIsAFault) {
  for (const std::string& head : {""s, "[]"s, "{"s, "junk"s, "{}\0"s}) {
    EXPECT_EQ(read(kPrefixed, prefixed(head)).front(),
              "fault: it wrote a frame whose head is no JSON object");
  }
  EXPECT_EQ(read(kPrefixed, prefixed("{}", "x")).front(), kNoId);
  // A line where a length should be.
  EXPECT_EQ(read(kPrefixed, "{\"Ready\":true}\n").front(),
            "fault: its frame has a head that is too long");
}

// --- both --------------------------------------------------------------------

TEST(FrameReader, AFaultStays) {
  for (const auto& [framing, bad, good] :
       {std::tuple{kLines, "junk\n"s, "{\"Ready\":true}\n"s},
        {kPrefixed, prefixed("junk"), prefixed("{\"Ready\":true}")}}) {
    FrameReader reader{framing, kResultBytesMax};
    reader.feed(bad + good);
    const std::string fault = text_of(reader.next());
    EXPECT_EQ(fault.find("fault: "), 0u);
    EXPECT_EQ(text_of(reader.next()), fault);
    reader.feed(good);
    EXPECT_EQ(text_of(reader.next()), fault);
  }
}

TEST(FrameReader, WhatIsBeforeAFaultIsRead) {
  EXPECT_EQ(read(kLines, line_with("1") + "junk\n"), (Saids{"a = 1", kNoObject}));
}

TEST(FrameReader, MemoryDoesNotGrowWithTheNumberOfFrames) {
  for (const auto& [framing, frame] :
       {std::pair{kLines, line_with("\"" + std::string(500, 'x') + "\"")},
        {kPrefixed, prefixed(R"({"RequestId":"a"})", std::string(500, 'x'))}}) {
    FrameReader reader{framing, kResultBytesMax};
    for (int n = 0; n < 5000; ++n) {
      // A part of the next one is always there: the reader is never empty.
      reader.feed(n == 0 ? frame + frame.substr(0, 5) : frame.substr(5) + frame.substr(0, 5));
      ASSERT_EQ(all_of(reader).size(), 2u);
      ASSERT_LE(reader.memory_bytes(), 3 * kHeadBytesMax);
    }
  }
}

TEST(FrameReader, ALargeResultLeavesNoLargeBuffer) {
  constexpr uint64_t kLarge = 5u << 20;
  FrameReader reader{kPrefixed, kLarge};
  reader.feed(prefixed(R"({"RequestId":"a"})", std::string(kLarge, 'x')));
  EXPECT_EQ(text_of(reader.next()).size(), kLarge + 4);
  EXPECT_LE(reader.memory_bytes(), kHeadBytesMax);
}

}  // namespace
}  // namespace holdfast::pool
