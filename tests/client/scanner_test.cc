#include "client/wire/scanner.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace holdfast::wire {
namespace {

using std::string_literals::operator""s;

constexpr ScanLimits kSmallLimits{64, 4, 16};

struct WholeCase {
  const char* name;
  std::string bytes;
};

class ScannerWholeTest : public testing::TestWithParam<WholeCase> {};

TEST_P(ScannerWholeTest, EndsAtItsLastByteAndNotBefore) {
  const std::string& bytes = GetParam().bytes;
  for (size_t n = 0; n < bytes.size(); ++n) {
    Scanner scanner{kSmallLimits};
    EXPECT_EQ(scanner.feed(std::string_view{bytes}.substr(0, n)), n);
    EXPECT_FALSE(scanner.finished()) << n;
    EXPECT_FALSE(scanner.fault()) << n;
  }
  Scanner scanner{kSmallLimits};
  EXPECT_EQ(scanner.feed(bytes + "following"), bytes.size());
  EXPECT_TRUE(scanner.finished());
  EXPECT_FALSE(scanner.fault());
}

TEST_P(ScannerWholeTest, ByteAtATimeEqualsWhole) {
  const std::string& bytes = GetParam().bytes;
  Scanner scanner{kSmallLimits};
  for (const char byte : bytes) {
    EXPECT_FALSE(scanner.finished());
    EXPECT_EQ(scanner.feed({&byte, 1}), 1u);
  }
  EXPECT_TRUE(scanner.finished());
  EXPECT_EQ(scanner.feed("more"), 0u);
}

TEST_P(ScannerWholeTest, CanBeScannedAgainAfterARestart) {
  Scanner scanner{kSmallLimits};
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(scanner.feed(GetParam().bytes), GetParam().bytes.size());
    EXPECT_TRUE(scanner.finished());
    scanner.restart();
    EXPECT_FALSE(scanner.finished());
  }
}

INSTANTIATE_TEST_SUITE_P(
    EveryType, ScannerWholeTest,
    testing::Values(
        WholeCase{"positive_fixint", "\x7f"}, WholeCase{"negative_fixint", "\xe0"},
        WholeCase{"nil", "\xc0"}, WholeCase{"false_", "\xc2"}, WholeCase{"true_", "\xc3"},
        WholeCase{"uint8", "\xcc\x01"}, WholeCase{"uint16", "\xcd\x01\x02"},
        WholeCase{"uint32", "\xce\x01\x02\x03\x04"},
        WholeCase{"uint64", "\xcf\x01\x02\x03\x04\x05\x06\x07\x08"}, WholeCase{"int8", "\xd0\x01"},
        WholeCase{"int16", "\xd1\x01\x02"}, WholeCase{"int32", "\xd2\x01\x02\x03\x04"},
        WholeCase{"int64", "\xd3\x01\x02\x03\x04\x05\x06\x07\x08"},
        WholeCase{"float32", "\xca\x01\x02\x03\x04"},
        WholeCase{"float64", "\xcb\x01\x02\x03\x04\x05\x06\x07\x08"},
        WholeCase{"empty_fixstr", "\xa0"}, WholeCase{"fixstr", "\xa3xyz"},
        WholeCase{"empty_str8", "\xd9\x00"s}, WholeCase{"str8", "\xd9\x02xy"},
        WholeCase{"str16", "\xda\x00\x02xy"s}, WholeCase{"str32", "\xdb\x00\x00\x00\x02xy"s},
        WholeCase{"bin8", "\xc4\x02\xc1\xc1"}, WholeCase{"bin16", "\xc5\x00\x02xy"s},
        WholeCase{"bin32", "\xc6\x00\x00\x00\x02xy"s}, WholeCase{"empty_fixarray", "\x90"},
        WholeCase{"empty_fixmap", "\x80"}, WholeCase{"fixarray", "\x93\x01\xa1x\xc0"},
        WholeCase{"array16", "\xdc\x00\x02\x01\x02"s},
        WholeCase{"array32", "\xdd\x00\x00\x00\x02\x01\x02"s},
        WholeCase{"empty_array32", "\xdd\x00\x00\x00\x00"s},
        WholeCase{"fixmap", "\x82\xa1x\x01\xa1y\x02"}, WholeCase{"map16", "\xde\x00\x01\xa1x\x01"s},
        WholeCase{"map32", "\xdf\x00\x00\x00\x01\xa1x\x01"s},
        WholeCase{"nested_and_empty_at_the_end", "\x92\x01\x92\x02\x91\x90"},
        WholeCase{"map_in_map_with_a_sibling", "\x82\x01\x81\x02\x03\x04\x05"}),
    [](const auto& test) { return std::string{test.param.name}; });

struct FaultCase {
  const char* name;
  std::string bytes;
  size_t fault_at;  // number of bytes after which the fault must be known
  ScanFault fault;
};

class ScannerFaultTest : public testing::TestWithParam<FaultCase> {};

TEST_P(ScannerFaultTest, IsRefusedAtTheFirstByteThatTells) {
  const FaultCase& param = GetParam();
  Scanner scanner{kSmallLimits};
  for (size_t n = 0; n < param.bytes.size() && !scanner.fault(); ++n) {
    EXPECT_EQ(scanner.feed(std::string_view{param.bytes}.substr(n, 1)), 1u);
    EXPECT_EQ(scanner.fault().has_value(), n + 1 == param.fault_at) << n;
  }
  ASSERT_TRUE(scanner.fault());
  EXPECT_EQ(*scanner.fault(), param.fault);
  EXPECT_FALSE(scanner.finished());
  EXPECT_EQ(scanner.feed("\xc0"), 0u);
}

