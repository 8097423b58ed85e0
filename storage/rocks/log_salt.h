// Log salt: what makes a record of a write-ahead log check out in its own log only.
//
// A log may be written over an older one (spare_log.h), whose records still stand behind
// its end, whole.
//
// Rule    The checksum of each record is XORed with a number that belongs to its log.
// Reason  What is left of the older log is then never intact, alone or as the end of a
//         batch that was torn, and the rules of wal_audit.h hold as on a disk of zeros.
//
//    SaltStream salt{log_salt(12, secret)};   // of 000012.log; log_secret.h
//    salt.apply(front);               // the bytes as they follow in the file, in pieces
//    salt.apply(rest);                // of any size; a second time takes the salt away
//
// RocksDB's own recycling (recycle_log_file_num) puts the log's number into each record.
// 7.8.3 allows it only while recovery skips whatever is corrupt, and then crashed at a null
// pointer in the flush thread, within a second of load.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace holdfast::storage {

// Another one for each number below 2^32, and none that could be guessed without the secret.
uint32_t log_salt(uint64_t number, uint32_t secret);

// "/var/lib/holdfast/db/000012.log" -> 12; nothing for what is no log.
std::optional<uint64_t> log_number_of(std::string_view path);

// Puts the salt into the checksums of a log's records. Of what is no record it may change
// bytes too, up to the end of the block.
class SaltStream {
 public:
  explicit SaltStream(uint32_t salt);
  void apply(std::span<char> bytes);

 private:
  size_t header_byte(char& byte);

  const std::array<char, 4> salt_;
  size_t in_block_ = 0;     // where in its block the next byte stands
  size_t in_header_ = 0;    // how much of a header has passed
  size_t length_ = 0;       // what it says, as far as it has passed
  size_t payload_left_ = 0;
};

}  // namespace holdfast::storage
