// bench_micro: pieces of the daemon alone, by Google Benchmark; its options apply.
//
//   codec      an event's record, and the rows of a commit, to bytes and back
//   admission  the core's part of an accept, with 64 of them in a commit
//   cycle      the core's part of 64 events from their accept to their ending, by a worker
//   window     the front of a backlog: what is added, claimed, and paged in
//   commit     a commit of so many accepts, with its sync: look at the real time
//   wire       an Invoke of 1 KiB read, and its reply written
//
// Databases are made in TMPDIR, or where the program is started.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "client/wire/message.h"
#include "daemon/core/backlog.h"
#include "daemon/core/window.h"
#include "storage/base/check.h"
#include "storage/batch_writes.h"
#include "storage/codec.h"
#include "storage/rocks/rocks_store.h"
#include "tests/bench/micro_core.h"

namespace {

using namespace holdfast;
using bench::MicroCore;

constexpr size_t kBatch = 64;

// --- codec -------------------------------------------------------------------

storage::EventRecord event_record() {
  storage::EventRecord event;
  event.id = {storage::FunctionId{1}, storage::Lane{0}, storage::Seq{4711}};
  event.accepted_at = from_ms<TimePoint>(1'772'000'000'000);
  event.accepted_wall = from_ms<WallTime>(1'772'000'000'000);
  event.age_from = from_ms<LitPoint>(1'772'000'000'000);
  event.reserved_bytes = 4096;
  event.payload = bench::micro_payload();
  return event;
}

void codec_encode_event(benchmark::State& state) {
  const storage::EventRecord event = event_record();
  for (auto _ : state) benchmark::DoNotOptimize(storage::encode(event));
}
BENCHMARK(codec_encode_event);

void codec_decode_event(benchmark::State& state) {
  const storage::EventRecord event = event_record();
  const std::string bytes = storage::encode(event);
  for (auto _ : state) {
    auto decoded = storage::decode_event(event.id, bytes);
    CHECK(decoded);
    benchmark::DoNotOptimize(decoded);
  }
}
BENCHMARK(codec_decode_event);

void codec_encode_batch_64(benchmark::State& state) {
  MicroCore core{MicroCore::Worker::none};
  const storage::Batch batch = bench::batch_of_accepts(core, kBatch);
  storage::BatchWrites writes;  // as the committer has them
  for (auto _ : state) {
    writes.clear();
    writes.add(batch);
    benchmark::DoNotOptimize(writes.all());
  }
}
BENCHMARK(codec_encode_batch_64)->Unit(benchmark::kMicrosecond);

void codec_decode_batch_64(benchmark::State& state) {
  MicroCore core{MicroCore::Worker::none};
  const storage::Batch batch = bench::batch_of_accepts(core, kBatch);
  std::vector<std::pair<storage::EventId, std::string>> rows;
  for (const storage::Mutation& mutation : batch.mutations) {
    const auto* put = std::get_if<storage::PutEvent>(&mutation);
    if (put != nullptr) rows.emplace_back(put->event->id, storage::encode(*put->event));
  }
  CHECK(rows.size() == kBatch);
  for (auto _ : state) {
    for (const auto& [id, bytes] : rows) {
      auto decoded = storage::decode_event(id, bytes);
      CHECK(decoded);
      benchmark::DoNotOptimize(decoded);
    }
  }
}
BENCHMARK(codec_decode_batch_64)->Unit(benchmark::kMicrosecond);

// --- core --------------------------------------------------------------------

// A backlog that memory holds: no event starts, so it grows until the core is made anew.
constexpr uint64_t kBacklogMax = 1024;

void admit(benchmark::State& state, bool keyed) {
  auto core = std::make_unique<MicroCore>(MicroCore::Worker::none);
  uint64_t count = 0;
  for (auto _ : state) {
    ++count;
    core->submit(bench::micro_payload(), keyed ? "key-" + std::to_string(count) : std::string{});
    if (count % kBatch == 0) benchmark::DoNotOptimize(core->commit());
    if (count % kBacklogMax != 0) continue;
    state.PauseTiming();
    CHECK(core->accepted() == kBacklogMax);
    core = std::make_unique<MicroCore>(MicroCore::Worker::none);
    state.ResumeTiming();
  }
}

void admission(benchmark::State& state) { admit(state, false); }
BENCHMARK(admission);

void admission_keyed(benchmark::State& state) { admit(state, true); }
BENCHMARK(admission_keyed);

void cycle_64(benchmark::State& state) {
  static_assert(kBatch <= MicroCore::kConcurrency);
  MicroCore core{MicroCore::Worker::attached};
  for (auto _ : state) {
    benchmark::DoNotOptimize(bench::batch_of_accepts(core, kBatch));
    core.answer_all();
    benchmark::DoNotOptimize(core.commit());
  }
}
BENCHMARK(cycle_64)->Unit(benchmark::kMicrosecond);

// --- window ------------------------------------------------------------------

using FreshWindow = core::Window<core::Seq, core::FreshEntry>;
constexpr uint64_t kHeld = core::kWindowEntriesMax / 2;

// Adds one behind half a window of others, and claims the first of them.
void window_add_and_claim(benchmark::State& state) {
  FreshWindow window{core::kWindowEntriesMax};
  uint64_t seq = 0;
  for (; seq < kHeld; ++seq) window.add(core::Seq{seq}, {});
  for (auto _ : state) {
    window.add(core::Seq{seq++}, {});
    benchmark::DoNotOptimize(window.take_first());
  }
}
BENCHMARK(window_add_and_claim);

// The window has a bound that new events are beyond, and all of it is on disk only.
void window_add_beyond(benchmark::State& state) {
  FreshWindow window{core::kWindowEntriesMax};
  uint64_t seq = 0;
  while (window.whole()) window.add(core::Seq{seq++}, {});
  for (auto _ : state) window.add(core::Seq{seq++}, {});
  benchmark::DoNotOptimize(window.size());
}
BENCHMARK(window_add_beyond);

// A page is loaded into an empty window, and claimed to its end.
void window_page(benchmark::State& state) {
  FreshWindow window{core::kWindowEntriesMax};
  window.start_unknown();
  uint64_t seq = 0;
  for (auto _ : state) {
    window.begin_load();
    std::vector<std::pair<core::Seq, core::FreshEntry>> rows;
    rows.reserve(window.page_rows_max());
    while (rows.size() < window.page_rows_max()) {
      rows.emplace_back(core::Seq{seq++}, core::FreshEntry{});
    }
    window.page_loaded(std::move(rows), core::Seq{seq - 1});
    while (!window.empty()) benchmark::DoNotOptimize(window.take_first());
  }
}
BENCHMARK(window_page)->Unit(benchmark::kMicrosecond);

// --- commit ------------------------------------------------------------------

// Gone with all that is in it.
struct ScratchFolder {
  ScratchFolder() {
    const char* parent = std::getenv("TMPDIR");
    path = std::string{parent == nullptr ? "." : parent} + "/bench_micro.XXXXXX";
    CHECK(::mkdtemp(path.data()) != nullptr);
  }
  ~ScratchFolder() { std::filesystem::remove_all(path); }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  std::string path;
};

void commit(benchmark::State& state) {
  const ScratchFolder folder;
  storage::OpenOptions options;
  options.directory = folder.path + "/db";
  auto store = storage::RocksStore::open(options);
  CHECK(store);
  MicroCore core{MicroCore::Worker::none};
  const auto accepts = static_cast<size_t>(state.range(0));
  for (auto _ : state) {
    state.PauseTiming();
    const auto writes = storage::encode(bench::batch_of_accepts(core, accepts));
    state.ResumeTiming();
    const Result<> committed = (*store)->commit(writes);
    CHECK(committed);
  }
}
BENCHMARK(commit)->Arg(1)->Arg(16)->Arg(64)->Arg(256)->UseRealTime()->Unit(
    benchmark::kMicrosecond);

// --- wire --------------------------------------------------------------------

void wire_read_invoke(benchmark::State& state) {
  const std::string request =
      wire::encode_request(4711, "Invoke", [](wire::MapWriter& map) {
        map.text("FunctionName", "bench").text("InvocationType", "Event");
        map.bytes("Payload", bench::micro_payload());
      });
  wire::RequestReader reader;
  for (auto _ : state) {
    reader.feed(request);
    auto next = reader.next();
    CHECK(std::holds_alternative<wire::Request>(next));
    benchmark::DoNotOptimize(next);
  }
}
BENCHMARK(wire_read_invoke);

void wire_write_reply(benchmark::State& state) {
  std::string out;
  for (auto _ : state) {
    out.clear();
    wire::ReplyWriter reply{out, 4711};
    reply.map().number("StatusCode", 202).text("RequestId",
                                               "00000000-0000-8001-8400-00000006abcd");
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(wire_write_reply);

}  // namespace

BENCHMARK_MAIN();
