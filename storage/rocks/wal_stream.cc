#include "storage/rocks/wal_stream.h"

namespace holdfast::storage {

namespace {

// A batch begins with sequence:le64 count:le32; count operations follow.
constexpr size_t kBatchHeaderBytes = 12;
constexpr uint64_t kSequenceMax = (uint64_t{1} << 56) - 1;

uint64_t little_endian(std::string_view bytes) {
  uint64_t number = 0;
  for (size_t n = bytes.size(); n > 0; --n) {
    number = (number << 8) | static_cast<uint8_t>(bytes[n - 1]);
  }
  return number;
}

uint64_t count_of(std::string_view header) { return little_endian(header.substr(8, 4)); }

std::string number_or_unknown(std::optional<uint64_t> number) {
  return number ? std::to_string(*number) : std::string{"unknown"};
}

}  // namespace

std::optional<uint64_t> WalStream::sequence_of(std::string_view header) {
  if (header.size() < kBatchHeaderBytes) return std::nullopt;
  return little_endian(header.substr(0, 8));
}

bool WalStream::plausible(std::optional<uint64_t> sequence, std::optional<uint64_t> expected) {
  return sequence && *sequence >= expected.value_or(0) && *sequence <= kSequenceMax;
}

Result<bool> WalStream::read_log(const std::string& file, LogReader& reader) {
  file_ = file;
  report_.whole_bytes[file] = 0;
  Result<bool> go_on = read_records(reader);
  ++report_.log_count;
  report_.bytes += reader.bytes_read();
  return go_on;
}

Result<bool> WalStream::read_records(LogReader& reader) {
  std::optional<OpenBatch> batch;
  for (;;) {
    const Result<LogReader::Record> record = reader.next();
    if (!record) return record.error();
    const LogReader::Kind kind = record->kind;
    switch (kind) {
      case LogReader::Kind::end:
        if (batch) suspect(batch->offset);
        return true;
      case LogReader::Kind::bad:
        return search(reader, batch ? batch->offset : record->offset);
      case LogReader::Kind::full:
      case LogReader::Kind::first:
        if (batch) {  // the one before never ended, yet this one was begun
          suspect(batch->offset);
          damaged(sequence_of(record->payload));
          return false;
        }
        batch = OpenBatch{record->offset, {}, false};
        break;
      case LogReader::Kind::middle:
      case LogReader::Kind::last:
        if (!batch) return search(reader, record->offset);
        break;
    }
    batch->header += record->payload.substr(0, kBatchHeaderBytes - batch->header.size());
    if (!batch->judged && batch->header.size() == kBatchHeaderBytes) {
      batch->judged = true;
      if (!fits(*batch)) return false;
    }
    if (kind == LogReader::Kind::full || kind == LogReader::Kind::last) {
      if (!batch->judged) return search(reader, batch->offset);
      accept(*batch);
      report_.whole_bytes[file_] = reader.offset();
      batch.reset();
    }
  }
}

// Whether the stream may go on with this batch; if not, the verdict is final.
bool WalStream::fits(const OpenBatch& batch) {
  const std::optional<uint64_t> sequence = sequence_of(batch.header);
  // Behind a bad spot its log is given up, so here this batch starts a later log. If the
  // very first batch of the oldest log was torn, those before it were all in table files.
  // The first of all may repeat what is in them, but leaves nothing out.
  if (expected_) {
    if (*sequence == *expected_) return true;
  } else if (suspect_) {
    if (sequence_in_tables_ && *sequence == *sequence_in_tables_ + 1) return true;
  } else if (!sequence_in_tables_ || *sequence <= *sequence_in_tables_ + 1) {
    return true;
  }
  suspect(batch.offset);
  damaged(sequence);
  return false;
}

void WalStream::accept(const OpenBatch& batch) {
  suspect_ = false;
  expected_ = *sequence_of(batch.header) + count_of(batch.header);
  if (*expected_ > 0) report_.last_good_sequence = *expected_ - 1;
  ++report_.batch_count;
}

// Keeps the first bad spot of a row of them.
void WalStream::suspect(uint64_t offset) {
  if (suspect_) return;
  suspect_ = true;
  report_.verdict = WalVerdict::torn_tail;
  report_.file = file_;
  report_.offset = offset;
}

void WalStream::damaged(std::optional<uint64_t> next_intact_sequence) {
  report_.verdict = WalVerdict::damaged;
  report_.whole_bytes.erase(report_.whole_bytes.lower_bound(report_.file),
                            report_.whole_bytes.end());
  report_.next_intact_sequence = next_intact_sequence;
}

Result<bool> WalStream::search(LogReader& reader, uint64_t bad_offset) {
  suspect(bad_offset);
  const std::optional<uint64_t> expected = expected_;
  const Result<LogReader::Record> found =
      reader.find_batch_start([expected](LogReader::Kind kind, std::string_view payload) {
        // A FIRST at the very end of its block may be too short to hold a sequence.
        if (kind == LogReader::Kind::first && payload.size() < kBatchHeaderBytes) return true;
        return plausible(sequence_of(payload), expected);
      });
  if (!found) return found.error();
  if (found->kind == LogReader::Kind::end) return true;
  damaged(sequence_of(found->payload));
  return false;
}

AuditReport WalStream::finish() {
  report_.sequence_in_tables = sequence_in_tables_;
  const std::string place = report_.file + " at byte " + std::to_string(report_.offset);
  const std::string last_good = number_or_unknown(report_.last_good_sequence);
  switch (report_.verdict) {
    case WalVerdict::clean:
      report_.sentence = "The write-ahead log is intact: " + std::to_string(report_.batch_count) +
                         " batches in " + std::to_string(report_.log_count) + " files.";
      break;
    case WalVerdict::torn_tail:
      report_.sentence = "The write-ahead log ends in " + place +
                         ", as after a crash or power cut: what follows is a write that was torn "
                         "or the rest of an older log; the last intact sequence is " +
                         last_good + ".";
      break;
    case WalVerdict::damaged:
      report_.sentence =
          "The write-ahead log is damaged in " + place + ": an intact batch (sequence " +
          number_or_unknown(report_.next_intact_sequence) +
          ") follows, so the bytes in between had been acknowledged; the last intact sequence "
          "before them is " +
          last_good + ".";
      break;
  }
  return report_;
}

}  // namespace holdfast::storage
