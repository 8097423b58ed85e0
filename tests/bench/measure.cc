#include "tests/bench/measure.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <limits>

namespace holdfast::bench {
namespace {

constexpr auto kStall = std::chrono::milliseconds{100};
constexpr size_t kStallsToldMax = 100;

// Room for what a run has, so that the vector does not move in the middle of it.
constexpr size_t kTookExpected = 1u << 20;

template <class Number>
std::optional<Number> parse(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number < 0) return std::nullopt;
  return number;
}

uint32_t us_of(Clock::duration took) {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(took).count();
  return static_cast<uint32_t>(
      std::clamp<int64_t>(us, 0, std::numeric_limits<uint32_t>::max()));
}

}  // namespace

std::optional<uint64_t> parse_count(std::string_view text) {
  if (text.starts_with('-')) return std::nullopt;
  return parse<uint64_t>(text);
}

std::optional<double> parse_number(std::string_view text) { return parse<double>(text); }

namespace {

// Of the arguments behind the ones that must be there; nothing if one of them is wrong.
std::optional<Options> parse_options(std::span<char* const> arguments) {
  Options options;
  for (size_t n = 0; n < arguments.size(); ++n) {
    const std::string_view name = arguments[n];
    const std::string_view value = n + 1 < arguments.size() ? arguments[n + 1] : "";
    if (name == "keyed") {
      options.keyed = true;
    } else if (name == "--stalls") {
      options.stalls = true;
    } else if (name == "--rate") {
      options.rate = parse_number(value).value_or(0);
      if (options.rate == 0) return std::nullopt;
      ++n;
    } else if (name == "--count") {
      options.count = parse_count(value).value_or(0);
      if (options.count == 0) return std::nullopt;
      ++n;
    } else {
      return std::nullopt;
    }
  }
  return options;
}

}  // namespace

std::optional<Task> parse_task(std::span<char* const> arguments) {
  if (arguments.size() < 7) return std::nullopt;
  const auto first = parse_count(arguments[3]);
  const auto second = parse_count(arguments[4]);
  const auto seconds = parse_number(arguments[5]);
  const auto payload_bytes = parse_count(arguments[6]);
  const auto options = parse_options(arguments.subspan(7));
  if (!first || !second || !seconds || !payload_bytes || !options) return std::nullopt;
  if (*seconds == 0) return std::nullopt;
  return Task{arguments[1], arguments[2], *first, *second, {*seconds, options->count},
              *payload_bytes, *options};
}

Clock::duration seconds_of(double seconds) {
  return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

Tally::Tally(Clock::time_point begun, const Extent& extent)
    : skipped_(extent.count / 10),
      by_count_(extent.count > 0),
      from_(by_count_ ? begun : begun + seconds_of(extent.seconds / 10)),
      until_(by_count_ ? begun : begun + seconds_of(extent.seconds)) {
  took_us_.reserve(kTookExpected);
}

bool Tally::counts(Clock::time_point now) {
  if (!by_count_) return from_ <= now && now < until_;
  until_ = now;
  if (total_ == skipped_) from_ = now;
  return total_ > skipped_;
}

void Tally::add(Clock::time_point now, std::optional<Clock::duration> took) {
  ++total_;
  if (!counts(now)) return;
  ++counted_;
  if (took) took_us_.push_back(us_of(*took));
}

double Tally::per_s() const {
  const double seconds = std::chrono::duration<double>(until_ - from_).count();
  return seconds <= 0 ? 0 : static_cast<double>(counted_) / seconds;
}

Spread Tally::spread() const {
  if (took_us_.empty()) return {};
  std::vector<uint32_t> sorted = took_us_;
  std::sort(sorted.begin(), sorted.end());
  const auto at = [&](double part) {
    const auto place = static_cast<size_t>(part * static_cast<double>(sorted.size()));
    return sorted[std::min(place, sorted.size() - 1)];
  };
  return {at(0.5), at(0.99), sorted.back()};
}

void Stalls::add(Clock::time_point from, Clock::time_point to) {
  if (to - from <= kStall) return;
  ++count_;
  if (first_.size() == kStallsToldMax) return;
  first_.emplace_back(std::chrono::duration<double>(from - begun_).count(),
                      std::chrono::duration<double, std::milli>(to - from).count());
}

std::string Stalls::json() const {
  std::string out = "\"stalls_over_100ms\": " + std::to_string(count_) + ", \"stalls\": [";
  for (size_t n = 0; n < first_.size(); ++n) {
    char one[64];
    std::snprintf(one, sizeof one, "%s[%.3f, %.1f]", n == 0 ? "" : ", ", first_[n].first,
                  first_[n].second);
    out += one;
  }
  return out + "]";
}

}  // namespace holdfast::bench
