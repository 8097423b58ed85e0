// What the MANIFEST says about the logs: which of them still matter, and what had
// reached table files when it was written.
//
// A crash can leave logs behind whose rows have all reached table files. RocksDB
// skips them, so the audit must, too: their state proves nothing.
//
// Rule    Of edits that belong to a group, the last one must be there, or none counts.
// Reason  A flush writes one for each family (atomic_flush), and RocksDB forgets a group that a
//         power cut left incomplete: its tables are no part of the database, and its rows are
//         still in the log.
//
// It is read up to the first spot that does not check out; what that means is said in
// store_env.h.
#pragma once

#include <cstdint>
#include <optional>

#include "storage/base/result.h"
#include "storage/rocks/log_reader.h"

namespace holdfast::storage {

struct ManifestSummary {
  uint64_t oldest_live_log = 0;  // the first that RocksDB would replay; 0: every log counts
  std::optional<uint64_t> last_sequence;  // the highest in any table file

  bool torn = false;         // it does not end where its last whole edit does
  uint64_t whole_bytes = 0;  // up to the end of that edit
};

Result<ManifestSummary> read_manifest(LogReader& manifest);

}  // namespace holdfast::storage
