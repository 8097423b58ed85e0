#include "client/cli/output.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "client/cli/trouble.h"
#include "client/wire/message.h"

namespace holdfast::cli {
namespace {

using std::string_literals::operator""s;
using testing::Values;

struct TextCase {
  const char* name;
  std::string bytes;
  std::string printed;
  bool utf8;
};

class TextTest : public testing::TestWithParam<TextCase> {};

TEST_P(TextTest, ReachesATerminalOnlyWhenItIsHarmless) {
  EXPECT_EQ(printable(GetParam().bytes), GetParam().printed);
  EXPECT_EQ(is_utf8(GetParam().bytes), GetParam().utf8);
}

INSTANTIATE_TEST_SUITE_P(
    Texts, TextTest,
    Values(TextCase{"ascii", "cat.png", "cat.png", true}, TextCase{"empty", "", "", true},
           TextCase{"two_bytes", "\xc3\xa9", "\xc3\xa9", true},
           TextCase{"three_bytes", "\xe2\x82\xac", "\xe2\x82\xac", true},
           TextCase{"four_bytes", "\xf0\x9f\x90\x88", "\xf0\x9f\x90\x88", true},
           TextCase{"last_code_point", "\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf", true},
           TextCase{"newline", "a\nb", "a\\x0ab", true}, TextCase{"nul", "\0"s, "\\x00", true},
           TextCase{"escape_sequence", "\x1b[2J", "\\x1b[2J", true},
           TextCase{"c1_control", "\xc2\x9b", "\\xc2\\x9b", true},
           TextCase{"first_after_c1", "\xc2\xa0", "\xc2\xa0", true},
           TextCase{"lone_continuation", "\x80", "\\x80", false},
           TextCase{"cut_short", "a\xe2\x82", "a\\xe2\\x82", false},
           TextCase{"overlong", "\xc0\xaf", "\\xc0\\xaf", false},
           TextCase{"overlong_of_three", "\xe0\x80\xaf", "\\xe0\\x80\\xaf", false},
           TextCase{"surrogate", "\xed\xa0\x80", "\\xed\\xa0\\x80", false},
           TextCase{"beyond_last_code_point", "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80", false},
           TextCase{"never_a_first_byte", "\xff", "\\xff", false}),
    [](const auto& test) { return std::string{test.param.name}; });

TEST(Base64, IsThatOfRfc4648) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("foob"), "Zm9vYg==");
  EXPECT_EQ(base64("fooba"), "Zm9vYmE=");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64("\xff\xfe\xfd"), "//79");
}

template <class Pack>
msgpack::object_handle packed(Pack pack) {
  std::string bytes;
  {
    wire::MapWriter map{bytes};
    pack(map);
  }
  return msgpack::unpack(bytes.data(), bytes.size());
}

TEST(Json, CarriesBytesAsTextOrSaysThatTheyAreBase64) {
  const auto handle = packed([](wire::MapWriter& map) {
    map.bytes("Payload", "text").bytes("Body", "\xff").number("N", -3).count("C", UINT64_MAX);
    map.boolean("Yes", true);
    map.array("List").text("a").map().text("k", "v");
  });
  EXPECT_EQ(to_json(handle.get()).dump(),
            R"({"Payload":"text","Body":"/w==","BodyEncoding":"base64","N":-3,)"
            R"("C":18446744073709551615,"Yes":true,"List":["a",{"k":"v"}]})");
}

TEST(Table, AlignsByCharactersAndLeavesNoSpaceAtTheEnd) {
  Table table{{"A", "LONGER", "LAST"}};
  table.add({"\xc3\xa9\xc3\xa9", "x", "y"});
  EXPECT_EQ(table.text(), "A   LONGER  LAST\n\xc3\xa9\xc3\xa9  x       y\n");
}

TEST(Fields, AreADashWhenTheDaemonDoesNotSendThem) {
  const auto handle = packed([](wire::MapWriter& map) { map.text("T", "x\n").number("N", 5); });
  const msgpack::object& map = handle.get();
  EXPECT_EQ(text_field(map, "T"), "x\\x0a");
  EXPECT_EQ(text_field(map, "N"), "-");
  EXPECT_EQ(text_field(map, "Missing"), "-");
  EXPECT_EQ(number_field(map, "N"), "5");
  EXPECT_EQ(number_field(map, "T"), "-");
  EXPECT_EQ(time_field(map, "Missing"), "-");
  EXPECT_EQ(bytes_field(map, "N"), "5 B");
}

