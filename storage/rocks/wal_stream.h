// WalStream: judges batch after batch of the logs, in number order, and keeps the
// verdict. The rules stand in wal_audit.h; this is the part that needs no files.
//
//    WalStream stream{last_sequence_in_table_files};
//    for (each live log) {
//      Result<bool> go_on = stream.read_log(name, reader);
//      if (!go_on) return go_on.error();
//      if (!*go_on) break;
//    }
//    AuditReport report = stream.finish();
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "storage/rocks/log_reader.h"
#include "storage/rocks/wal_audit.h"

namespace holdfast::storage {

class WalStream {
 public:
  explicit WalStream(std::optional<uint64_t> sequence_in_tables)
      : sequence_in_tables_(sequence_in_tables) {}

  // False when the verdict is final and later logs cannot change it.
  Result<bool> read_log(const std::string& file, LogReader& reader);

  AuditReport finish();

 private:
  struct OpenBatch {
    uint64_t offset = 0;
    std::string header;  // its first 12 bytes, as far as they have been read
    bool judged = false;
  };

  static std::optional<uint64_t> sequence_of(std::string_view header);
  static bool plausible(std::optional<uint64_t> sequence, std::optional<uint64_t> expected);

  Result<bool> read_records(LogReader& reader);
  bool fits(const OpenBatch& batch);
  void accept(const OpenBatch& batch);
  void suspect(uint64_t offset);
  void damaged(std::optional<uint64_t> next_intact_sequence);
  Result<bool> search(LogReader& reader, uint64_t bad_offset);

  const std::optional<uint64_t> sequence_in_tables_;
  std::string file_;
  AuditReport report_;
  bool suspect_ = false;              // a bad spot, not yet known to be damage
  std::optional<uint64_t> expected_;  // the sequence of the next batch
};

}  // namespace holdfast::storage
