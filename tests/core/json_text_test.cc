#include "daemon/core/json_text.h"

#include <gtest/gtest.h>

#include "storage/base/random.h"

namespace holdfast::core {
namespace {

using namespace std::string_literals;

// --- base64 ------------------------------------------------------------------

struct Encoded {
  const char* name;
  std::string bytes;
  std::string text;
};

class Base64TextTest : public testing::TestWithParam<Encoded> {};

TEST_P(Base64TextTest, IsWrittenAndReadAsTheTableSays) {
  EXPECT_EQ(base64(GetParam().bytes), GetParam().text);
  EXPECT_EQ(from_base64(GetParam().text), GetParam().bytes);
}

INSTANTIATE_TEST_SUITE_P(
    Rfc4648, Base64TextTest,
    testing::Values(Encoded{"nothing", "", ""}, Encoded{"one_byte", "f", "Zg=="},
                    Encoded{"two_bytes", "fo", "Zm8="}, Encoded{"three_bytes", "foo", "Zm9v"},
                    Encoded{"four_bytes", "foob", "Zm9vYg=="},
                    Encoded{"five_bytes", "fooba", "Zm9vYmE="},
                    Encoded{"six_bytes", "foobar", "Zm9vYmFy"},
                    Encoded{"zero_bytes", "\0\0"s, "AAA="},
                    Encoded{"the_last_two_digits", "\xFB\xEF\xBE\xFF\xFF\xFF", "++++////"}),
    [](const auto& row) { return std::string{row.param.name}; });

TEST(Base64, AnyBytesComeBack) {
  Random random{1};
  for (size_t length = 0; length < 300; ++length) {
    std::string bytes;
    for (size_t n = 0; n < length; ++n) bytes.push_back(static_cast<char>(random.next()));
    ASSERT_EQ(from_base64(base64(bytes)), bytes) << length;
  }
}

struct BadBase64Case {
  const char* name;
  std::string text;
};

class BadBase64Test : public testing::TestWithParam<BadBase64Case> {};

TEST_P(BadBase64Test, IsRefused) { EXPECT_EQ(from_base64(GetParam().text), std::nullopt); }

INSTANTIATE_TEST_SUITE_P(
    Base64, BadBase64Test,
    testing::Values(BadBase64Case{"one_digit", "Z"}, BadBase64Case{"without_its_padding", "Zg"},
                    BadBase64Case{"half_of_its_padding", "Zg="},
                    BadBase64Case{"three_of_padding", "Z==="},
                    BadBase64Case{"nothing_but_padding", "===="},
                    BadBase64Case{"two_of_padding_alone", "=="},
                    BadBase64Case{"five_digits", "Zm9vY==="},
                    BadBase64Case{"padding_in_the_middle", "Zg==Zm9v"},
                    BadBase64Case{"padding_between_digits", "Zm=v"},
                    BadBase64Case{"digits_of_the_other_alphabet", "-__-"},
                    BadBase64Case{"a_space", "Zm9 "}, BadBase64Case{"a_line_end", "Zm9\n"},
                    BadBase64Case{"a_zero_byte", "Zm9\0"s}, BadBase64Case{"a_high_byte", "Zm9\xC3"},
                    BadBase64Case{"bits_that_stand_for_nothing_in_two_digits", "Zh=="},
                    BadBase64Case{"bits_that_stand_for_nothing_in_three_digits", "Zm9="}),
    [](const auto& row) { return std::string{row.param.name}; });

// --- JSON --------------------------------------------------------------------

struct JsonCase {
  const char* name;
  std::string bytes;
  bool is_json;
};

class IsJsonTest : public testing::TestWithParam<JsonCase> {};

TEST_P(IsJsonTest, TellsJsonFromOtherBytes) {
  EXPECT_EQ(is_json(GetParam().bytes), GetParam().is_json);
}

INSTANTIATE_TEST_SUITE_P(
    JsonText, IsJsonTest,
    testing::Values(JsonCase{"an_object", R"({"a":[1,true,null,"x"]})", true},
                    JsonCase{"a_bare_string", R"("text")", true},
                    JsonCase{"a_bare_number", "-0.5e-7", true},
                    JsonCase{"spaces_around", " \t\r\n{} \n", true},
                    JsonCase{"a_number_of_400_digits", std::string(400, '9'), true},
                    JsonCase{"a_number_beyond_a_double", "[1e999,-1E+400,0.5e1000]", true},
                    JsonCase{"deep", std::string(100'000, '[') + std::string(100'000, ']'), true},
                    JsonCase{"nothing", "", false}, JsonCase{"spaces_alone", " \n", false},
                    JsonCase{"two_values", "{} {}", false}, JsonCase{"a_word", "NaN", false},
                    JsonCase{"a_number_with_a_zero_first", "01", false},
                    JsonCase{"a_long_number_with_a_zero_first", "0" + std::string(400, '1'), false},
                    JsonCase{"a_long_number_cut_off", std::string(400, '1') + "e", false},
                    JsonCase{"a_comma_at_the_end", "[1,]", false},
                    JsonCase{"a_comment", "{} // no", false},
                    JsonCase{"a_bare_line_end_in_a_string", "\"a\nb\"", false},
                    JsonCase{"bytes_that_are_no_utf8", "\"\xC3\x28\"", false},
                    JsonCase{"half_of_a_pair", R"("\ud800")", false},
                    JsonCase{"a_zero_byte_at_the_end", "{}\0"s, false},
                    JsonCase{"more_behind_a_zero_byte", "1\0,\"x\":2"s, false},
                    JsonCase{"a_byte_order_mark", "\xEF\xBB\xBF{}", false},
                    JsonCase{"cut_off", R"({"a":)", false}),
    [](const auto& row) { return std::string{row.param.name}; });

TEST(JsonText, JsonGoesInByteForByte) {
  std::string out = "{";
  append_json(out, "Payload", " {\"n\": 12345678901234567890.10, \"n\":2}\n");
  EXPECT_EQ(out, "{\"Payload\": {\"n\": 12345678901234567890.10, \"n\":2}\n");
}

TEST(JsonText, OtherBytesGoInAsBase64ThatSaysSo) {
  for (const auto& [bytes, text] : {std::pair{"\xFF\0"s, "/wA="}, {""s, ""}, {"no"s, "bm8="}}) {
    std::string out = "{";
    append_json(out, "Payload", bytes);
    EXPECT_EQ(out, "{\"Payload\":\"" + std::string{text} + "\",\"PayloadEncoding\":\"base64\"");
  }
}

TEST(JsonText, AStringHasItsQuotesAndIsUtf8) {
  EXPECT_EQ(quoted("plain"), R"("plain")");
  EXPECT_EQ(quoted("a\"b\\c\nd\x01"), R"("a\"b\\c\nd\u0001")");
  EXPECT_EQ(quoted("\xC3\xA9"), "\"\xC3\xA9\"");
  EXPECT_EQ(quoted("a\xFF"), "\"a\xEF\xBF\xBD\"");
}

}  // namespace
}  // namespace holdfast::core