TEST(BytesText, ChangesTheUnitAt1024) {
  EXPECT_EQ(bytes_text(1023), "1023 B");
  EXPECT_EQ(bytes_text(1024), "1.0 KiB");
  EXPECT_EQ(bytes_text(1536u << 10), "1.5 MiB");
  EXPECT_EQ(bytes_text(UINT64_MAX), "16.0 EiB");
}

struct TroubleCase {
  const char* name;
  bool accepting = true;
  const char* state = "running";
  bool configured = true;
  int64_t backlog = 0;
  int64_t dead_letters_bytes = 0;
  int64_t queue_bytes = 0;
  int64_t key_bytes = 0;
  bool starts_wait = false;
  std::string_view expected = "";  // a part of the one sentence; empty: no trouble
};

class TroubleTest : public testing::TestWithParam<TroubleCase> {};

TEST_P(TroubleTest, IsToldInOneSentence) {
  const TroubleCase& param = GetParam();
  const auto status = packed([&](wire::MapWriter& map) {
    map.boolean("Accepting", param.accepting).text("State", param.state);
    if (!param.accepting) map.text("Refusal", "disk nearly full");
    map.text("Damage", "in 000012.log at byte 4711");
    map.number("IdempotencyBytes", param.key_bytes).number("IdempotencyBytesMax", 1000);
    map.boolean("StartsWaitForDisk", param.starts_wait);
    {
      wire::ArrayWriter functions = map.array("Functions");
      wire::MapWriter function = functions.map();
      function.text("FunctionName", "resize").boolean("Configured", param.configured);
      function.number("Backlog", param.backlog);
      function.number("DeadLettersBytes", param.dead_letters_bytes);
      function.number("DeadLettersBytesMax", 1000);
    }
    wire::ArrayWriter queues = map.array("Queues");
    queues.map().text("QueueName", "q").number("Bytes", param.queue_bytes).number("BytesMax", 1000);
  });
  const auto trouble = find_trouble(status.get());
  if (param.expected.empty()) {
    EXPECT_TRUE(trouble.empty()) << trouble.front();
    return;
  }
  ASSERT_EQ(trouble.size(), 1u);
  EXPECT_NE(trouble[0].find(param.expected), std::string::npos) << trouble[0];
}

INSTANTIATE_TEST_SUITE_P(
    Troubles, TroubleTest,
    Values(
        TroubleCase{.name = "none", .backlog = 100, .dead_letters_bytes = 949, .queue_bytes = 949},
        TroubleCase{.name = "not_accepting", .accepting = false, .expected = "disk nearly full"},
        TroubleCase{.name = "draining", .state = "draining", .expected = "draining"},
        TroubleCase{.name = "damaged",
                    .accepting = false,
                    .state = "damaged",
                    .expected = "data is damaged: in 000012.log"},
        TroubleCase{.name = "backlog_without_function",
                    .configured = false,
                    .backlog = 1,
                    .expected = "resize is not configured"},
        TroubleCase{.name = "function_gone_and_nothing_waits", .configured = false},
        TroubleCase{
            .name = "dead_letters_full", .dead_letters_bytes = 950, .expected = "95 % full"},
        TroubleCase{.name = "keys_full", .key_bytes = 950, .expected = "keys are 95 % full"},
        TroubleCase{.name = "starts_wait", .starts_wait = true, .expected = "wait for disk space"},
        TroubleCase{.name = "queue_full", .queue_bytes = 1000, .expected = "queue q is 100 %"}),
    [](const auto& test) { return std::string{test.param.name}; });

TEST(Trouble, AnAnswerWithoutTheFieldsIsTrouble) {
  const auto status = packed([](wire::MapWriter&) {});
  EXPECT_FALSE(find_trouble(status.get()).empty());
}

}  // namespace
}  // namespace holdfast::cli
