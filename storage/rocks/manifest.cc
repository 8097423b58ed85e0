#include "storage/rocks/manifest.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::storage {

namespace {

// An edit is a list of tagged fields. These are all that our databases have; RocksDB never
// changes their numbers (db/version_edit.h).
constexpr uint64_t kTagComparator = 1;
constexpr uint64_t kTagLogNumber = 2;
constexpr uint64_t kTagNextFileNumber = 3;
constexpr uint64_t kTagLastSequence = 4;
constexpr uint64_t kTagCompactCursor = 5;
constexpr uint64_t kTagDeletedFile = 6;
constexpr uint64_t kTagPrevLogNumber = 9;
constexpr uint64_t kTagMinLogNumberToKeep = 10;
constexpr uint64_t kTagNewFile = 103;
constexpr uint64_t kTagColumnFamily = 200;
constexpr uint64_t kTagAddColumnFamily = 201;
constexpr uint64_t kTagMaxColumnFamily = 203;
constexpr uint64_t kTagInAtomicGroup = 300;
constexpr uint64_t kTagDatabaseId = 8193;

constexpr uint64_t kEndOfFileFields = 1;

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

bool skip_numbers(std::string_view& bytes, int count) {
  for (; count > 0; --count) {
    if (!take_varint(bytes)) return false;
  }
  return true;
}

// level number size smallest largest smallest_sequence largest_sequence, then fields of which
// each is a tag and a string.
bool skip_new_file(std::string_view& bytes) {
  if (!skip_numbers(bytes, 3) || !skip_string(bytes) || !skip_string(bytes) ||
      !skip_numbers(bytes, 2)) {
    return false;
  }
  for (;;) {
    const std::optional<uint64_t> tag = take_varint(bytes);
    if (!tag) return false;
    if (*tag == kEndOfFileFields) return true;
    if (!skip_string(bytes)) return false;
  }
}

// What edits say of that which the summary wants, of one or of a group.
struct Said {
  uint64_t oldest_live_log = 0;
  std::optional<uint64_t> last_sequence;
  uint64_t group_rest = 0;  // how many more edits must follow, or none of them counts
};

// Adds what an edit says; stops at the first field it cannot read.
void read_edit(std::string_view bytes, Said& said) {
  said.group_rest = 0;
  while (const std::optional<uint64_t> tag = take_varint(bytes)) {
    bool known = true;
    switch (*tag) {
      case kTagComparator:
      case kTagDatabaseId:
      case kTagAddColumnFamily:
        known = skip_string(bytes);
        break;
      case kTagLogNumber:
      case kTagNextFileNumber:
      case kTagPrevLogNumber:
      case kTagColumnFamily:
      case kTagMaxColumnFamily:
        known = skip_numbers(bytes, 1);
        break;
      case kTagDeletedFile:
        known = skip_numbers(bytes, 2);
        break;
      case kTagCompactCursor:
        known = skip_numbers(bytes, 1) && skip_string(bytes);
        break;
      case kTagNewFile:
        known = skip_new_file(bytes);
        break;
      case kTagLastSequence:
        said.last_sequence = std::max(said.last_sequence, take_varint(bytes));
        break;
      case kTagMinLogNumberToKeep:
        said.oldest_live_log = std::max(said.oldest_live_log, take_varint(bytes).value_or(0));
        break;
      case kTagInAtomicGroup:
        said.group_rest = take_varint(bytes).value_or(0);
        break;
      default:
        known = false;
    }
    if (!known) return;
  }
}

}  // namespace

Result<ManifestSummary> read_manifest(LogReader& manifest) {
  ManifestSummary summary;
  std::string bytes;
  Said said;  // by the edits of a group, as far as it has come
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
        bytes.clear();
        break;
      case LogReader::Kind::middle:
      case LogReader::Kind::last:
        break;
    }
    bytes.append(record->payload);
    if (record->kind == LogReader::Kind::full || record->kind == LogReader::Kind::last) {
      read_edit(bytes, said);
      if (said.group_rest == 0) {
        summary.oldest_live_log = said.oldest_live_log;
        summary.last_sequence = said.last_sequence;
      }
      summary.whole_bytes = record->offset + LogReader::kHeaderBytes + record->payload.size();
    }
  }
}

}  // namespace holdfast::storage
