// Marks table files that are thick with tombstones, so that RocksDB compacts them.
//
// A queue is read from its front, and every read walks over the tombstones there.
// RocksDB 7.8's own collector for this does not count SingleDelete; ours does.
//
// Rule    Where the front is known, files that come from memory are not marked.
// Reason  Reads begin behind the tombstones then. Each such file goes from the oldest row to
//         the newest, and compacting it alone rewrites the whole level below. Together with
//         the next ones it goes down anyway; there the files are short, and marked ones take
//         the dead rows with them.
#pragma once

#include <cstdint>
#include <memory>

namespace rocksdb {
class TablePropertiesCollectorFactory;
}

namespace holdfast::storage {

enum class FrontOfQueue : uint8_t { is_searched, is_known };

std::shared_ptr<rocksdb::TablePropertiesCollectorFactory> tombstone_collector(FrontOfQueue front);

}  // namespace holdfast::storage
