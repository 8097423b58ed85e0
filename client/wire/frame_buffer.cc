#include "client/wire/frame_buffer.h"

#include <utility>

#include "storage/base/check.h"

namespace holdfast::wire {
namespace {

// An idle connection keeps at most this much, also after a large frame:
// a thousand of them must not cost a thousand large frames.
constexpr size_t kIdleBytesMax = 64u << 10;

}  // namespace

void FrameBuffer::feed(std::string_view bytes) {
  if (scanner_.fault()) return;
  drop_given();
  bytes_.append(bytes);
}

std::variant<NeedMore, std::string_view, ScanFault> FrameBuffer::next() {
  scanned_ += scanner_.feed(std::string_view{bytes_}.substr(scanned_));
  if (scanner_.fault()) return *scanner_.fault();
  if (!scanner_.finished()) {
    drop_given();
    return NeedMore{};
  }
  const std::string_view frame = std::string_view{bytes_}.substr(begin_, scanned_ - begin_);
  begin_ = scanned_;
  scanner_.restart();
  return frame;
}

std::string_view FrameBuffer::take(size_t bytes) {
  CHECK(bytes <= unscanned().size());
  const std::string_view frame = std::string_view{bytes_}.substr(begin_, bytes);
  begin_ += bytes;
  scanned_ = begin_;
  return frame;
}

// Moving the rest to the front only when it is the smaller part keeps the cost
// of a byte constant, however many requests arrive at once.
void FrameBuffer::drop_given() {
  CHECK(begin_ <= scanned_);
  if (begin_ < bytes_.size() - begin_) return;
  std::string rest = bytes_.substr(begin_);
  if (bytes_.capacity() > kIdleBytesMax) {
    bytes_ = std::move(rest);
  } else {
    bytes_.assign(rest);
  }
  scanned_ -= begin_;
  begin_ = 0;
}

}  // namespace holdfast::wire
