#include "config/units.h"

#include <array>
#include <charconv>

namespace holdfast::config {
namespace {

using namespace std::chrono_literals;

struct Unit {
  std::string_view name;
  int64_t size;
};
// Largest first. Time counts in milliseconds, the step of Duration.
constexpr std::array kTimeUnits{Unit{"d", Duration{24h}.count()}, Unit{"h", Duration{1h}.count()},
                                Unit{"m", Duration{1min}.count()}, Unit{"s", Duration{1s}.count()},
                                Unit{"ms", 1}};
constexpr std::array kByteUnits{Unit{"TiB", int64_t{1} << 40}, Unit{"GiB", int64_t{1} << 30},
                                Unit{"MiB", int64_t{1} << 20}, Unit{"KiB", int64_t{1} << 10}};

template <class Units>
std::optional<int64_t> parse_amount(std::string_view text, const Units& units) {
  int64_t number = 0;
  const auto [rest, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc{} || number < 0 || text.front() == '-') return std::nullopt;

  std::string_view name = text.substr(static_cast<size_t>(rest - text.data()));
  if (name.starts_with(' ')) name.remove_prefix(1);
  for (const Unit& unit : units) {
    if (unit.name != name) continue;
    int64_t amount = 0;
    if (__builtin_mul_overflow(number, unit.size, &amount)) return std::nullopt;
    return amount;
  }
  return std::nullopt;
}

std::string amount_text(int64_t amount, const Unit& unit, std::string_view between) {
  std::string text = std::to_string(amount / unit.size);
  return text.append(between).append(unit.name);
}

}  // namespace

std::optional<Duration> parse_duration(std::string_view text) {
  const std::optional<int64_t> amount = parse_amount(text, kTimeUnits);
  if (!amount) return std::nullopt;
  return Duration{*amount};
}

std::string duration_text(Duration duration) {
  // "24h", not "1d": one day is the length where people still think in hours.
  if (duration == 0ms) return "0s";
  for (const Unit& unit : kTimeUnits) {
    if (duration == 24h && unit.name == "d") continue;
    if (duration.count() % unit.size == 0) return amount_text(duration.count(), unit, "");
  }
  return amount_text(duration.count(), kTimeUnits.back(), "");
}

std::string duration_in_words(Duration duration) {
  // Without minutes: Lambda, and so everybody who configures timeouts, says 900 s.
  if (duration == 0ms) return "0 s";
  for (const Unit& unit : kTimeUnits) {
    if (unit.name == "m" || (duration == 24h && unit.name == "d")) continue;
    if (duration.count() % unit.size == 0) return amount_text(duration.count(), unit, " ");
  }
  return amount_text(duration.count(), kTimeUnits.back(), " ");
}

std::optional<uint64_t> parse_bytes(std::string_view text) {
  const std::optional<int64_t> amount = parse_amount(text, kByteUnits);
  if (!amount) return std::nullopt;
  return static_cast<uint64_t>(*amount);
}

namespace {

std::string bytes_text_with(uint64_t bytes, std::string_view between, std::string_view no_unit) {
  for (const Unit& unit : kByteUnits) {
    const uint64_t size = static_cast<uint64_t>(unit.size);
    if (bytes >= size && bytes % size == 0) {
      return std::to_string(bytes / size).append(between).append(unit.name);
    }
  }
  return std::to_string(bytes).append(no_unit);
}

}  // namespace

std::string bytes_text(uint64_t bytes) { return bytes_text_with(bytes, "", ""); }

std::string bytes_in_words(uint64_t bytes) {
  return bytes_text_with(bytes, " ", bytes == 1 ? " byte" : " bytes");
}

std::optional<uint32_t> parse_mode(std::string_view text) {
  if (text.size() < 3 || text.size() > 4) return std::nullopt;
  uint32_t mode = 0;
  for (const char digit : text) {
    if (digit < '0' || digit > '7') return std::nullopt;
    mode = mode * 8 + static_cast<uint32_t>(digit - '0');
  }
  return mode;
}

std::string mode_text(uint32_t mode) {
  std::string text;
  for (int shift = 9; shift >= 0; shift -= 3) {
    text.push_back(static_cast<char>('0' + ((mode >> shift) & 7)));
  }
  return text;
}

}  // namespace holdfast::config
