#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "storage/base/bytes.h"
#include "storage/base/check.h"
#include "storage/base/random.h"
#include "storage/base/result.h"
#include "storage/base/strong.h"

namespace holdfast {
namespace {

TEST(Bytes, BigEndianNumbersSortAsTheirBytesDo) {
  const std::vector<uint64_t> numbers{0,          1, 255, 256, 65535, 1ull << 32, UINT64_MAX - 1,
                                      UINT64_MAX};
  std::vector<std::string> keys;
  for (uint64_t number : numbers) {
    std::string key;
    append_be64(key, number);
    keys.push_back(key);
  }
  EXPECT_TRUE(std::is_sorted(keys.begin(), keys.end()));
  for (size_t n = 0; n < numbers.size(); ++n) {
    BytesReader reader{keys[n]};
    EXPECT_EQ(reader.be64(), numbers[n]);
    EXPECT_TRUE(reader.finished());
  }
}

TEST(BytesReader, AReadPastTheEndGivesZeroAndStaysNoticed) {
  const std::string four{"\1\2\3\4"};
  BytesReader reader{four};
  EXPECT_EQ(reader.be8(), 1);
  EXPECT_EQ(reader.be32(), 0u);
  EXPECT_FALSE(reader.intact());
  EXPECT_EQ(reader.be8(), 0);
  EXPECT_FALSE(reader.finished());
}

TEST(BytesReader, BytesLeftOverAreNotFinished) {
  BytesReader reader{"ab"};
  reader.be8();
  EXPECT_TRUE(reader.intact());
  EXPECT_FALSE(reader.finished());
}

TEST(Random, OneSeedGivesOneSequence) {
  Random one{42};
  Random two{42};
  Random other{43};
  bool differs = false;
  for (int n = 0; n < 100; ++n) {
    const uint64_t number = one.next();
    EXPECT_EQ(number, two.next());
    differs = differs || number != other.next();
  }
  EXPECT_TRUE(differs);
}

TEST(Random, UpToReachesBothEndsAndNothingBeyond) {
  Random random{7};
  std::vector<int> seen(4, 0);
  for (int n = 0; n < 1000; ++n) {
    const uint64_t number = random.up_to(3);
    ASSERT_LE(number, 3u);
    ++seen[number];
  }
  for (int count : seen) EXPECT_GT(count, 0);
}

TEST(Random, ChanceOfNoneAndOfAll) {
  Random random{7};
  for (int n = 0; n < 100; ++n) {
    EXPECT_FALSE(random.chance(0));
    EXPECT_TRUE(random.chance(100));
  }
}

TEST(Result, HoldsAValueOrAnError) {
  Result<int> value = 3;
  ASSERT_TRUE(static_cast<bool>(value));
  EXPECT_EQ(*value, 3);
  Result<int> failure = Error{Errc::io, "no disk"};
  ASSERT_FALSE(static_cast<bool>(failure));
  EXPECT_EQ(failure.error().code, Errc::io);
  EXPECT_EQ(failure.error().what, "no disk");
}

TEST(ResultDeathTest, ReadingTheValueOfAFailureIsOurBug) {
  Result<int> failure = Error{Errc::io, "no disk"};
  EXPECT_DEATH(static_cast<void>(*failure), "this is a bug in holdfast");
}

TEST(Strong, OrdersByItsNumberAndCountsOn) {
  using Id = Strong<struct IdTag, uint32_t>;
  EXPECT_LT(Id{1}, Id{2});
  EXPECT_EQ(Id{1}.next(), Id{2});
}

}  // namespace
}  // namespace holdfast
