// CutOff: which rows of the history are forgotten.
//
// The history is bounded by one number: every ending below it is gone, whether or
// not its bytes have left the disk yet. Stores ask hides() on every read, so that a
// reader never sees the difference.
//
//    CutOff{1000}.hides(Family::history, key_of_ending_999, "...")  -> true
//
// The `endings` family points into the history: a row of it whose ending is cut off
// is cut off too.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "storage/base/bytes.h"
#include "storage/families.h"

namespace holdfast::storage {

struct CutOff {
  uint64_t ending = 0;  // the first ending that is still remembered

  // The cut-off that a key of the history stands for; nothing if it is no such key.
  static std::optional<CutOff> from_key(std::string_view history_key) {
    BytesReader reader{history_key};
    const uint64_t ending = reader.be64();
    if (!reader.finished()) return std::nullopt;
    return CutOff{ending};
  }

  // The key of the first remembered row of the history.
  std::string key() const {
    std::string bytes;
    append_be64(bytes, ending);
    return bytes;
  }

  // A row that does not parse is shown: its reader reports the damage.
  bool hides(Family family, std::string_view key, std::string_view value) const {
    if (ending == 0) return false;
    if (family != Family::history && family != Family::endings) return false;
    const std::optional<CutOff> row = from_key(family == Family::history ? key : value);
    return row.has_value() && row->ending < ending;
  }
};

}  // namespace holdfast::storage
