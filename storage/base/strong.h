// Strong<Tag, T>: a number with a meaning. Two identifiers are two types, and
// neither turns into a bare number without saying `.value`.
//
//    using Seq = Strong<struct SeqTag, uint64_t>;
#pragma once

#include <compare>
#include <cstddef>
#include <functional>

namespace holdfast {

template <class Tag, class T>
struct Strong {
  T value{};

  constexpr Strong() = default;
  constexpr explicit Strong(T initial) : value(initial) {}

  constexpr auto operator<=>(const Strong&) const = default;

  // The one after this one; numbering is the only arithmetic an id has.
  constexpr Strong next() const { return Strong{static_cast<T>(value + 1)}; }
};

}  // namespace holdfast

template <class Tag, class T>
struct std::hash<holdfast::Strong<Tag, T>> {
  size_t operator()(const holdfast::Strong<Tag, T>& id) const noexcept {
    return std::hash<T>{}(id.value);
  }
};
