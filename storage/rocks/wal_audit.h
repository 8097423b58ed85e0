// The WAL audit: is the end of the log torn, or is acknowledged data damaged?
//
// RocksDB cannot tell: its recovery stops at the first byte that does not check out
// and opens without what follows. We can, because we keep one batch in flight: a
// batch is appended only after the one before it was synced. So
//
// Rule    A bad spot is a tear if nothing intact follows it, or if the next intact
//         batch starts a later log with the very sequence that comes next.
// Reason  Only the last batch can be torn; and a recovery that was itself cut short
//         goes on in a new log from where the tear was.
//
// What is left of an older log, behind the end of one that was written over it, is not
// intact here (log_salt.h): it looks like the rest of a batch that was torn.
//
// Rule    Anything else is damage, also a gap between two intact batches, or between the
//         table files and the first batch.
// Reason  The intact batch was written after the bad one had been synced.
//
//    Result<AuditReport> audit = audit_wal("/var/lib/holdfast/db");
//    if (audit && audit->verdict == WalVerdict::damaged) refuse(audit->sentence);
//
// Rule    Logs whose secret is gone (log_secret.h) are damaged, from the first byte on.
// Reason  Nobody can tell whether there is anything in them.
//
// Run it before the database is opened, since opening deletes the logs. It reads the
// logs that RocksDB would replay, in number order as one stream, and changes nothing.
//
// Memory   two blocks of 32 KiB.
// Failure  Error{io} if a file cannot be read. A directory without logs is clean.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "storage/base/result.h"

namespace rocksdb {
class Env;
}

namespace holdfast::storage {

enum class WalVerdict : uint8_t { clean, torn_tail, damaged };

struct AuditReport {
  WalVerdict verdict = WalVerdict::clean;

  // The bad spot that decided the verdict; unset when clean.
  std::string file;
  uint64_t offset = 0;

  uint64_t batch_count = 0;  // intact batches before the bad spot
  uint64_t log_count = 0;
  uint64_t bytes = 0;

  // The last sequence of the last intact batch before the bad spot, and the first
  // sequence of the first intact batch behind it. A log may hold neither.
  std::optional<uint64_t> last_good_sequence;
  std::optional<uint64_t> next_intact_sequence;

  // The highest sequence in any table file, for which no log is needed any more.
  std::optional<uint64_t> sequence_in_tables;

  bool readable = true;  // false: the secret of the logs is gone

  // Where the last intact batch of each log ends, by the name of its file; without the log
  // that is damaged and those behind it. 0 for each if none can be read.
  std::map<std::string, uint64_t> whole_bytes;

  std::string sentence;  // for people
};

// `env` null: the real file system.
Result<AuditReport> audit_wal(const std::string& directory, rocksdb::Env* env = nullptr);

}  // namespace holdfast::storage
