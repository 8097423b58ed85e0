#include "config/units.h"

#include <gtest/gtest.h>

#include "storage/base/random.h"

namespace holdfast::config {
namespace {

using namespace std::chrono_literals;

struct DurationCase {
  const char* text;
  std::optional<Duration> expected;
};

class DurationTest : public testing::TestWithParam<DurationCase> {};

TEST_P(DurationTest, IsParsedOrRefused) {
  EXPECT_EQ(parse_duration(GetParam().text), GetParam().expected) << GetParam().text;
}

INSTANTIATE_TEST_SUITE_P(
    Texts, DurationTest,
    testing::Values(DurationCase{"500ms", 500ms}, DurationCase{"3s", 3s}, DurationCase{"2m", 2min},
                    DurationCase{"6h", 6h}, DurationCase{"14d", 14 * 24h}, DurationCase{"0s", 0s},
                    DurationCase{"900 s", 900s}, DurationCase{"", std::nullopt},
                    DurationCase{"3", std::nullopt}, DurationCase{"s", std::nullopt},
                    DurationCase{"-3s", std::nullopt}, DurationCase{"-0s", std::nullopt},
                    DurationCase{"+3s", std::nullopt}, DurationCase{" 3s", std::nullopt},
                    DurationCase{"3s ", std::nullopt}, DurationCase{"3  s", std::nullopt},
                    DurationCase{"1.5s", std::nullopt}, DurationCase{"1h30m", std::nullopt},
                    DurationCase{"3S", std::nullopt}, DurationCase{"3 weeks", std::nullopt},
                    DurationCase{"9223372036854775807ms", Duration::max()},
                    DurationCase{"9223372036854775808ms", std::nullopt},
                    DurationCase{"106751991167d", 106751991167 * 24h},
                    DurationCase{"106751991168d", std::nullopt}));

struct BytesCase {
  const char* text;
  std::optional<uint64_t> expected;
};

class BytesTest : public testing::TestWithParam<BytesCase> {};

TEST_P(BytesTest, AreParsedOrRefused) {
  EXPECT_EQ(parse_bytes(GetParam().text), GetParam().expected) << GetParam().text;
}

INSTANTIATE_TEST_SUITE_P(
    Texts, BytesTest,
    testing::Values(BytesCase{"64KiB", 65536}, BytesCase{"256MiB", 256u << 20},
                    BytesCase{"1GiB", 1u << 30}, BytesCase{"1TiB", uint64_t{1} << 40},
                    BytesCase{"64 MiB", 64u << 20}, BytesCase{"0KiB", 0},
                    BytesCase{"64", std::nullopt}, BytesCase{"64MB", std::nullopt},
                    BytesCase{"64mib", std::nullopt}, BytesCase{"-1KiB", std::nullopt},
                    BytesCase{"8388607TiB", uint64_t{8388607} << 40},
                    BytesCase{"8388608TiB", std::nullopt}, BytesCase{"", std::nullopt}));

struct ModeCase {
  const char* text;
  std::optional<uint32_t> expected;
};

class ModeTest : public testing::TestWithParam<ModeCase> {};

TEST_P(ModeTest, IsParsedOrRefused) {
  EXPECT_EQ(parse_mode(GetParam().text), GetParam().expected) << GetParam().text;
}

INSTANTIATE_TEST_SUITE_P(
    Texts, ModeTest,
    testing::Values(ModeCase{"0660", 0660}, ModeCase{"660", 0660}, ModeCase{"0000", 0},
                    ModeCase{"7777", 07777}, ModeCase{"66", std::nullopt},
                    ModeCase{"00660", std::nullopt}, ModeCase{"0680", std::nullopt},
                    ModeCase{"0x1f", std::nullopt}, ModeCase{"", std::nullopt}));

TEST(Units, AreWrittenTheWayPeopleSayThem) {
  EXPECT_EQ(duration_text(0s), "0s");
  EXPECT_EQ(duration_text(1500ms), "1500ms");
  EXPECT_EQ(duration_text(900s), "15m");
  EXPECT_EQ(duration_text(24h), "24h");
  EXPECT_EQ(duration_text(48h), "2d");
  EXPECT_EQ(duration_in_words(900s), "900 s");
  EXPECT_EQ(duration_in_words(100ms), "100 ms");
  EXPECT_EQ(duration_in_words(0s), "0 s");
  EXPECT_EQ(duration_in_words(14 * 24h), "14 d");
  EXPECT_EQ(bytes_text(0), "0");
  EXPECT_EQ(bytes_text(1000), "1000");
  EXPECT_EQ(bytes_text(65536), "64KiB");
  EXPECT_EQ(bytes_in_words(1), "1 byte");
  EXPECT_EQ(bytes_in_words(6291556), "6291556 bytes");
  EXPECT_EQ(bytes_in_words(uint64_t{1} << 40), "1 TiB");
  EXPECT_EQ(mode_text(0660), "0660");
}

TEST(Units, WhatIsWrittenParsesBack) {
  Random random{1};
  for (int n = 0; n < 2000; ++n) {
    // Shifts make round numbers, with their larger units, as common as odd ones.
    const Duration duration{static_cast<int64_t>(random.up_to(1000) * 1000 << random.up_to(20))};
    EXPECT_EQ(parse_duration(duration_text(duration)), duration);
    EXPECT_EQ(parse_duration(duration_in_words(duration)), duration);
    const uint64_t bytes = (1 + random.up_to(1000)) << random.up_to(44);
    if (bytes_text(bytes) != std::to_string(bytes)) {
      EXPECT_EQ(parse_bytes(bytes_text(bytes)), bytes);
    }
    const uint32_t mode = static_cast<uint32_t>(random.up_to(0777));
    EXPECT_EQ(parse_mode(mode_text(mode)), mode);
  }
}

}  // namespace
}  // namespace holdfast::config
