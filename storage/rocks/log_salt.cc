#include "storage/rocks/log_salt.h"

#include <algorithm>
#include <charconv>

#include "storage/rocks/log_reader.h"

namespace holdfast::storage {

namespace {

constexpr size_t kBlockBytes = LogReader::kBlockBytes;
constexpr size_t kHeaderBytes = LogReader::kHeaderBytes;
constexpr std::string_view kLogEnding = ".log";

}  // namespace

// An odd factor maps no two numbers to the same one.
uint32_t log_salt(uint64_t number, uint32_t secret) {
  return static_cast<uint32_t>(number) * 0x9E3779B1u ^ secret;
}

std::optional<uint64_t> log_number_of(std::string_view path) {
  path.remove_prefix(path.find_last_of('/') + 1);
  if (!path.ends_with(kLogEnding)) return std::nullopt;
  path.remove_suffix(kLogEnding.size());
  uint64_t number = 0;
  const char* end = path.data() + path.size();
  const auto [stopped, error] = std::from_chars(path.data(), end, number);
  if (error != std::errc{} || stopped != end) return std::nullopt;
  return number;
}

SaltStream::SaltStream(uint32_t salt)
    : salt_{static_cast<char>(salt), static_cast<char>(salt >> 8), static_cast<char>(salt >> 16),
            static_cast<char>(salt >> 24)} {}

void SaltStream::apply(std::span<char> bytes) {
  while (!bytes.empty()) {
    const size_t block_left = kBlockBytes - in_block_;
    const bool trailer = payload_left_ == 0 && in_header_ == 0 && block_left < kHeaderBytes;
    size_t passed = 0;
    if (trailer) {
      passed = std::min(block_left, bytes.size());
    } else if (payload_left_ > 0) {
      passed = std::min(payload_left_, bytes.size());
      payload_left_ -= passed;
    } else {
      passed = header_byte(bytes.front());
    }
    in_block_ = (in_block_ + passed) % kBlockBytes;
    bytes = bytes.subspan(passed);
  }
}

// crc:le32 length:le16 type:u8
size_t SaltStream::header_byte(char& byte) {
  if (in_header_ < salt_.size()) {
    byte = static_cast<char>(byte ^ salt_[in_header_]);
  } else if (in_header_ < kHeaderBytes - 1) {
    length_ |= static_cast<size_t>(static_cast<uint8_t>(byte)) << (8 * (in_header_ - salt_.size()));
  }
  if (++in_header_ == kHeaderBytes) {
    payload_left_ = std::min(length_, kBlockBytes - in_block_ - 1);  // no record leaves its block
    in_header_ = 0;
    length_ = 0;
  }
  return 1;
}

}  // namespace holdfast::storage
