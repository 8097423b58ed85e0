// Bytes as std::string, views as std::string_view, and big-endian numbers whose
// byte order is their numeric order.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace holdfast {

template <size_t kBytes>
std::array<char, kBytes> big_endian(uint64_t number) {
  std::array<char, kBytes> bytes;
  for (size_t n = 0; n < kBytes; ++n) {
    bytes[n] = static_cast<char>((number >> (8 * (kBytes - 1 - n))) & 0xFF);
  }
  return bytes;
}

// The last `bytes` of the number, at most 8.
inline void append_be(std::string& out, uint64_t number, int bytes) {
  const auto count = static_cast<size_t>(bytes);
  const std::array<char, 8> all = big_endian<8>(number);
  out.append(all.data() + all.size() - count, count);
}
inline void append_be8(std::string& out, uint8_t number) { append_be(out, number, 1); }
inline void append_be32(std::string& out, uint32_t number) { append_be(out, number, 4); }
inline void append_be64(std::string& out, uint64_t number) { append_be(out, number, 8); }

// Reads numbers off the front of a view. After the first read past the end
// every read gives 0 and intact() is false: check it once, at the end.
class BytesReader {
 public:
  explicit BytesReader(std::string_view bytes) : rest_(bytes) {}

  uint64_t be(int bytes) {
    if (rest_.size() < static_cast<size_t>(bytes)) {
      intact_ = false;
      rest_ = {};
      return 0;
    }
    uint64_t number = 0;
    for (int n = 0; n < bytes; ++n) {
      number = (number << 8) | static_cast<uint8_t>(rest_[static_cast<size_t>(n)]);
    }
    rest_.remove_prefix(static_cast<size_t>(bytes));
    return number;
  }
  uint8_t be8() { return static_cast<uint8_t>(be(1)); }
  uint32_t be32() { return static_cast<uint32_t>(be(4)); }
  uint64_t be64() { return be(8); }

  std::string_view rest() const { return rest_; }
  bool intact() const { return intact_; }
  bool finished() const { return intact_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool intact_ = true;
};

}  // namespace holdfast
