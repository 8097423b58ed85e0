// Write-ahead logs and a MANIFEST after a crash, a power cut or worse.
//
//    input := 0 sequence:be64 (length:be16 bytes)*     the bytes of each log
//           | 1 (type:u8 length:be16 payload)*         intact records of any order
//           | 2 recipe                                 good logs, then one accident
//           | 3 secret:be32 recipe                     the same, each with its salt, and each
//                                                      written over an older log, or over
//                                                      a payload that looks like one
//
// What must hold
//   - Any bytes get a verdict, and the report agrees with itself and with the files.
//   - Intact logs are clean, also with zeros behind them. A log that was cut off is never
//     damaged, and counts the batches before the cut. A flipped bit is a tear in the very
//     last batch and damage in every other one, and is always seen.
//   - What is left of older logs changes none of that, and is never part of what is whole.
#include <algorithm>
#include <vector>

#include "storage/base/check.h"
#include "storage/rocks/log_salt.h"
#include "storage/rocks/manifest.h"
#include "storage/rocks/wal_stream.h"
#include "tests/fuzz/target.h"
#include "tests/support/log_bytes.h"

namespace holdfast::storage {
namespace {

using fuzz::Recipe;
using test::reader_of;

constexpr size_t kLogsMax = 4;
constexpr size_t kBatchHeaderBytes = 12;

uint64_t number_of(size_t log) { return log + 4; }
std::string name_of(size_t log) { return "00000" + std::to_string(number_of(log)) + ".log"; }

void check_report(const AuditReport& report, const std::vector<std::string>& logs) {
  uint64_t bytes_max = 0;
  for (const std::string& log : logs) bytes_max += log.size();
  CHECK(report.log_count <= logs.size());
  CHECK(report.bytes <= bytes_max);
  CHECK(report.batch_count * (LogReader::kHeaderBytes + kBatchHeaderBytes) <= report.bytes);
  CHECK(!report.last_good_sequence || report.batch_count > 0);
  CHECK(!report.sentence.empty());
  if (report.verdict == WalVerdict::clean) {
    CHECK(report.file.empty() && report.offset == 0);
    CHECK(report.log_count == logs.size() && report.bytes == bytes_max);
  } else {
    size_t log = 0;
    while (log < logs.size() && name_of(log) != report.file) ++log;
    CHECK(log < report.log_count);
    CHECK(report.offset <= logs[log].size());
    CHECK(report.sentence.find(report.file) != std::string::npos);
  }
  if (report.verdict != WalVerdict::damaged) CHECK(!report.next_intact_sequence);
}

AuditReport audit_of(const std::vector<std::string>& logs, std::optional<uint64_t> in_tables,
                     std::optional<uint32_t> secret = std::nullopt) {
  WalStream stream{in_tables};
  for (size_t n = 0; n < logs.size(); ++n) {
    LogReader reader = reader_of(logs[n], secret ? log_salt(number_of(n), *secret) : 0);
    const Result<bool> go_on = stream.read_log(name_of(n), reader);
    CHECK(go_on);  // nothing failed to be read
    if (!*go_on) break;
  }
  const AuditReport report = stream.finish();
  check_report(report, logs);
  return report;
}

ManifestSummary manifest_of(const std::string& bytes) {
  LogReader reader = reader_of(bytes);
  const Result<ManifestSummary> summary = read_manifest(reader);
  CHECK(summary);
  return *summary;
}

void check_any_bytes(Recipe recipe) {
  const uint64_t in_tables = recipe.number(8);
  std::vector<std::string> logs;
  while (!recipe.empty() && logs.size() < kLogsMax) {
    logs.emplace_back(recipe.text(UINT16_MAX));
    manifest_of(logs.back());
  }
  audit_of(logs, std::nullopt);
  audit_of(logs, in_tables);
}

// Records with a right checksum, so that what stands in them is looked at.
void check_any_records(Recipe recipe) {
  std::string log;
  while (!recipe.empty()) {
    const auto type = static_cast<char>(recipe.number(1) % 8);
    std::string payload{recipe.take(recipe.number(2))};
    test::end_block_if_full(log);
    const size_t room =
        LogReader::kBlockBytes - log.size() % LogReader::kBlockBytes - LogReader::kHeaderBytes;
    if (payload.size() > room) payload.resize(room);
    log += test::fragment(type, payload);
  }
  const ManifestSummary summary = manifest_of(log);
  audit_of({log}, summary.last_sequence);
  audit_of({log, log}, std::nullopt);
}

// Where a batch stands, its first header and the byte behind its last one.
struct Place {
  size_t log = 0;
  size_t begin = 0;
  size_t end = 0;
};
struct GoodLogs {
  std::vector<std::string> logs;
  std::vector<Place> batches;
  uint64_t first_sequence = 0;
  uint64_t next_sequence = 0;
};

size_t payload_bytes_of(Recipe& recipe, const std::string& log) {
  constexpr size_t kBlockBytes = LogReader::kBlockBytes;
  const size_t few = static_cast<size_t>(1 + recipe.up_to(254));
  switch (recipe.number(1) % 8) {
    case 0:  // ends close to the end of its block
      return kBlockBytes - std::min(kBlockBytes - 1, log.size() % kBlockBytes + 10 + few % 32);
    case 1:
      return few * 160;
    default:
      return few;
  }
}

GoodLogs good_logs(Recipe& recipe) {
  GoodLogs good;
  good.next_sequence = good.first_sequence = recipe.number(5);
  good.logs.resize(static_cast<size_t>(1 + recipe.up_to(kLogsMax - 1)));
  for (size_t n = 0; n < good.logs.size(); ++n) {
    std::string& log = good.logs[n];
    for (uint64_t left = 1 + recipe.up_to(3); left > 0; --left) {
      const auto count = static_cast<uint32_t>(1 + recipe.up_to(9));
      test::end_block_if_full(log);
      const size_t begin = log.size();
      const size_t payload_bytes = payload_bytes_of(recipe, log);
      test::append_batch(log, test::batch(good.next_sequence, count, payload_bytes));
      good.batches.push_back({n, begin, log.size()});
      good.next_sequence += count;
    }
  }
  return good;
}

void append_zeros(Recipe& recipe, std::vector<std::string>& logs) {
  for (std::string& log : logs) log.append(recipe.up_to(1) * recipe.up_to(40'000), '\0');
}

// Good logs are clean, wherever the tables end within or before them; but not if the
// first batch leaves out what should follow on the tables.
void check_clean(Recipe& recipe, GoodLogs& good) {
  append_zeros(recipe, good.logs);
  const uint64_t gap = recipe.up_to(1) * (1 + recipe.number(1));
  if (gap > 0 && good.first_sequence > gap) {
    const AuditReport report = audit_of(good.logs, good.first_sequence - 1 - gap);
    CHECK(report.verdict == WalVerdict::damaged);
    CHECK(report.batch_count == 0);
    CHECK(report.file == name_of(0) && report.offset == 0);
  }
  const uint64_t reaches = recipe.up_to(good.next_sequence - good.first_sequence);
  const uint64_t in_tables = std::max<uint64_t>(good.first_sequence + reaches, 1) - 1;
  const AuditReport report = audit_of(good.logs, in_tables);
  CHECK(report.verdict == WalVerdict::clean);
  CHECK(report.batch_count == good.batches.size());
  CHECK(report.last_good_sequence == good.next_sequence - 1);
}

void check_cut(Recipe& recipe, GoodLogs& good) {
  std::string& log = good.logs.back();
  const size_t at = recipe.up_to(log.size());
  log.resize(at);
  append_zeros(recipe, good.logs);
  const AuditReport report = audit_of(good.logs, std::nullopt);
  uint64_t whole = 0;
  bool between_batches = true;
  bool behind_a_header = false;
  for (const Place& batch : good.batches) {
    const bool in_last_log = batch.log + 1 == good.logs.size();
    whole += !in_last_log || batch.end <= at ? 1 : 0;
    if (!in_last_log || at <= batch.begin || batch.end <= at) continue;
    between_batches = false;
    behind_a_header = at > batch.begin + LogReader::kHeaderBytes;
  }
  CHECK(report.verdict != WalVerdict::damaged);
  CHECK(report.batch_count == whole);
  if (between_batches) CHECK(report.verdict == WalVerdict::clean);
  // Less than a header might be zeros, as behind a whole batch.
  if (behind_a_header) CHECK(report.verdict == WalVerdict::torn_tail);
}

void check_flip(Recipe& recipe, GoodLogs& good) {
  const size_t flipped = recipe.up_to(good.batches.size() - 1);
  const Place& batch = good.batches[flipped];
  std::string& log = good.logs[batch.log];
  char& byte = log[batch.begin + recipe.up_to(batch.end - batch.begin - 1)];
  byte = static_cast<char>(static_cast<uint8_t>(byte) ^ (1u << recipe.up_to(7)));
  append_zeros(recipe, good.logs);
  const AuditReport report = audit_of(good.logs, std::nullopt);
  const bool last = flipped + 1 == good.batches.size();
  CHECK(report.verdict == (last ? WalVerdict::torn_tail : WalVerdict::damaged));
  CHECK(report.batch_count == flipped);
  CHECK(report.file == name_of(batch.log) && report.offset == batch.begin);
}

void check_accident(Recipe recipe) {
  GoodLogs good = good_logs(recipe);
  switch (recipe.number(1) % 3) {
    case 0:
      return check_clean(recipe, good);
    case 1:
      return check_cut(recipe, good);
    default:
      return check_flip(recipe, good);
  }
}

// As the store writes them: all have a salt of their own, and behind the end of each stands
// what it has not covered of an older one.
void check_written_over(Recipe recipe) {
  const auto secret = static_cast<uint32_t>(recipe.number(4));
  GoodLogs good = good_logs(recipe);
  std::vector<size_t> ends;
  for (size_t n = 0; n < good.logs.size(); ++n) {
    good.logs[n] = test::with_salt(good.logs[n], log_salt(number_of(n), secret));
    ends.push_back(good.logs[n].size());
  }
  const size_t cut = ends.back() - recipe.up_to(1) * recipe.up_to(ends.back());
  good.logs.back().resize(cut);
  const GoodLogs older = good_logs(recipe);
  for (size_t n = 0; n < good.logs.size(); ++n) {
    std::string left = older.logs[n % older.logs.size()];
    // Or records that an event had for its payload, whose sender knew no salt.
    if (recipe.up_to(1) == 0) left = test::with_salt(left, log_salt(n + 1, secret));
    if (left.size() > good.logs[n].size()) good.logs[n] += left.substr(good.logs[n].size());
  }
  const auto whole = std::ranges::count_if(good.batches, [&](const Place& batch) {
    return batch.log + 1 < ends.size() || batch.end <= cut;
  });
  const AuditReport report = audit_of(good.logs, std::nullopt, secret);
  CHECK(report.verdict != WalVerdict::damaged);
  // What is left may end a batch with the very bytes that were cut off.
  CHECK(report.batch_count >= static_cast<uint64_t>(whole));
  CHECK(report.batch_count <= good.batches.size());
  for (size_t n = 0; n < ends.size(); ++n) {
    const uint64_t bytes = report.whole_bytes.at(name_of(n));
    CHECK(bytes <= ends[n]);
    if (n + 1 < ends.size() || cut == ends[n]) CHECK(bytes == ends[n]);
  }
}

}  // namespace
}  // namespace holdfast::storage

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdfast::storage;
  if (size == 0) return 0;
  const Recipe recipe{holdfast::fuzz::view_of(data + 1, size - 1)};
  switch (data[0] % 4) {
    case 0:
      check_any_bytes(recipe);
      break;
    case 1:
      check_any_records(recipe);
      break;
    case 2:
      check_accident(recipe);
      break;
    default:
      check_written_over(recipe);
      break;
  }
  return 0;
}
