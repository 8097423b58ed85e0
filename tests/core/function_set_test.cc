#include "daemon/core/function_set.h"

#include <gtest/gtest.h>

namespace holdfast::core {
namespace {

using storage::FunctionId;

std::vector<uint32_t> ids_of(const FunctionSet& set) {
  std::vector<uint32_t> ids;
  for (const FunctionId id : set) ids.push_back(id.value);
  return ids;
}

TEST(FunctionSetTest, HoldsEachOnceInTheOrderOfTheirIds) {
  FunctionSet set;
  for (const uint32_t id : {7u, 2u, 9u, 2u, 7u, 1u}) set.insert(FunctionId{id});
  EXPECT_EQ(ids_of(set), (std::vector<uint32_t>{1, 2, 7, 9}));
}

TEST(FunctionSetTest, TakesInAnotherAndSwaps) {
  FunctionSet one;
  FunctionSet other;
  one.insert(FunctionId{3});
  other.insert(FunctionId{3});
  other.insert(FunctionId{1});
  one.insert(other);
  EXPECT_EQ(ids_of(one), (std::vector<uint32_t>{1, 3}));
  other.clear();
  EXPECT_TRUE(other.empty());
  one.swap(other);
  EXPECT_TRUE(one.empty());
  EXPECT_EQ(ids_of(other), (std::vector<uint32_t>{1, 3}));
}

}  // namespace
}  // namespace holdfast::core
