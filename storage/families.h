// The column families: one table, the truth behind FORMAT.md. Numbers and names
// are for ever; a retired one stays as a comment.
//
// Every key is big-endian, so disk order is work order. `life` tells how a key of
// the family lives, which decides how it may be deleted:
//
//   once       put once, SingleDelete'd at most once, never put again. The pair
//              annihilates when it meets in a memtable or a compaction.
//   rewritten  put any number of times, removed by Delete.
//   cut_off    put once, never deleted by key: the whole front of the family is
//              dropped below a cut-off.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace holdfast::storage {

enum class Family : uint8_t {
  meta = 0,
  events = 1,
  waiting = 2,
  due = 3,
  running = 4,
  attempts = 5,
  idempotency = 6,
  history = 7,
  dead_letters = 8,
  destinations = 9,
  endings = 10,
};

enum class KeyLife : uint8_t { once, rewritten, cut_off };

struct FamilyRow {
  Family family;
  std::string_view name;
  KeyLife life;
  std::string_view key;
  std::string_view value;
};

inline constexpr std::array kFamilies{
    FamilyRow{Family::meta, "meta", KeyLife::rewritten, "name", "see FORMAT.md"},
    FamilyRow{Family::events, "events", KeyLife::once, "function:be32 lane:be8 seq:be64",
              "EventRecord"},
    FamilyRow{Family::waiting, "waiting", KeyLife::once,
              "function:be32 lane:be8 seq:be64 generation:be32", "WaitingRecord"},
    FamilyRow{Family::due, "due", KeyLife::once,
              "function:be32 lane:be8 due_at:be64 seq:be64 generation:be32", "age_from:be64"},
    FamilyRow{Family::running, "running", KeyLife::once, "seq:be64 generation:be32",
              "RunningRecord"},
    FamilyRow{Family::attempts, "attempts", KeyLife::once, "seq:be64 attempt:be32",
              "AttemptRecord"},
    FamilyRow{Family::idempotency, "idempotency", KeyLife::rewritten, "hash:16 bytes",
              "IdempotencyRecord"},
    FamilyRow{Family::history, "history", KeyLife::cut_off, "ending:be64", "HistoryRecord"},
    FamilyRow{Family::dead_letters, "dead_letters", KeyLife::once,
              "function:be32 seq:be64 generation:be32", "DeadLetterRecord"},
    FamilyRow{Family::destinations, "destinations", KeyLife::once,
              "queue:be32 visible_at:be64 seq:be64 generation:be32", "MessageRecord"},
    FamilyRow{Family::endings, "endings", KeyLife::rewritten, "seq:be64", "ending:be64"},
};
inline constexpr size_t kFamilyCount = kFamilies.size();

static_assert([] {
  for (size_t n = 0; n < kFamilyCount; ++n) {
    if (static_cast<size_t>(kFamilies[n].family) != n) return false;
  }
  return true;
}(), "the row of a family stands at its number");

constexpr const FamilyRow& row_of(Family family) { return kFamilies[static_cast<size_t>(family)]; }
constexpr std::string_view name(Family family) { return row_of(family).name; }

}  // namespace holdfast::storage
