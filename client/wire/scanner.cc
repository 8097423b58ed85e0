// The grammar, as far as the end of a value depends on it:
//
//   value   := scalar | body | array | map
//   scalar  := nil | bool | fixint | (int | float) and its 1, 2, 4 or 8 bytes
//   body    := (str | bin) length bytes
//   array   := header n, then n values
//   map     := header n, then 2n values
#include "client/wire/scanner.h"

#include <algorithm>

#include "storage/base/check.h"

namespace holdfast::wire {

Scanner::Scanner(const ScanLimits& limits) : limits_(limits) {
  CHECK(limits.nesting_max <= kReplyNestingMax);
}

void Scanner::restart() { *this = Scanner{limits_}; }

size_t Scanner::feed(std::string_view bytes) {
  size_t taken = 0;
  while (taken < bytes.size() && !finished_ && !fault_) {
    if (body_bytes_ > 0) {
      const uint64_t skipped = std::min<uint64_t>(body_bytes_, bytes.size() - taken);
      body_bytes_ -= skipped;
      taken += static_cast<size_t>(skipped);
      taken_bytes_ += skipped;
      if (body_bytes_ == 0) end_value();
      continue;
    }
    const auto byte = static_cast<uint8_t>(bytes[taken]);
    ++taken;
    ++taken_bytes_;
    if (header_.length_bytes == 0) {
      begin_value(byte);
    } else {
      header_.length = (header_.length << 8) | byte;
      if (--header_.length_bytes == 0) end_header();
    }
  }
  return taken;
}

Scanner::Header Scanner::header_of(uint8_t first) {
  if (first <= 0x7F || first >= 0xE0) return {Kind::scalar, 0, 0};
  if (first <= 0x8F) return {Kind::map, 0, first & 0x0Fu};
  if (first <= 0x9F) return {Kind::array, 0, first & 0x0Fu};
  if (first <= 0xBF) return {Kind::body, 0, first & 0x1Fu};
  switch (first) {
    case 0xC0:  // nil
    case 0xC2:  // false
    case 0xC3:  // true
      return {Kind::scalar, 0, 0};
    case 0xC4:  // bin 8
    case 0xD9:  // str 8
      return {Kind::body, 1, 0};
    case 0xC5:  // bin 16
    case 0xDA:  // str 16
      return {Kind::body, 2, 0};
    case 0xC6:  // bin 32
    case 0xDB:  // str 32
      return {Kind::body, 4, 0};
    case 0xCC:  // uint 8
    case 0xD0:  // int 8
      return {Kind::body, 0, 1};
    case 0xCD:  // uint 16
    case 0xD1:  // int 16
      return {Kind::body, 0, 2};
    case 0xCA:  // float 32
    case 0xCE:  // uint 32
    case 0xD2:  // int 32
      return {Kind::body, 0, 4};
    case 0xCB:  // float 64
    case 0xCF:  // uint 64
    case 0xD3:  // int 64
      return {Kind::body, 0, 8};
    case 0xDC:
      return {Kind::array, 2, 0};
    case 0xDD:
      return {Kind::array, 4, 0};
    case 0xDE:
      return {Kind::map, 2, 0};
    case 0xDF:
      return {Kind::map, 4, 0};
    case 0xC1:
      return {Kind::reserved, 0, 0};
    default:  // 0xC7 .. 0xC9 and 0xD4 .. 0xD8
      return {Kind::extension, 0, 0};
  }
}

void Scanner::begin_value(uint8_t first) {
  CHECK(owed_values_ > 0);
  --owed_values_;
  ++begun_values_;
  if (depth_ > 0) --open_[depth_ - 1];
  header_ = header_of(first);
  if (header_.length_bytes == 0) end_header();
}

void Scanner::end_header() {
  switch (header_.kind) {
    case Kind::reserved:
      return refuse(ScanFault::reserved_byte);
    case Kind::extension:
      return refuse(ScanFault::extension_type);
    case Kind::scalar:
      break;
    case Kind::body:
      body_bytes_ = header_.length;
      break;
    case Kind::array:
      open(header_.length);
      break;
    case Kind::map:
      open(2 * header_.length);
      break;
  }
  if (fault_) return;
  if (taken_bytes_ + body_bytes_ + owed_values_ > limits_.bytes_max) {
    return refuse(ScanFault::too_large);
  }
  if (begun_values_ + owed_values_ > limits_.values_max) {
    return refuse(ScanFault::too_many_values);
  }
  if (body_bytes_ == 0) end_value();
}

void Scanner::open(uint64_t values) {
  if (depth_ == limits_.nesting_max) return refuse(ScanFault::too_deep);
  open_[depth_] = values;
  ++depth_;
  owed_values_ += values;
}

// A value has ended, and with it every container whose last value it was.
void Scanner::end_value() {
  while (depth_ > 0 && open_[depth_ - 1] == 0) --depth_;
  if (depth_ == 0) finished_ = true;
}

}  // namespace holdfast::wire
