// Bytes of RocksDB's write-ahead log, made without RocksDB, for tests of the audit.
//
//    std::string log;
//    append_batch(log, batch(1, 3));       // sequences 1 to 3
//    append_batch(log, batch(4, 1, 100'000));
//
// log_reader.h has the grammar, log_salt.h what a salt is. Failure: none.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/result.h"
#include "storage/rocks/crc32c.h"
#include "storage/rocks/log_reader.h"
#include "storage/rocks/log_salt.h"

namespace holdfast::test {

inline constexpr size_t kBlockBytes = storage::LogReader::kBlockBytes;

inline void append_le(std::string& out, uint64_t number, int bytes) {
  for (int n = 0; n < bytes; ++n) out.push_back(static_cast<char>((number >> (8 * n)) & 0xFF));
}

// A batch as RocksDB logs it; its operations are opaque to the audit.
inline std::string batch(uint64_t sequence, uint32_t count, size_t payload_bytes = 50) {
  std::string bytes;
  append_le(bytes, sequence, 8);
  append_le(bytes, count, 4);
  bytes.append(payload_bytes, static_cast<char>('a' + sequence % 26));
  return bytes;
}

inline std::string fragment(char type, const std::string& payload) {
  const std::string covered = type + payload;
  std::string bytes;
  append_le(bytes, storage::mask_crc(storage::crc32c(covered)), 4);
  append_le(bytes, payload.size(), 2);
  return bytes + covered;
}

// Fills up a block that has no room for a header.
inline void end_block_if_full(std::string& log) {
  const size_t room = kBlockBytes - log.size() % kBlockBytes;
  if (room < storage::LogReader::kHeaderBytes) log.append(room, '\0');
}

// Appends as RocksDB's log writer does: fragments that end with their block.
inline void append_batch(std::string& log, std::string rest) {
  for (bool first = true;; first = false) {
    end_block_if_full(log);
    const size_t room = kBlockBytes - log.size() % kBlockBytes;
    const std::string part = rest.substr(0, room - storage::LogReader::kHeaderBytes);
    rest.erase(0, part.size());
    const bool last = rest.empty();
    log += fragment(first ? (last ? 1 : 2) : (last ? 4 : 3), part);
    if (last) return;
  }
}

inline std::string log_of(const std::vector<std::string>& batches) {
  std::string log;
  for (const std::string& bytes : batches) append_batch(log, bytes);
  return log;
}

// As it stands in its file.
inline std::string with_salt(std::string log, uint32_t salt) {
  storage::SaltStream{salt}.apply(log);
  return log;
}

// Of a log in memory, which outlives it.
inline storage::LogReader reader_of(std::string_view log, uint32_t salt = 0) {
  const auto read = [log](std::span<char> block) mutable -> Result<size_t> {
    const std::string_view taken = log.substr(0, block.size());
    std::copy(taken.begin(), taken.end(), block.begin());
    log.remove_prefix(taken.size());
    return taken.size();
  };
  return storage::LogReader{read, salt};
}

}  // namespace holdfast::test
