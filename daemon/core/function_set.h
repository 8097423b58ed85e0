// FunctionSet: a few functions, each once, in the order of their ids. A std::set without
// its node for each: what it held it holds its memory for.
#pragma once

#include <algorithm>
#include <vector>

#include "storage/ids.h"

namespace holdfast::core {

class FunctionSet {
 public:
  void insert(storage::FunctionId id) {
    const auto at = std::ranges::lower_bound(ids_, id);
    if (at == ids_.end() || *at != id) ids_.insert(at, id);
  }
  void insert(const FunctionSet& others) {
    for (const storage::FunctionId id : others.ids_) insert(id);
  }
  void clear() { ids_.clear(); }
  void swap(FunctionSet& other) noexcept { ids_.swap(other.ids_); }

  auto begin() const { return ids_.begin(); }
  auto end() const { return ids_.end(); }
  bool empty() const { return ids_.empty(); }

 private:
  std::vector<storage::FunctionId> ids_;  // rising
};

}  // namespace holdfast::core
