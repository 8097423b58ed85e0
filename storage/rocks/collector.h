// Marks table files that are thick with tombstones, so that RocksDB compacts them.
//
// A queue is read from its front, and every read walks over the tombstones there.
// RocksDB 7.8's own collector for this does not count SingleDelete; ours does.
#pragma once

#include <memory>

namespace rocksdb {
class TablePropertiesCollectorFactory;
}

namespace holdfast::storage {

std::shared_ptr<rocksdb::TablePropertiesCollectorFactory> tombstone_collector();

}  // namespace holdfast::storage
