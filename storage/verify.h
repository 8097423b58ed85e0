// verify(): does a store make sense as a whole? Everything that is counted is counted
// again, and every row must have the neighbours it needs.
//
//    Result<Verification> found = verify(store);
//    if (!found) return found.error();
//    for (const std::string& complaint : found->complaints) print(complaint);
//
// Rule    It may be asked whenever a commit is through, and of a store that stands
//         still meanwhile.
// Reason  Each commit leaves a whole store; half of one commit would be complained about.
//
// Rule    A row that does not decode is a complaint, like one without its neighbour.
// Reason  Whoever asks wants to hear of all that is wrong, not only of the first.
//
// Cost     One walk over every family. Whether two families hold the same (waiting and
//          due, living events and their keys) is told by sums that know no order; a
//          second walk names the rows, but only where the sums differ.
// Memory   8 bytes for an event that has failed and waits, 8 for a message of the
//          largest queue, 24 for a dead letter and for a history row. Nothing for a
//          fresh event, for one that only waits, and for a key.
// Failure  What the store says of a walk that it could not finish.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "storage/base/result.h"
#include "storage/families.h"
#include "storage/store.h"

namespace holdfast::storage {

inline constexpr size_t kComplaintsKeptMax = 100;

struct Verification {
  std::array<uint64_t, kFamilyCount> rows{};  // without those that the cut-off hides
  uint64_t fresh = 0;                         // events that wait for nothing but a slot
  uint64_t accepted = 0;                      // since the box began; and those of them
  uint64_t ended = 0;                         // that have ended, a redriven one each time

  uint64_t complaint_count = 0;
  std::vector<std::string> complaints;  // the first kComplaintsKeptMax of them

  uint64_t rows_of(Family family) const { return rows[static_cast<size_t>(family)]; }
};

Result<Verification> verify(const Store& store);

}  // namespace holdfast::storage
