// TornBatch: what three mutants (storage/base/mutant.h) do to an outcome batch. One part
// of it goes into the batch of the next step, as if promise 3 did not matter.
#pragma once

#include <utility>

#include "daemon/core/effect.h"
#include "storage/base/mutant.h"

namespace holdfast::core {

#ifdef HOLDFAST_TEST_HOOKS

class TornBatch {
 public:
  void begin(Step& step) {
    if (!rest_.empty()) step.batch = std::exchange(rest_, {});
  }

  void finish(Step& step) {
    bool ends = false;
    for (const storage::Mutation& mutation : step.batch.mutations) {
      ends = ends || std::holds_alternative<storage::PutHistory>(mutation);
    }
    if (!ends) return;
    storage::Batch whole = std::exchange(step.batch, {});
    for (storage::Mutation& mutation : whole.mutations) {
      (torn_off(mutation) ? rest_ : step.batch).mutations.push_back(std::move(mutation));
    }
  }

 private:
  static bool torn_off(const storage::Mutation& mutation) {
    const auto* key = std::get_if<storage::PutIdempotency>(&mutation);
    return (broken(Mutant::dead_letter_apart) &&
            std::holds_alternative<storage::PutDeadLetter>(mutation)) ||
           (broken(Mutant::destination_apart) &&
            std::holds_alternative<storage::PutMessage>(mutation)) ||
           (broken(Mutant::answer_apart) && key != nullptr && key->record->answer);
  }

  storage::Batch rest_;
};

#else

class TornBatch {
 public:
  void begin(Step& /*step*/) {}
  void finish(Step& /*step*/) {}
};

#endif

}  // namespace holdfast::core
