// Opening a RocksStore in a test that cannot go on without one.
#pragma once

#include <memory>

#include "storage/rocks/rocks_store.h"
#include "tests/storage/store_support.h"

namespace holdfast::storage {

inline std::unique_ptr<RocksStore> open_store(const OpenOptions& options) {
  Result<std::unique_ptr<RocksStore>> store = RocksStore::open(options);
  if (!store) ADD_FAILURE() << store.error().what;
  CHECK(static_cast<bool>(store));
  return std::move(*store);
}

}  // namespace holdfast::storage
