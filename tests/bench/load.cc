// bench_load SYSTEM SOCKET CONNECTIONS IN_FLIGHT SECONDS PAYLOAD_BYTES [keyed]
//            [--rate N] [--count N] [--stalls]
//
// Asks to keep payloads, and prints a line of JSON: answers a second, and how long they took.
// The first tenth is not counted. SOCKET is a path, or a port of 127.0.0.1.
//
//   (no rate)   closed loop: each connection has IN_FLIGHT requests under way, and sends the
//               next when one is answered
//   --rate N    open loop: N requests a second over all connections, answered or not
//   --count N   ends after N answers instead of SECONDS
//   --stalls    also tells when for more than 100 ms no answer came that was owed
#include <algorithm>
#include <cstdio>
#include <optional>
#include <span>
#include <string>

#include "tests/bench/dialect.h"
#include "tests/bench/measure.h"
#include "tests/bench/producers.h"

namespace {

using namespace holdfast::bench;

// With a count nothing else ends a run that is stuck.
constexpr auto kSilenceMax = std::chrono::seconds{30};

struct Task {
  std::string system;
  std::string place;
  uint64_t connections = 0;
  uint64_t in_flight = 0;
  Extent extent;
  uint64_t payload_bytes = 0;
  Options options;
};

std::optional<Task> parse(std::span<char* const> arguments) {
  if (arguments.size() < 7) return std::nullopt;
  const auto connections = parse_count(arguments[3]);
  const auto in_flight = parse_count(arguments[4]);
  const auto seconds = parse_number(arguments[5]);
  const auto payload_bytes = parse_count(arguments[6]);
  const auto options = parse_options(arguments.subspan(7));
  if (!connections || !in_flight || !seconds || !payload_bytes || !options) return std::nullopt;
  if (*connections == 0 || *in_flight == 0 || *seconds == 0) return std::nullopt;
  if (dialect_named(arguments[1], *payload_bytes, false) == nullptr) return std::nullopt;
  return Task{arguments[1], arguments[2],   *connections, *in_flight, {*seconds, options->count},
              *payload_bytes, *options};
}

void run(const Task& task) {
  Poller poller;
  Producers producers{
      poller, 0, task.place,
      [&] { return dialect_named(task.system, task.payload_bytes, task.options.keyed); },
      {task.connections, task.in_flight, task.options.rate, task.options.count}};
  Clock::time_point now = Clock::now();
  Tally accepts{now, task.extent};
  Stalls stalls{now};
  Clock::time_point end = now + seconds_of(task.extent.seconds);
  producers.start(accepts, stalls, now);
  const bool by_count = task.extent.count > 0;
  while (by_count ? accepts.total() < task.extent.count : now < end) {
    if (by_count) end = now + kSilenceMax;
    const auto ready = poller.wait(std::min(end, producers.next_due().value_or(end)));
    for (const Readiness& one : ready) producers.serve(one);
    now = Clock::now();
    if (by_count && now >= end) fail("nothing was heard for 30 s");
    producers.ask_due(now);
  }
  producers.end(now);
  const Spread took = accepts.spread();
  std::printf("{\"per_s\": %.0f, \"p50_us\": %u, \"p99_us\": %u, \"max_us\": %u, "
              "\"answers\": %llu%s%s}\n",
              accepts.per_s(), took.p50_us, took.p99_us, took.max_us,
              static_cast<unsigned long long>(accepts.total()), task.options.stalls ? ", " : "",
              task.options.stalls ? stalls.json().c_str() : "");
}

}  // namespace

int main(int argc, char** argv) {
  const auto task = parse({argv, static_cast<size_t>(argc)});
  if (!task) {
    std::fprintf(stderr, "usage: bench_load holdfast|ceiling|redis|beanstalkd SOCKET CONNECTIONS "
                         "IN_FLIGHT SECONDS PAYLOAD_BYTES [keyed] [--rate N] [--count N] "
                         "[--stalls]\n");
    return 2;
  }
  run(*task);
}
