#include "daemon/api/handles.h"

#include <cstdint>

#include "storage/base/bytes.h"
#include "storage/keys.h"
#include "storage/limits.h"

namespace holdfast::api {
namespace {

constexpr size_t kCheckBytes = 8;
constexpr size_t kReceiptKeyBytes = 4 + 8 + 8 + 4;

std::string to_hex(std::string_view bytes) {
  std::string text;
  text.reserve(2 * bytes.size());
  for (const char byte : bytes) {
    text.push_back("0123456789abcdef"[static_cast<uint8_t>(byte) >> 4]);
    text.push_back("0123456789abcdef"[static_cast<uint8_t>(byte) & 0xF]);
  }
  return text;
}

// Only what to_hex() writes, so that one thing has one handle.
std::optional<std::string> from_hex(std::string_view text) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  if (text.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  bytes.reserve(text.size() / 2);
  for (size_t n = 0; n < text.size(); n += 2) {
    const size_t high = kDigits.find(text[n]);
    const size_t low = kDigits.find(text[n + 1]);
    if (high == kDigits.npos || low == kDigits.npos) return std::nullopt;
    bytes.push_back(static_cast<char>((high << 4) | low));
  }
  return bytes;
}

std::string check_of(std::string_view key_bytes, storage::BoxTag box) {
  std::string hashed{key_bytes};
  append_be32(hashed, box.value);
  const storage::Hash128 hash = storage::hash_of_payload(hashed);
  return std::string{storage::view_of(hash).substr(0, kCheckBytes)};
}

}  // namespace

std::string to_receipt(const storage::MessageKey& key, storage::BoxTag box) {
  std::string bytes;
  append_be32(bytes, key.queue.value);
  append_be64(bytes, static_cast<uint64_t>(to_ms(key.visible_at)));
  append_be64(bytes, key.seq.value);
  append_be32(bytes, key.generation.value);
  return to_hex(bytes + check_of(bytes, box));
}

std::optional<storage::MessageKey> from_receipt(std::string_view text, storage::BoxTag box) {
  const std::optional<std::string> bytes = from_hex(text);
  if (!bytes || bytes->size() != kReceiptKeyBytes + kCheckBytes) return std::nullopt;
  const std::string_view key_bytes = std::string_view{*bytes}.substr(0, kReceiptKeyBytes);
  if (bytes->substr(kReceiptKeyBytes) != check_of(key_bytes, box)) return std::nullopt;
  BytesReader reader{key_bytes};
  storage::MessageKey key;
  key.queue = storage::QueueId{reader.be32()};
  const auto visible_at_ms = static_cast<int64_t>(reader.be64());
  key.seq = storage::Seq{reader.be64()};
  key.generation = storage::Generation{reader.be32()};
  // The check can be forged. No row lies beyond these, and none can be asked for: a key
  // of the disk holds no other instant.
  if (visible_at_ms < 0 || visible_at_ms > storage::kInstantMsMax) return std::nullopt;
  key.visible_at = from_ms<TimePoint>(visible_at_ms);
  return key;
}

std::string to_page_marker(const DeadLettersPage& page) {
  std::string bytes;
  append_be64(bytes, page.first.value);
  append_be64(bytes, page.second.value);
  return to_hex(bytes);
}

std::optional<DeadLettersPage> from_page_marker(std::string_view text) {
  const std::optional<std::string> bytes = from_hex(text);
  if (!bytes) return std::nullopt;
  BytesReader reader{*bytes};
  const storage::Seq from{reader.be64()};
  const storage::Seq ending_below{reader.be64()};
  if (!reader.finished()) return std::nullopt;
  return DeadLettersPage{from, ending_below};
}

std::string to_message_id(storage::Seq message, storage::BoxTag box) {
  return storage::to_request_id({storage::FunctionId{}, kMessageLane, message}, box);
}

}  // namespace holdfast::api
