#include "daemon/core/json_text.h"

#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>

namespace holdfast::core {
namespace {

constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr uint8_t kNoDigit = 64;

constexpr std::array<uint8_t, 256> kValues = [] {
  std::array<uint8_t, 256> values{};
  values.fill(kNoDigit);
  for (uint8_t n = 0; n < kDigits.size(); ++n) values[static_cast<uint8_t>(kDigits[n])] = n;
  return values;
}();

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

bool is_digit(char character) { return character >= '0' && character <= '9'; }

// The same text, but that outside strings no more than two digits stand in a row: JSON as
// much as it was before, and its numbers fit in a double.
std::string with_short_numbers(std::string_view text) {
  std::string out;
  bool in_string = false;
  size_t digits = 0;
  for (size_t n = 0; n < text.size(); ++n) {
    const char character = text[n];
    digits = !in_string && is_digit(character) ? digits + 1 : 0;
    if (digits > 2) continue;
    out.push_back(character);
    if (character == '"') in_string = !in_string;
    if (in_string && character == '\\' && n + 1 < text.size()) out.push_back(text[++n]);
  }
  return out;
}

// Looks at a text, and keeps nothing but what was wrong with it.
class Look : public nlohmann::json_sax<nlohmann::json> {
 public:
  // Whether it stopped at a number beyond a double: up to there it was JSON.
  bool number_too_large() const { return number_too_large_; }

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(int64_t) override { return true; }
  bool number_unsigned(uint64_t) override { return true; }
  bool number_float(double, const std::string&) override { return true; }
  bool string(std::string&) override { return true; }
  bool binary(nlohmann::json::binary_t&) override { return true; }
  bool start_object(size_t) override { return true; }
  bool key(std::string&) override { return true; }
  bool end_object() override { return true; }
  bool start_array(size_t) override { return true; }
  bool end_array() override { return true; }
  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception& error) override {
    number_too_large_ = error.id == kOutOfRange;
    return false;
  }

 private:
  static constexpr int kOutOfRange = 406;  // the library's number for it
  bool number_too_large_ = false;
};

}  // namespace

std::string base64(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t n = 0; n < bytes.size(); n += 3) {
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k) {
      group = (group << 8) | (n + k < bytes.size() ? static_cast<uint8_t>(bytes[n + k]) : 0u);
    }
    for (size_t k = 0; k < 4; ++k) {
      const bool padding = n + k > bytes.size();
      out.push_back(padding ? '=' : kDigits[(group >> (18 - 6 * k)) & 63]);
    }
  }
  return out;
}

std::optional<std::string> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  text.remove_suffix(padding);
  std::string bytes;
  bytes.reserve(text.size() * 3 / 4);
  uint32_t group = 0;
  unsigned bits = 0;
  for (const char character : text) {
    const uint8_t value = kValues[static_cast<uint8_t>(character)];
    if (value == kNoDigit) return std::nullopt;
    group = (group << 6) | value;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push_back(static_cast<char>((group >> bits) & 0xFF));
  }
  if ((group & ((1u << bits) - 1)) != 0) return std::nullopt;  // bits that stand for nothing
  return bytes;
}

std::string quoted(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

bool is_json(std::string_view bytes) {
  // The parser takes the one for the end of the text, and passes over the other.
  if (bytes.find('\0') != bytes.npos || bytes.starts_with(kByteOrderMark)) return false;
  Look look;
  if (nlohmann::json::sax_parse(bytes.begin(), bytes.end(), &look)) return true;
  // It also refuses numbers that it cannot hold.
  return look.number_too_large() && nlohmann::json::accept(with_short_numbers(bytes));
}

void append_json(std::string& out, std::string_view name, std::string_view bytes) {
  out += "\"";
  out += name;
  out += "\":";
  if (is_json(bytes)) {
    out += bytes;
    return;
  }
  out += "\"" + base64(bytes) + "\",\"";
  out += name;
  out += "Encoding\":\"base64\"";
}

}  // namespace holdfast::core
