// FrameBuffer cuts a stream of bytes into MessagePack values.
//
//    buffer.feed(bytes);
//    std::variant<NeedMore, std::string_view, ScanFault> frame = buffer.next();
//
// Ownership  The view is into the buffer and good until the next call.
// Threads    One at a time.
// Failure    A ScanFault, and then the same one for ever: where a broken value
//            ends, nobody knows.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>

#include "client/wire/scanner.h"

namespace holdfast::wire {

struct NeedMore {};

class FrameBuffer {
 public:
  explicit FrameBuffer(const ScanLimits& limits) : scanner_(limits) {}

  void feed(std::string_view bytes);
  std::variant<NeedMore, std::string_view, ScanFault> next();

  // For a caller that can read a value itself if all of it is there: what there is from its
  // first byte on, empty when next() has begun with it. take() gives out so much of it.
  std::string_view unscanned() const {
    return scanned_ == begin_ ? std::string_view{bytes_}.substr(begin_) : std::string_view{};
  }
  std::string_view take(size_t bytes);

  // What has arrived and has not been given out.
  size_t rest_bytes() const { return bytes_.size() - begin_; }

  // The value being scanned, as far as the scanner has come. After a fault: up to
  // the byte that told, so that what is said of it does not depend on how the
  // bytes were cut when they arrived.
  std::string_view scanned() const {
    return std::string_view{bytes_}.substr(begin_, scanned_ - begin_);
  }

 private:
  void drop_given();

  Scanner scanner_;
  std::string bytes_;
  size_t begin_ = 0;    // where the value being scanned begins
  size_t scanned_ = 0;  // where the scanner stands
};

}  // namespace holdfast::wire
