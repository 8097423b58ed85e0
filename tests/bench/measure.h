// What the programs of the benchmarks count, and what they were asked to do.
//
//    Tally accepts{begun, extent};
//    accepts.add(now, now - asked);
//    accepts.per_s();
//    accepts.spread().p99_us;
//
// Rule    The beginning is not counted: the first tenth of the time, or of the count.
// Reason  Buffers fill and files are made in it, once and not again.
//
// Threads  one.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/bench/connection.h"

namespace holdfast::bench {

// How long: so many seconds, or, if it is not 0, until so many are through.
struct Extent {
  double seconds = 0;
  uint64_t count = 0;
};

struct Options {
  double rate = 0;     // --rate: open loop, so many a second over all; 0: closed loop
  uint64_t count = 0;  // --count: as in Extent
  bool stalls = false;
  bool keyed = false;
};

// What both generators are told: SYSTEM SOCKET, two counts of connections or of what they
// carry, SECONDS PAYLOAD_BYTES, and options.
struct Task {
  std::string system;
  std::string place;
  uint64_t first = 0;
  uint64_t second = 0;
  Extent extent;
  uint64_t payload_bytes = 0;
  Options options;
};

// Of the whole command line; nothing if something is missing or wrong.
std::optional<Task> parse_task(std::span<char* const> arguments);

// With a count nothing else ends a run that is stuck.
inline constexpr auto kSilenceMax = std::chrono::seconds{30};

// Nothing if it is no number, or a negative one.
std::optional<uint64_t> parse_count(std::string_view text);
std::optional<double> parse_number(std::string_view text);

Clock::duration seconds_of(double seconds);

struct Spread {
  uint32_t p50_us = 0;
  uint32_t p99_us = 0;
  uint32_t max_us = 0;
};

class Tally {
 public:
  Tally(Clock::time_point begun, const Extent& extent);

  // `took` may be unknown: then it counts for the rate alone.
  void add(Clock::time_point now, std::optional<Clock::duration> took);

  uint64_t total() const { return total_; }  // with the beginning
  double per_s() const;
  Spread spread() const;

 private:
  bool counts(Clock::time_point now);

  const uint64_t skipped_;  // of a count
  const bool by_count_;
  Clock::time_point from_;
  Clock::time_point until_;
  uint64_t total_ = 0;
  uint64_t counted_ = 0;
  std::vector<uint32_t> took_us_;
};

// Stretches of more than 100 ms, said when they are over.
class Stalls {
 public:
  explicit Stalls(Clock::time_point begun) : begun_(begun) {}

  void add(Clock::time_point from, Clock::time_point to);
  // `"stalls_over_100ms": 1, "stalls": [[second, ms]]`: the first hundred of them.
  std::string json() const;

 private:
  Clock::time_point begun_;
  uint64_t count_ = 0;
  std::vector<std::pair<double, double>> first_;
};

}  // namespace holdfast::bench
