// Makes the memtables of our families: an EntryList or a HashList each.
//
// RocksDB's part of the contract (rocksdb/memtablerep.h): it writes an entry into the memory
// that it was given, inserts it, and only then asks for memory for the next one.
#pragma once

#include <rocksdb/memtablerep.h>

#include <memory>

namespace holdfast::storage {

// For families in bytewise order, without timestamps, that one thread writes at a time.
std::shared_ptr<rocksdb::MemTableRepFactory> entry_list_factory();
// Where keys are uniform hashes.
std::shared_ptr<rocksdb::MemTableRepFactory> hash_list_factory();

}  // namespace holdfast::storage
