#include "daemon/core/payload_memory.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>

namespace holdfast::core {
namespace {

TEST(PayloadMemory, WhatComesBackIsEmptyAndItsMemoryIsUsedAgain) {
  PayloadMemory memory;
  EXPECT_EQ(memory.take(), "");
  std::string payload(1000, 'p');
  const char* const bytes = payload.data();
  memory.give_back(std::move(payload));
  std::string next = memory.take();
  EXPECT_EQ(next, "");
  next = std::string_view{"another payload, longer than what fits without memory"};
  EXPECT_EQ(next.data(), bytes);
  EXPECT_EQ(memory.kept(), 0u);
}

TEST(PayloadMemory, KeepsNoMoreThanItMay) {
  PayloadMemory memory;
  memory.give_back(std::string(kPayloadBytesKept + 1, 'p'));
  EXPECT_EQ(memory.kept(), 0u) << "a large one";
  memory.give_back(std::string(kPayloadBytesKept, 'p'));
  EXPECT_EQ(memory.kept(), 1u) << "the largest";
  for (size_t n = 0; n < kPayloadsKept + 10; ++n) memory.give_back(std::string(100, 'p'));
  EXPECT_EQ(memory.kept(), kPayloadsKept);
}

}  // namespace
}  // namespace holdfast::core
