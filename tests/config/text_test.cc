#include "config/text.h"

#include <gtest/gtest.h>

namespace holdfast::config {
namespace {

TEST(Text, QuotesEscapeWhatTomlAndTerminalsWouldMisread) {
  EXPECT_EQ(quoted("plain \u00e9"), "\"plain \u00e9\"");
  EXPECT_EQ(quoted("a\"b\\c"), "\"a\\\"b\\\\c\"");
  EXPECT_EQ(quoted(std::string_view{"\0\n\x1b\x7f", 4}), "\"\\u0000\\u000A\\u001B\\u007F\"");
}

TEST(Text, ShortQuotesEndAtSixtyFourBytes) {
  EXPECT_EQ(quoted_short(std::string(64, 'x')), '"' + std::string(64, 'x') + '"');
  EXPECT_EQ(quoted_short(std::string(65, 'x')), '"' + std::string(64, 'x') + "\"...");
}

TEST(Text, WhatIsPrintableStaysAndTheRestIsEscaped) {
  EXPECT_EQ(printable("saw 'tru\u00e9\"\\'"), "saw 'tru\u00e9\"\\'");
  EXPECT_EQ(printable(std::string_view{"\0\n\x1b[2J", 6}), "\\u0000\\u000A\\u001B[2J");
}

TEST(Text, KeysAreQuotedOnlyWhereTomlWantsIt) {
  EXPECT_EQ(key_text("timeout-2_A"), "timeout-2_A");
  EXPECT_EQ(key_text("a.b"), "\"a.b\"");
  EXPECT_EQ(key_text(""), "\"\"");
}

struct NearestCase {
  const char* name;
  const char* word;
  std::optional<std::string> expected;
};

class NearestTest : public testing::TestWithParam<NearestCase> {};

TEST_P(NearestTest, FindsWhatWasMeant) {
  EXPECT_EQ(nearest(GetParam().word, {"timeout", "kill_grace", "retry", "path"}),
            GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(Words, NearestTest,
                         testing::Values(NearestCase{"swapped", "timeuot", "timeout"},
                                         NearestCase{"a_letter_missing", "timout", "timeout"},
                                         NearestCase{"a_letter_too_many", "pathh", "path"},
                                         NearestCase{"two_wrong_of_seven", "tymeont", "timeout"},
                                         NearestCase{"three_wrong_of_seven", "tymeunt",
                                                     std::nullopt},
                                         NearestCase{"the_end_of_it", "grace", "kill_grace"},
                                         NearestCase{"more_than_it", "attempt_timeout", "timeout"},
                                         NearestCase{"too_little_of_it", "kil", std::nullopt},
                                         NearestCase{"something_else", "colour", std::nullopt},
                                         NearestCase{"nothing", "", std::nullopt}),
                         [](const auto& tested) { return std::string{tested.param.name}; });

TEST(Text, VeryLongWordsAreNotCompared) {
  EXPECT_EQ(nearest(std::string(65, 'x'), {std::string(64, 'x')}), std::nullopt);
  EXPECT_EQ(nearest(std::string(64, 'x'), {std::string(63, 'x')}), std::string(63, 'x'));
}

}  // namespace
}  // namespace holdfast::config
