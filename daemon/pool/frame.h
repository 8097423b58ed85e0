// Frames: how events are written to a persistent command, and answers read from it.
// client/PROTOCOL.md, section 7, tells the same to people.
//
//    child.write(encode(framing, event, payload));
//    ...
//    reader.feed(bytes);
//    Said said = reader.next();   // NeedMore | Ready | Answer | Fault
//
// A reader that has met a fault stays so: what follows cannot be understood.
//
// Threads  any. Bounds  a reader holds one frame, as large as a result may be, and what
// was fed behind it. Failure  Fault, with a sentence; never an abort.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "config/settings.h"
#include "daemon/core/outcome.h"
#include "storage/base/time.h"
#include "storage/ids.h"
#include "storage/records.h"

namespace holdfast::pool {

// Of a JSON object beside the result. AWS's own headers are far smaller.
inline constexpr size_t kHeadBytesMax = 64u << 10;

struct EventHead {
  std::string_view function;
  std::string_view request_id;
  storage::AttemptNumber attempt;
  storage::InvocationType type = storage::InvocationType::event;
  WallTime deadline;
  std::string_view idempotency_key;  // empty: none
};

// The whole frame.
std::string encode(config::Framing framing, const EventHead& head, std::string_view payload);

struct NeedMore {};
struct Ready {};
struct Answer {
  std::string request_id;
  core::Outcome outcome;  // Succeeded, Failed or ResultTooLarge
};
struct Fault {
  std::string what;
  bool too_large = false;  // a result beyond its bound, whose end is not waited for
};
using Said = std::variant<NeedMore, Ready, Answer, Fault>;

class FrameReader {
 public:
  FrameReader(config::Framing framing, uint64_t result_bytes_max)
      : framing_(framing), result_bytes_max_(result_bytes_max) {}

  void feed(std::string_view bytes) { buffer_ += bytes; }
  Said next();

  // What the next result may have.
  void set_result_bytes_max(uint64_t bytes) { result_bytes_max_ = bytes; }
  uint64_t memory_bytes() const { return buffer_.capacity(); }

 private:
  Said next_line();
  Said next_prefixed();
  void drop_taken();

  const config::Framing framing_;
  uint64_t result_bytes_max_;
  std::string buffer_;
  size_t taken_ = 0;    // of the buffer, by frames that were read
  size_t scanned_ = 0;  // behind that, without a line's end
  std::optional<Fault> fault_;
};

}  // namespace holdfast::pool
