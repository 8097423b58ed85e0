// Of verify(): what has ended. The history and the rows that find it by event name each
// other; a dead letter is what its last ending says.
#include <algorithm>

#include "storage/base/bytes.h"
#include "storage/codec.h"
#include "storage/keys.h"
#include "storage/verify_books.h"

namespace holdfast::storage::verifying {

Result<> walk_endings(Books& books) {
  uint64_t& rows = books.result.rows[static_cast<size_t>(Family::endings)];
  return books.walk(
      rows_with_prefix(Family::endings, {}),
      [&](std::string_view key, std::string_view value) -> Result<> {
        BytesReader seq{key};
        BytesReader ending{value};
        const EndingEntry entry{.seq = seq.be64(), .ending = ending.be64()};
        if (!seq.finished()) return not_a_key();
        if (!ending.finished()) return Error{Errc::corrupt, "not the number of an ending"};
        if (entry.ending < books.cutoff()) return ok();
        ++rows;
        books.seen(Seq{entry.seq});
        books.endings.push_back(entry);
        return ok();
      });
}

Result<> walk_history(Books& books) {
  uint64_t& rows = books.result.rows[static_cast<size_t>(Family::history)];
  const Result<> walked = books.walk(
      rows_with_prefix(Family::history, {}, history_key(Seq{books.cutoff()})),
      [&](std::string_view key, std::string_view value) -> Result<> {
        ++rows;
        const std::optional<Seq> ending = parse_history_key(key);
        if (!ending) return not_a_key();
        books.seen(*ending);
        const Result<HistoryRecord> record = decode_history(value);
        if (!record) return record.error();
        books.history_bytes += charged_bytes(*record);
        if (FunctionBook* function = books.function(record->event.function, Family::history)) {
          ++function->ended[static_cast<size_t>(record->state)];
        }
        EndingEntry* entry = books.find_ending(record->event.seq);
        if (entry == nullptr || entry->ending < ending->value) {
          books.complain("ending " + std::to_string(ending->value) + " of " +
                         books.named(record->event) + " is not found by its event");
        } else if (entry->ending == ending->value) {
          entry->has_history = true;
          entry->state = record->state;
        }
        return ok();
      });
  if (!walked) return walked.error();
  for (const EndingEntry& entry : books.endings) {
    if (entry.has_history) continue;
    books.complain("the history has no ending " + std::to_string(entry.ending) + " of " +
                   Books::numbered(entry.seq));
  }
  return ok();
}

Result<> walk_dead_letters(Books& books) {
  const Result<> walked = books.count(
      Family::dead_letters, [&](std::string_view key, std::string_view value) -> Result<> {
        const std::optional<DeadLetterKey> found = parse_dead_letter_key(key);
        if (!found) return not_a_key();
        FunctionBook* function = books.function(found->function, Family::dead_letters);
        if (function != nullptr) ++function->dead_letters;
        const Result<DeadLetterRecord> record = decode_dead_letter(value);
        if (!record) return record.error();
        if (function != nullptr) function->dead_letters_bytes += record->charged_bytes;
        const EventId id{found->function, record->lane, found->seq};
        books.dead.push_back({id, false});
        if (record->ending.value < books.cutoff()) return ok();
        const EndingEntry* ending = books.find_ending(found->seq);
        const bool names_it = ending != nullptr && ending->ending == record->ending.value &&
                              (!ending->has_history || ending->state == EndState::failed);
        if (!names_it) books.complain(books.named(id) + " is dead without an ending");
        return ok();
      });
  if (!walked) return walked.error();
  // The key has no lane, so with several of them disk order is not that of the events.
  std::sort(books.dead.begin(), books.dead.end(),
            [](const DeadEntry& one, const DeadEntry& other) { return one.event < other.event; });
  for (size_t n = 1; n < books.dead.size(); ++n) {
    if (books.dead[n].event != books.dead[n - 1].event) continue;
    books.complain(books.named(books.dead[n].event) + " is dead twice");
  }
  return ok();
}

}  // namespace holdfast::storage::verifying
