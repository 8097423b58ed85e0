// Marks table files that are thick with tombstones, so that RocksDB compacts them.
//
// A queue is read from its front, and every read walks over the tombstones there.
// RocksDB 7.8's own collector for this does not count SingleDelete; ours does.
//
// Rule    Where the front is known, a file that comes from memory is marked only if it is
//         mostly tombstones.
// Reason  Reads begin behind the tombstones then. A file with news goes from the oldest row
//         to the newest, and compacting it alone rewrites the whole level below; it goes
//         down with the next ones anyway. One without news is of a queue that is worked
//         off: nothing may follow it, and a full disk waits for what it frees.
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
