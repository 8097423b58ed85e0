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

// `first` are its connections, `second` is what each has in flight.
std::optional<Task> parse(std::span<char* const> arguments) {
  auto task = parse_task(arguments);
  if (!task || task->first == 0 || task->second == 0) return std::nullopt;
  if (dialect_named(task->system, task->payload_bytes, false) == nullptr) return std::nullopt;
  return task;
}

void run(const Task& task) {
  Poller poller;
  Producers producers{
      poller, 0, task.place,
      [&] { return dialect_named(task.system, task.payload_bytes, task.options.keyed); },
      {task.first, task.second, task.options.rate, task.options.count}};
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
