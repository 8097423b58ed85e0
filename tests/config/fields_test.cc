#include "config/fields.h"

#include <gtest/gtest.h>

namespace holdfast::config {
namespace {

template <class Of>
constexpr size_t kListed = std::tuple_size_v<std::remove_cvref_t<decltype(kFields<Of>)>>;

template <class... Members>
constexpr size_t count(const Members&...) {
  return sizeof...(Members);
}

// The bindings below name as many members as each struct has, or don't compile: a member
// that was added to settings.h is counted here, and missed in its list.
TEST(Fields, ListEveryMemberOfEachStruct) {
  const auto& [d1, d2, d3, d4, d5] = DaemonSettings{};
  EXPECT_EQ(kListed<DaemonSettings>, count(d1, d2, d3, d4, d5));

  const auto& [s1, s2, s3] = SocketSettings{};
  EXPECT_EQ(kListed<SocketSettings>, count(s1, s2, s3));

  const auto& [l1, l2, l3, l4, l5, l6, l7, l8, l9, l10] = LimitSettings{};
  EXPECT_EQ(kListed<LimitSettings>, count(l1, l2, l3, l4, l5, l6, l7, l8, l9, l10));

  const auto& [q1, q2] = QueueSettings{};
  EXPECT_EQ(kListed<QueueSettings>, count(q1, q2));

  const auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18,
               f19, f20, f21] = FunctionSettings{};
  EXPECT_EQ(kListed<FunctionSettings>,
            count(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18,
                  f19, f20, f21));
}

}  // namespace
}  // namespace holdfast::config
