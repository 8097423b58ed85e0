// PayloadMemory: the memory of payloads that nobody needs any more, for those to come.
//
//    submission.payload = memory.take();  // empty, and mostly with room for a payload
//    submission.payload = bytes;
//    ...
//    memory.give_back(std::move(payload));
//
// Reason  With a hundred thousand payloads a second, and a hundred on their way at once, getting
//         memory for each and freeing it costs more than copying its bytes.
// Rule    Of what comes back no more is kept than kPayloadsKept, and nothing above
//         kPayloadBytesKept: half a megabyte in all.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace holdfast::core {

inline constexpr size_t kPayloadsKept = 256;
inline constexpr size_t kPayloadBytesKept = 2048;

class PayloadMemory {
 public:
  std::string take() {
    if (kept_.empty()) return {};
    std::string memory = std::move(kept_.back());
    kept_.pop_back();
    return memory;
  }

  void give_back(std::string payload) {
    if (kept_.size() >= kPayloadsKept || payload.capacity() > kPayloadBytesKept) return;
    payload.clear();
    kept_.push_back(std::move(payload));
  }

  size_t kept() const { return kept_.size(); }

 private:
  std::vector<std::string> kept_;
};

}  // namespace holdfast::core
