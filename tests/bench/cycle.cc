// bench_cycle SYSTEM SOCKET PRODUCERS WORKERS SECONDS PAYLOAD_BYTES [--rate N] [--count N]
//
// Full cycles: producers ask to keep events, one at a time each, and attached workers are
// given them, one at a time each, and say at once that they are done. An attempt is kept
// before the worker sees it, and its ending before the worker hears that it is.
//
//   holdfast    Invoke; RunAttempt; SendAttemptSuccess
//   redis       XADD; XREADGROUP; XACK, XDEL and the next XREADGROUP in one write
//   beanstalkd  put; reserve; delete and the next reserve in one write
//
// Prints a line of JSON: attempts that were done and events that were accepted, a second and
// in all, how long an accept took, and how long it was from the asking to the end. The first
// tenth is not counted. SOCKET is a path, or a port of 127.0.0.1.
//
//   --rate N    N accepts a second over all, answered or not, instead of a closed loop
//   --count N   accepts no more than N, and ends when N are done instead of after SECONDS
//
// Without producers the workers work off what waits, without workers the events wait.
#include <algorithm>
#include <cstdio>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tests/bench/dialect.h"
#include "tests/bench/measure.h"
#include "tests/bench/producers.h"
#include "tests/bench/worker_dialect.h"

namespace {

using namespace holdfast::bench;

// `first` are its producers, `second` its workers.
std::optional<Task> parse(std::span<char* const> arguments) {
  auto task = parse_task(arguments);
  if (!task || task->first + task->second == 0 || task->options.stalls) return std::nullopt;
  if (worker_dialect_named(task->system, 0) == nullptr) return std::nullopt;
  return task;
}

class Workers {
 public:
  Workers(Poller& poller, const std::string& system, const std::string& place, size_t count) {
    workers_.reserve(count);
    for (size_t n = 0; n < count; ++n) {
      workers_.push_back({Connection{poller, n, place}, worker_dialect_named(system, n), {}});
    }
  }

  void start(Tally& cycles, Clock::time_point now) {
    cycles_ = &cycles;
    begun_ = now;
    for (Worker& worker : workers_) {
      worker.dialect->append_hello(worker.connection.out());
      worker.connection.flush();
    }
  }

  void serve(const Readiness& ready) {
    Worker& worker = workers_[ready.tag];
    const Clock::time_point now = Clock::now();
    worker.connection.serve(ready, [&](std::string_view in) {
      const Heard heard = worker.dialect->hear(in, worker.connection.out());
      if (heard.what == Heard::What::attempt) worker.stamps.push_back(heard.stamp);
      if (heard.what == Heard::What::ending) ended(worker, now);
      return heard.bytes;
    });
    worker.connection.flush();
  }

 private:
  struct Worker {
    Connection connection;
    std::unique_ptr<WorkerDialect> dialect;
    std::deque<uint64_t> stamps;  // of attempts whose ending is not known to be kept
  };

  void ended(Worker& worker, Clock::time_point now) {
    if (worker.stamps.empty()) fail("an ending of what has not begun");
    const auto asked = moment_of(worker.stamps.front(), begun_, now);
    worker.stamps.pop_front();
    cycles_->add(now, asked ? std::optional{now - *asked} : std::nullopt);
  }

  std::vector<Worker> workers_;
  Tally* cycles_ = nullptr;
  Clock::time_point begun_;
};

void report(const Tally& cycles, const Tally& accepts) {
  const Spread accept_took = accepts.spread();
  const Spread cycle_took = cycles.spread();
  std::printf("{\"per_s\": %.0f, \"accepts_per_s\": %.0f, \"accept_p50_us\": %u, "
              "\"accept_p99_us\": %u, \"done\": %llu, \"accepted\": %llu, "
              "\"cycle_p50_us\": %u, \"cycle_p99_us\": %u}\n",
              cycles.per_s(), accepts.per_s(), accept_took.p50_us, accept_took.p99_us,
              static_cast<unsigned long long>(cycles.total()),
              static_cast<unsigned long long>(accepts.total()), cycle_took.p50_us,
              cycle_took.p99_us);
}

void run(const Task& task) {
  Poller poller;
  Workers workers{poller, task.system, task.place, task.second};
  Producers producers{poller, task.second, task.place,
                      [&] { return dialect_named(task.system, task.payload_bytes, false); },
                      {task.first, 1, task.options.rate, task.options.count}};
  Clock::time_point now = Clock::now();
  Tally cycles{now, task.extent};
  Tally accepts{now, task.extent};
  Stalls stalls{now};
  Clock::time_point end = now + seconds_of(task.extent.seconds);
  workers.start(cycles, now);
  producers.start(accepts, stalls, now);
  const bool by_count = task.extent.count > 0;
  const Tally& last = task.second > 0 ? cycles : accepts;
  while (by_count ? last.total() < task.extent.count : now < end) {
    if (by_count) end = now + kSilenceMax;
    const auto ready = poller.wait(std::min(end, producers.next_due().value_or(end)));
    for (const Readiness& one : ready) {
      producers.owns(one.tag) ? producers.serve(one) : workers.serve(one);
    }
    now = Clock::now();
    if (by_count && now >= end) fail("nothing was heard for 30 s");
    producers.ask_due(now);
  }
  report(cycles, accepts);
}

}  // namespace

int main(int argc, char** argv) {
  const auto task = parse({argv, static_cast<size_t>(argc)});
  if (!task) {
    std::fprintf(stderr, "usage: bench_cycle holdfast|redis|beanstalkd SOCKET PRODUCERS WORKERS "
                         "SECONDS PAYLOAD_BYTES [--rate N] [--count N]\n");
    return 2;
  }
  run(*task);
}
