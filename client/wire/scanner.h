// Scanner finds where a MessagePack value ends, byte by byte, without building
// it and without allocating.
//
//    Scanner scanner{kRequestLimits};
//    size_t taken = scanner.feed(bytes);       // never more than the value has
//    if (scanner.fault()) ...                  // and it stays so
//    if (scanner.finished()) ...               // the value ended at bytes[taken - 1]
//
// Rule    It remembers its place, so a frame that arrives in many pieces is
//         looked at once.
// Reason  Starting over with every piece costs the square of the frame's size.
//
// Rule    A value is refused as soon as a header claims more than the limits
//         allow: body bytes, and one byte at least for every announced element.
// Reason  Nobody shall make us buffer what we are going to refuse.
//
// Rule    Extension types are refused.
// Reason  The protocol has none, and a type that one reader skips and another
//         decodes is a way to smuggle.
//
// Ownership  none. Threads  one at a time. Failure  a ScanFault.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "client/wire/limits.h"

namespace holdfast::wire {

struct ScanLimits {
  uint64_t bytes_max;
  uint32_t nesting_max;  // at most kReplyNestingMax
  uint64_t values_max;
};

inline constexpr ScanLimits kRequestLimits{kRequestBytesMax, kNestingMax, kRequestValuesMax};
inline constexpr ScanLimits kReplyLimits{kReplyBytesMax, kReplyNestingMax, kReplyValuesMax};

enum class ScanFault : uint8_t {
  too_large,
  too_deep,
  too_many_values,
  reserved_byte,  // 0xc1, which no MessagePack value begins with
  extension_type,
};

class Scanner {
 public:
  explicit Scanner(const ScanLimits& limits);

  // Looks at the next bytes of the value and returns how many of them it took.
  // Takes nothing once finished() or fault().
  size_t feed(std::string_view bytes);

  bool finished() const { return finished_; }
  const std::optional<ScanFault>& fault() const { return fault_; }

  // Forgets everything and expects the first byte of another value.
  void restart();

 private:
  enum class Kind : uint8_t { scalar, body, array, map, reserved, extension };
  struct Header {
    Kind kind;
    uint8_t length_bytes;  // that follow the first byte and tell `length`
    uint64_t length;       // known already when length_bytes is 0
  };
  static Header header_of(uint8_t first);

  void begin_value(uint8_t first);
  void end_header();
  void open(uint64_t values);
  void end_value();
  void refuse(ScanFault fault) { fault_ = fault; }

  ScanLimits limits_;
  std::optional<ScanFault> fault_;
  bool finished_ = false;

  uint64_t taken_bytes_ = 0;  // of this value
  uint64_t body_bytes_ = 0;   // still to be skipped
  uint64_t owed_values_ = 1;  // announced, not begun: each is one byte at least
  uint64_t begun_values_ = 0;

  Header header_{};                                // the one being read while length_bytes is not 0
  std::array<uint64_t, kReplyNestingMax> open_{};  // values each open container still expects
  uint32_t depth_ = 0;
};

}  // namespace holdfast::wire
