#include "storage/ids.h"

#include <gtest/gtest.h>

#include <cctype>

#include "storage/base/random.h"

namespace holdfast::storage {
namespace {

constexpr BoxTag kBox{0x2A5F3};

EventId id(uint32_t function, uint8_t lane, uint64_t seq) {
  return {FunctionId{function}, Lane{lane}, Seq{seq}};
}

TEST(RequestId, IsAUuidOfVersion8WithItsFieldsWhereTheDrawingSays) {
  // seq 0x0123456789ABCDEF: its first 48 bits, then 12, then 4.
  EXPECT_EQ(to_request_id(id(0x89ABCDEF, 0x5A, 0x0123456789ABCDEF), BoxTag{0x12345}),
            "01234567-89ab-8cde-bd6a-26af37bd2345");
}

TEST(RequestId, SpellsTheEventAtEveryLimit) {
  for (const EventId& each : {id(0, 0, 0), id(1, 0, 1), id(UINT32_MAX, 0, 0), id(0, UINT8_MAX, 0),
                              id(0, 0, UINT64_MAX), id(UINT32_MAX, UINT8_MAX, UINT64_MAX)}) {
    for (const BoxTag box : {BoxTag{0}, BoxTag{1}, kBox, BoxTag{kBoxTagMax}}) {
      const std::string text = to_request_id(each, box);
      ASSERT_EQ(text.size(), 36u);
      EXPECT_EQ(text[14], '8') << text;
      EXPECT_NE(std::string{"89ab"}.find(text[19]), std::string::npos) << text;
      EXPECT_EQ(from_request_id(text, box), each) << text;
    }
  }
}

TEST(RequestId, SpellsAnyEvent) {
  Random random{1};
  for (int n = 0; n < 10000; ++n) {
    const EventId event = id(static_cast<uint32_t>(random.next()),
                             static_cast<uint8_t>(random.next()), random.next());
    const BoxTag box{static_cast<uint32_t>(random.up_to(kBoxTagMax))};
    ASSERT_EQ(from_request_id(to_request_id(event, box), box), event);
  }
}

TEST(RequestId, SortsByAcceptance) {
  Random random{2};
  for (int n = 0; n < 1000; ++n) {
    const uint64_t seq = random.next() >> 1;
    EXPECT_LT(to_request_id(id(9, 9, seq), kBox), to_request_id(id(1, 1, seq + 1), kBox));
  }
}

TEST(RequestId, OfAnotherBoxNamesNothing) {
  const std::string text = to_request_id(id(1, 0, 1), kBox);
  EXPECT_TRUE(from_request_id(text, kBox));
  for (uint32_t bit = 0; bit < 18; ++bit) {
    EXPECT_FALSE(from_request_id(text, BoxTag{kBox.value ^ (1u << bit)})) << bit;
  }
}

TEST(RequestId, MayComeInCapitals) {
  std::string text = to_request_id(id(0xABCDEF, 0, 0xABCDEF), kBox);
  for (char& digit : text) digit = static_cast<char>(std::toupper(digit));
  EXPECT_EQ(from_request_id(text, kBox), id(0xABCDEF, 0, 0xABCDEF));
}

TEST(RequestId, RefusesEveryTextThatIsNoSuchUuid) {
  const std::string good = to_request_id(id(1, 0, 1), kBox);
  for (size_t n = 0; n < good.size(); ++n) {
    EXPECT_FALSE(from_request_id(good.substr(0, n), kBox)) << n;
    std::string broken = good;
    broken[n] = good[n] == '-' ? '0' : 'g';
    EXPECT_FALSE(from_request_id(broken, kBox)) << n;
    broken[n] = good[n] == '-' ? '_' : '-';
    EXPECT_FALSE(from_request_id(broken, kBox)) << n;
  }
  EXPECT_FALSE(from_request_id(good + "0", kBox));
  EXPECT_FALSE(from_request_id(" " + good, kBox));
}

TEST(RequestId, RefusesOtherVersionsAndVariants) {
  const std::string good = to_request_id(id(1, 0, 1), kBox);
  for (const char digit : std::string{"0123456789abcdef"}) {
    std::string version = good;
    version[14] = digit;
    EXPECT_EQ(from_request_id(version, kBox).has_value(), digit == '8') << version;
    std::string variant = good;
    variant[19] = digit;
    const bool ours = std::string{"89ab"}.find(digit) != std::string::npos;
    EXPECT_EQ(from_request_id(variant, kBox).has_value(), ours) << variant;
  }
}

}  // namespace
}  // namespace holdfast::storage
