#include "storage/rocks/log_reader.h"

#include <algorithm>
#include <optional>

#include "storage/rocks/crc32c.h"

namespace holdfast::storage {

namespace {

constexpr uint8_t kTypeZero = 0;
constexpr uint8_t kTypeFull = 1;
constexpr uint8_t kTypeFirst = 2;

uint8_t byte_at(std::string_view bytes, size_t index) { return static_cast<uint8_t>(bytes[index]); }

// Types above these four belong to recycled or compressed logs, which we never write.
std::optional<LogReader::Kind> kind_of(uint8_t type) {
  switch (type) {
    case kTypeFull:
      return LogReader::Kind::full;
    case kTypeFirst:
      return LogReader::Kind::first;
    case 3:
      return LogReader::Kind::middle;
    case 4:
      return LogReader::Kind::last;
    default:
      return std::nullopt;
  }
}

struct Header {
  uint32_t crc;
  size_t length;
  uint8_t type;

  explicit Header(std::string_view bytes)
      : crc(byte_at(bytes, 0) | static_cast<uint32_t>(byte_at(bytes, 1)) << 8 |
            static_cast<uint32_t>(byte_at(bytes, 2)) << 16 |
            static_cast<uint32_t>(byte_at(bytes, 3)) << 24),
        length(static_cast<size_t>(byte_at(bytes, 4)) | static_cast<size_t>(byte_at(bytes, 5))
                                                            << 8),
        type(byte_at(bytes, 6)) {}

  bool zero() const { return crc == 0 && length == 0 && type == kTypeZero; }
};

bool all_zero(std::string_view bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](char byte) { return byte == 0; });
}

}  // namespace

Result<bool> LogReader::load_block() {
  if (last_block_) return false;
  block_offset_ += block_bytes_;
  block_bytes_ = 0;
  position_ = 0;
  const Result<size_t> bytes = read_(block_);
  if (!bytes) return bytes.error();
  block_bytes_ = *bytes;
  last_block_ = block_bytes_ < kBlockBytes;
  return block_bytes_ > 0;
}

LogReader::Record LogReader::record_at(size_t position, size_t length, Kind kind) const {
  return Record{kind, block_offset_ + position,
                std::string_view{block_.data() + position + kHeaderBytes, length}};
}

LogReader::Record LogReader::bad_at(size_t position) {
  position_ = position;
  return Record{Kind::bad, block_offset_ + position, {}};
}

bool LogReader::checks_out(size_t position, size_t length) const {
  if (position + kHeaderBytes + length > block_bytes_) return false;
  const Header header{std::string_view{block_.data() + position, kHeaderBytes}};
  // The checksum covers the type, which stands right before the payload.
  const std::string_view covered{block_.data() + position + kHeaderBytes - 1, length + 1};
  return header.crc == (mask_crc(crc32c(covered)) ^ salt_);
}

Result<LogReader::Record> LogReader::next() {
  while (block_bytes_ - position_ < kHeaderBytes) {
    const std::string_view trailer{block_.data() + position_, block_bytes_ - position_};
    // A file that stops inside a header was torn there; a full block just ended.
    if (last_block_ && !all_zero(trailer)) return bad_at(position_);
    const Result<bool> loaded = load_block();
    if (!loaded) return loaded.error();
    if (!*loaded) return end();
  }
  const Header header{std::string_view{block_.data() + position_, kHeaderBytes}};
  if (header.zero()) return zeros_or_bad();
  const std::optional<Kind> kind = kind_of(header.type);
  if (!kind || !checks_out(position_, header.length)) return bad_at(position_);
  const Record record = record_at(position_, header.length, *kind);
  position_ += kHeaderBytes + header.length;
  return record;
}

// At a zero header: the end of the log if only zeros follow.
Result<LogReader::Record> LogReader::zeros_or_bad() {
  const uint64_t zeros_offset = block_offset_ + position_;
  for (;;) {
    if (!all_zero({block_.data() + position_, block_bytes_ - position_})) {
      // Zeros hold no records, so the search may begin in this block.
      return Record{Kind::bad, zeros_offset, {}};
    }
    const Result<bool> loaded = load_block();
    if (!loaded) return loaded.error();
    if (!*loaded) {
      position_ = block_bytes_;
      return end();
    }
  }
}

Result<LogReader::Record> LogReader::find_batch_start(const Plausible& plausible) {
  for (;;) {
    for (size_t at = position_; at + kHeaderBytes <= block_bytes_; ++at) {
      // Most bytes go no further: what is left of an older log may be megabytes.
      const auto type = static_cast<uint8_t>(block_[at + kHeaderBytes - 1]);
      if (type != kTypeFull && type != kTypeFirst) continue;
      const Header header{std::string_view{block_.data() + at, kHeaderBytes}};
      const std::optional<Kind> kind = kind_of(header.type);
      const size_t record_end = at + kHeaderBytes + header.length;
      if (record_end > block_bytes_) continue;
      if (kind == Kind::first && record_end != kBlockBytes) continue;
      const Record record = record_at(at, header.length, *kind);
      if (!plausible(*kind, record.payload) || !checks_out(at, header.length)) continue;
      position_ = record_end;
      return record;
    }
    const Result<bool> loaded = load_block();
    if (!loaded) return loaded.error();
    if (!*loaded) return end();
  }
}

}  // namespace holdfast::storage
