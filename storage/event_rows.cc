#include "storage/event_rows.h"

#include "storage/base/bytes.h"
#include "storage/codec.h"
#include "storage/keys.h"
#include "storage/rows.h"

namespace holdfast::storage {

namespace {

// All generations of one event's dead letter; at most one is there.
ScanRange dead_letter_rows(FunctionId function, Seq seq) {
  std::string prefix;
  append_be32(prefix, function.value);
  append_be64(prefix, seq.value);
  return rows_with_prefix(Family::dead_letters, prefix);
}

}  // namespace

Result<std::optional<LoadedWaiting>> load_waiting(const Store& store, const EventId& id) {
  std::optional<LoadedWaiting> waiting;
  const Result<> walked =
      scan_rows(store, rows_with_prefix(Family::waiting, event_key(id)),
                [&](std::string_view key, std::string_view value) -> Result<bool> {
                  const auto fields = parse_waiting_key(key);
                  if (!fields) return not_a_key();
                  if (waiting) return Error{Errc::corrupt, "its event waits twice"};
                  Result<WaitingRecord> record = decode_waiting(value);
                  if (!record) return record.error();
                  const WaitingKey found{id, record->due_at, fields->second};
                  waiting = LoadedWaiting{found, *record};
                  return true;
                });
  if (!walked) return walked.error();
  return waiting;
}

Result<std::optional<LoadedDeadLetter>> load_dead_letter(const Store& store, FunctionId function,
                                                         Seq seq) {
  std::optional<LoadedDeadLetter> dead_letter;
  const Result<> walked =
      scan_rows(store, dead_letter_rows(function, seq),
                [&](std::string_view key, std::string_view value) -> Result<bool> {
                  const std::optional<DeadLetterKey> found = parse_dead_letter_key(key);
                  if (!found) return not_a_key();
                  if (dead_letter) return Error{Errc::corrupt, "its event is dead twice"};
                  Result<DeadLetterRecord> record = decode_dead_letter(value);
                  if (!record) return record.error();
                  dead_letter = LoadedDeadLetter{*found, std::move(*record)};
                  return true;
                });
  if (!walked) return walked.error();
  return dead_letter;
}

Result<bool> is_dead(const Store& store, FunctionId function, Seq seq) {
  return any_row(store, dead_letter_rows(function, seq));
}

Result<std::vector<AttemptRecord>> load_attempts(const Store& store, Seq seq) {
  std::string prefix;
  append_be64(prefix, seq.value);

  std::vector<AttemptRecord> attempts;
  const Result<> walked =
      scan_rows(store, rows_with_prefix(Family::attempts, prefix),
                [&](std::string_view key, std::string_view value) -> Result<bool> {
                  const auto fields = parse_attempt_key(key);
                  if (!fields) return not_a_key();
                  Result<AttemptRecord> record = decode_attempt(fields->second, value);
                  if (!record) return record.error();
                  attempts.push_back(std::move(*record));
                  return true;
                });
  if (!walked) return walked.error();
  return attempts;
}

Result<std::vector<std::pair<RunningKey, RunningRecord>>> load_running(const Store& store) {
  std::vector<std::pair<RunningKey, RunningRecord>> running;
  const Result<> walked =
      scan_rows(store, rows_with_prefix(Family::running, {}),
                [&](std::string_view key, std::string_view value) -> Result<bool> {
                  const std::optional<RunningKey> found = parse_running_key(key);
                  if (!found) return not_a_key();
                  Result<RunningRecord> record = decode_running(value);
                  if (!record) return record.error();
                  running.emplace_back(*found, std::move(*record));
                  return true;
                });
  if (!walked) return walked.error();
  return running;
}

}  // namespace holdfast::storage
