// LogReader: the records of one RocksDB log file (write-ahead log or MANIFEST), and
// where they stop checking out.
//
//    file    := block*                      32 KiB each, the last one may be shorter
//    block   := record* trailer             trailer: fewer than 7 bytes, skipped
//    record  := crc:le32 length:le16 type:u8 payload
//               crc is masked, covers type and payload, and has the salt of its log
//               (log_salt.h); a MANIFEST has none
//    logical := FULL | FIRST MIDDLE* LAST   FIRST and MIDDLE end with their block
//
// A log that was not closed ends in preallocated zeros: they are its end, not damage,
// provided that nothing but zeros follows. Or it ends in what is left of an older log:
// that is `bad`, and nothing intact follows.
//
//    LogReader reader{read_block};
//    Result<LogReader::Record> record = reader.next();
//
// Memory   one block. Payloads live until the next call.
// Failure  next() gives what the file system said; bad bytes are a Record of kind
//          `bad`, after which only find_batch_start() may be called.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "storage/base/result.h"

namespace holdfast::storage {

class LogReader {
 public:
  static constexpr size_t kBlockBytes = 32 * 1024;
  static constexpr size_t kHeaderBytes = 7;

  enum class Kind : uint8_t { full, first, middle, last, bad, end };

  struct Record {
    Kind kind;
    uint64_t offset;           // of the record in the file
    std::string_view payload;  // empty for bad and end
  };

  // Fills the span from where the last call stopped; gives fewer bytes only at the
  // end of the file.
  using ReadBlock = std::function<Result<size_t>(std::span<char>)>;

  // Whether a payload could be the start of a batch we look for.
  using Plausible = std::function<bool(Kind kind, std::string_view payload)>;

  explicit LogReader(ReadBlock read, uint32_t salt = 0) : read_(std::move(read)), salt_(salt) {}

  Result<Record> next();

  // Looks behind a bad spot, byte by byte, for an intact record that begins a batch
  // (FULL or FIRST); kind `end` if there is none.
  Result<Record> find_batch_start(const Plausible& plausible);

  uint64_t bytes_read() const { return block_offset_ + block_bytes_; }

  // Where the record that was read last ends.
  uint64_t offset() const { return block_offset_ + position_; }

 private:
  Result<bool> load_block();
  Result<Record> zeros_or_bad();
  Record record_at(size_t position, size_t length, Kind kind) const;
  bool checks_out(size_t position, size_t length) const;
  Record bad_at(size_t position);
  Record end() const { return Record{Kind::end, bytes_read(), {}}; }

  ReadBlock read_;
  const uint32_t salt_;
  std::array<char, kBlockBytes> block_{};
  size_t block_bytes_ = 0;
  uint64_t block_offset_ = 0;
  size_t position_ = 0;  // of the next record in the block
  bool last_block_ = false;
};

}  // namespace holdfast::storage
