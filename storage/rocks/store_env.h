// StoreEnv: the file system as the store wants RocksDB to see it. Five things differ.
//
// Rule    The preallocation of a write-ahead log shows in the size of its file.
// Reason  RocksDB hides it, so that every append changes the size and every sync must
//         commit metadata too. Shown, a commit is about 30 % faster and a sync writes
//         half as much flash; the log then ends in zeros, which its reader skips.
//
// Rule    Where it pays, the log is written over zeros that were written before
//         (prepared_log.h).
// Reason  A small commit then has nothing to tell the file system.
//
// Rule    A log is written over the file of one that is no longer needed (spare_log.h), and its
//         checksums have a salt, which RocksDB does not see (log_salt.h).
// Reason  A commit then changes bytes and nothing else, and no zeros are needed for that.
//
// Rule    A log ends for RocksDB where the audit saw its last intact batch end.
// Reason  Behind it may stand what is left of an older one, and RocksDB would have to tell
//         that from damage. A log that is damaged, it sees as it is.
//
// Rule    A MANIFEST ends with its last whole edit before a bad spot, if that spot lies
//         behind all that is known to have been synced (synced_manifest.h). If it does
//         not, opening is refused before RocksDB sees it.
// Reason  A power cut can tear the last append, which nobody relied on yet; RocksDB 7.8
//         takes that for corruption, and a box that does not start is an outage. Damage to
//         what was synced must not pass for a tear: the list of a family's table files
//         would be gone, and nobody would miss them.
//
// RocksDB reads a MANIFEST only when it opens, and begins a new one then, so the torn one
// is never appended to.
//
// Ownership  `base` outlives it. Threads  any.
#pragma once

#include <rocksdb/env.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>

namespace holdfast::storage {

// Which logs are prepared. Over a base that a test gives all of them, in small steps, so that
// it meets many.
enum class PrepareLogs : uint8_t { where_it_pays, in_small_steps };

// `whole_bytes` is the audit's (wal_audit.h). With the clock of its base, which
// NewCompositeEnv would not keep.
std::unique_ptr<rocksdb::Env> store_env(rocksdb::Env& base, PrepareLogs prepare,
                                        std::map<std::string, uint64_t> whole_bytes);

}  // namespace holdfast::storage
