#include "storage/rocks/manifest.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::storage {

namespace {

// An edit is a list of tagged fields. These, in front of the lists of files, are all
// that we need to step over; RocksDB never changes their numbers.
constexpr uint64_t kTagComparator = 1;
constexpr uint64_t kTagLogNumber = 2;
constexpr uint64_t kTagNextFileNumber = 3;
constexpr uint64_t kTagLastSequence = 4;
constexpr uint64_t kTagPrevLogNumber = 9;
constexpr uint64_t kTagMinLogNumberToKeep = 10;
constexpr uint64_t kTagMaxColumnFamily = 203;
constexpr uint64_t kTagDatabaseId = 8193;

std::optional<uint64_t> take_varint(std::string_view& bytes) {
  uint64_t number = 0;
  for (int shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
    const auto byte = static_cast<uint8_t>(bytes.front());
    bytes.remove_prefix(1);
    number |= static_cast<uint64_t>(byte & 0x7F) << shift;
    if ((byte & 0x80) == 0) return number;
  }
  return std::nullopt;
}

bool skip_string(std::string_view& bytes) {
  const std::optional<uint64_t> size = take_varint(bytes);
  if (!size || *size > bytes.size()) return false;
  bytes.remove_prefix(static_cast<size_t>(*size));
  return true;
}

// Takes from an edit what the summary wants; stops at the first field it cannot read.
void read_edit(std::string_view edit, ManifestSummary& summary) {
  for (;;) {
    const std::optional<uint64_t> tag = take_varint(edit);
    if (!tag) return;
    if (*tag == kTagComparator || *tag == kTagDatabaseId) {
      if (!skip_string(edit)) return;
      continue;
    }
    const bool known = *tag == kTagLogNumber || *tag == kTagPrevLogNumber ||
                       *tag == kTagNextFileNumber || *tag == kTagMaxColumnFamily ||
                       *tag == kTagMinLogNumberToKeep || *tag == kTagLastSequence;
    if (!known) return;
    const std::optional<uint64_t> number = take_varint(edit);
    if (!number) return;
    if (*tag == kTagMinLogNumberToKeep) {
      summary.oldest_live_log = std::max(summary.oldest_live_log, *number);
    }
    if (*tag == kTagLastSequence) {
      summary.last_sequence = std::max(summary.last_sequence.value_or(0), *number);
    }
  }
}

}  // namespace

Result<ManifestSummary> read_manifest(LogReader& manifest) {
  ManifestSummary summary;
  std::string edit;
  for (;;) {
    const Result<LogReader::Record> record = manifest.next();
    if (!record) return record.error();
    switch (record->kind) {
      case LogReader::Kind::end: return summary;
      case LogReader::Kind::bad:
        summary.torn = true;
        return summary;
      case LogReader::Kind::full:
      case LogReader::Kind::first:
        edit.clear();
        break;
      case LogReader::Kind::middle:
      case LogReader::Kind::last:
        break;
    }
    edit.append(record->payload);
    if (record->kind == LogReader::Kind::full || record->kind == LogReader::Kind::last) {
      read_edit(edit, summary);
      summary.whole_bytes = record->offset + LogReader::kHeaderBytes + record->payload.size();
    }
  }
}

}  // namespace holdfast::storage