TEST_P(ScannerFaultTest, IsRefusedTheSameWhenItComesWhole) {
  const FaultCase& param = GetParam();
  Scanner scanner{kSmallLimits};
  EXPECT_EQ(scanner.feed(param.bytes), param.fault_at);
  ASSERT_TRUE(scanner.fault());
  EXPECT_EQ(*scanner.fault(), param.fault);
}

INSTANTIATE_TEST_SUITE_P(
    Malformed, ScannerFaultTest,
    testing::Values(
        FaultCase{"reserved_byte", "\xc1", 1, ScanFault::reserved_byte},
        FaultCase{"reserved_byte_inside", "\x92\x01\xc1", 3, ScanFault::reserved_byte},
        FaultCase{"ext8", "\xc7\x01\x01\x00"s, 1, ScanFault::extension_type},
        FaultCase{"ext16", "\xc8\x00\x01\x01\x00"s, 1, ScanFault::extension_type},
        FaultCase{"ext32", "\xc9\x00\x00\x00\x01\x01\x00"s, 1, ScanFault::extension_type},
        FaultCase{"fixext1", "\xd4\x01\x00"s, 1, ScanFault::extension_type},
        FaultCase{"fixext2", "\xd5\x01\x00"s, 1, ScanFault::extension_type},
        FaultCase{"fixext4", "\xd6\x01\x00"s, 1, ScanFault::extension_type},
        FaultCase{"fixext8", "\xd7\x01\x00"s, 1, ScanFault::extension_type},
        FaultCase{"fixext16", "\xd8\x01\x00"s, 1, ScanFault::extension_type},
        FaultCase{"two_gigabyte_str32", "\xdb\x80\x00\x00\x00"s, 5, ScanFault::too_large},
        FaultCase{"four_gigabyte_bin32", "\xc6\xff\xff\xff\xff", 5, ScanFault::too_large},
        FaultCase{"str16_claim", "\xda\xff\xff", 3, ScanFault::too_large},
        FaultCase{"str8_claim", "\xd9\xff", 2, ScanFault::too_large},
        FaultCase{"array16_claim", "\xdc\xff\xff", 3, ScanFault::too_large},
        FaultCase{"array32_claim", "\xdd\xff\xff\xff\xff", 5, ScanFault::too_large},
        FaultCase{"map16_claim_counts_keys_and_values", "\xde\x00\x20"s, 3, ScanFault::too_large},
        FaultCase{"map32_claim", "\xdf\xff\xff\xff\xff", 5, ScanFault::too_large},
        FaultCase{"body_and_owed_elements_together", "\x93\xd9\x3d", 3, ScanFault::too_large},
        FaultCase{"nested_beyond", "\x91\x91\x91\x91\x91\x01", 5, ScanFault::too_deep},
        FaultCase{"empty_container_nested_beyond", "\x91\x91\x91\x91\x80", 5, ScanFault::too_deep},
        FaultCase{"more_values_than_allowed", "\xdc\x00\x10"s, 3, ScanFault::too_many_values},
        FaultCase{"more_values_in_two_arrays", "\x92\x97\0\0\0\0\0\0\0\x97"s, 10,
                  ScanFault::too_many_values}),
    [](const auto& test) { return std::string{test.param.name}; });

TEST(Scanner, TakesAValueOfExactlyTheBytesAllowedAndRefusesOneMore) {
  Scanner at_limit{kSmallLimits};
  at_limit.feed("\xd9\x3e" + std::string(62, 'x'));
  EXPECT_TRUE(at_limit.finished());

  Scanner beyond{kSmallLimits};
  EXPECT_EQ(beyond.feed("\xd9\x3f" + std::string(63, 'x')), 2u);
  EXPECT_EQ(beyond.fault(), ScanFault::too_large);
}

TEST(Scanner, TakesExactlyTheNestingAllowedAndRefusesOneMore) {
  Scanner at_limit{kSmallLimits};
  at_limit.feed("\x91\x91\x91\x90");
  EXPECT_TRUE(at_limit.finished());

  Scanner beyond{kSmallLimits};
  beyond.feed("\x91\x91\x91\x91\x90");
  EXPECT_EQ(beyond.fault(), ScanFault::too_deep);
}

TEST(Scanner, TakesExactlyTheValuesAllowedAndRefusesOneMore) {
  Scanner at_limit{kSmallLimits};
  at_limit.feed("\x9f" + std::string(15, '\x01'));
  EXPECT_TRUE(at_limit.finished());

  Scanner beyond{kSmallLimits};
  beyond.feed("\xdc\x00\x10"s + std::string(16, '\x01'));
  EXPECT_EQ(beyond.fault(), ScanFault::too_many_values);
}

// A scanner that started over with every byte would look at 10^12 bytes here.
TEST(Scanner, LooksAtEveryByteOfALargeFrameOnce) {
  Scanner scanner{ScanLimits{8u << 20, 4, 4u << 20}};
  std::string header = "\xdd\x00\x10\x00\x00"s;
  scanner.feed(header);
  for (uint32_t n = 0; n < 1u << 20; ++n) {
    ASSERT_FALSE(scanner.finished());
    scanner.feed("\xa1");
    scanner.feed("x");
  }
  EXPECT_TRUE(scanner.finished());
}

}  // namespace
}  // namespace holdfast::wire
