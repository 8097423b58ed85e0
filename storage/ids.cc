#include "storage/ids.h"

#include <array>

#include "storage/base/check.h"

namespace holdfast::storage {

namespace {

constexpr size_t kRequestIdBytes = 36;
constexpr uint64_t kVersion = 8;  // free for own use by RFC 9562
constexpr uint64_t kVariant = 2;

// The 128 bits of a UUID, as it is read from left to right.
struct Halves {
  uint64_t high = 0;
  uint64_t low = 0;
};

constexpr bool is_dash_at(size_t position) {
  return position == 8 || position == 13 || position == 18 || position == 23;
}

constexpr uint8_t kNoDigit = 0xFF;

// What each character is worth as a digit.
constexpr std::array<uint8_t, 256> kDigitOf = [] {
  std::array<uint8_t, 256> digit_of{};
  digit_of.fill(kNoDigit);
  for (uint8_t n = 0; n < 10; ++n) digit_of[size_t{'0'} + n] = n;
  for (uint8_t n = 10; n < 16; ++n) {
    digit_of[size_t{'a'} + n - 10] = n;
    digit_of[size_t{'A'} + n - 10] = n;
  }
  return digit_of;
}();

std::string to_text(const Halves& halves) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text(kRequestIdBytes, '-');
  size_t at = 0;
  for (const uint64_t half : {halves.high, halves.low}) {
    for (int shift = 60; shift >= 0; shift -= 4) {
      if (is_dash_at(at)) ++at;
      text[at++] = kDigits[(half >> shift) & 0xF];
    }
  }
  return text;
}

std::optional<Halves> from_text(std::string_view text) {
  if (text.size() != kRequestIdBytes) return std::nullopt;
  Halves halves;
  for (size_t position = 0; position < text.size(); ++position) {
    if (is_dash_at(position)) {
      if (text[position] != '-') return std::nullopt;
      continue;
    }
    const uint8_t digit = kDigitOf[static_cast<uint8_t>(text[position])];
    if (digit == kNoDigit) return std::nullopt;
    halves.high = (halves.high << 4) | (halves.low >> 60);
    halves.low = (halves.low << 4) | digit;
  }
  return halves;
}

}  // namespace

std::string to_request_id(const EventId& id, BoxTag box) {
  CHECK(box.value <= kBoxTagMax);
  const uint64_t seq = id.seq.value;
  return to_text({
      .high = (seq >> 16 << 16) | (kVersion << 12) | ((seq >> 4) & 0xFFF),
      .low = (kVariant << 62) | ((seq & 0xF) << 58) | (uint64_t{id.lane.value} << 50) |
             (uint64_t{id.function.value} << 18) | box.value,
  });
}

std::optional<EventId> from_request_id(std::string_view text, BoxTag box) {
  const std::optional<Halves> halves = from_text(text);
  if (!halves) return std::nullopt;
  if (((halves->high >> 12) & 0xF) != kVersion) return std::nullopt;
  if (halves->low >> 62 != kVariant) return std::nullopt;
  if ((halves->low & kBoxTagMax) != box.value) return std::nullopt;
  const uint64_t seq =
      (halves->high >> 16 << 16) | ((halves->high & 0xFFF) << 4) | ((halves->low >> 58) & 0xF);
  return EventId{
      .function = FunctionId{static_cast<uint32_t>(halves->low >> 18)},
      .lane = Lane{static_cast<uint8_t>(halves->low >> 50)},
      .seq = Seq{seq},
  };
}

}  // namespace holdfast::storage
