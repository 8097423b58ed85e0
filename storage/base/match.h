// match{...}: the overload set for std::visit. Every alternative is named, so a
// new one breaks the build where it must be considered.
#pragma once

namespace holdfast {

template <class... Cases>
struct match : Cases... {
  using Cases::operator()...;
};
template <class... Cases>
match(Cases...) -> match<Cases...>;

}  // namespace holdfast
