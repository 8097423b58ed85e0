// BatchWrites: batches as rows for Store::commit(), one commit after the other in the same
// memory.
//
//    writes.add(commit.batch);
//    writes.add(commit.counters);
//    store.commit(writes.all());
//    writes.clear();
//
// Reason      Rows are made and thrown away by the hundred thousand a second. Strings that
//             stay where they are grow once, and cost no allocation after that.
// Rule        What clear() leaves is bounded: kWritesKept rows of kWriteBytesKept each. So it
//             is called behind a commit, not before the next one, which may be long in coming.
// Ownership   views from all() last until the next clear() or add().
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "storage/batch.h"
#include "storage/store.h"

namespace holdfast::storage {

inline constexpr size_t kWritesKept = 512;
inline constexpr size_t kWriteBytesKept = 2048;

class BatchWrites {
 public:
  void clear();

  // All rows that the batch touches, behind those there are, in its order.
  void add(const Batch& batch);

  std::span<const Write> all() const { return {writes_.data(), used_}; }

  // Memory of values, those that are kept included.
  size_t value_bytes_held() const;

 private:
  class RowWriter;
  Write& next(Family family, WriteOp op);

  std::vector<Write> writes_;
  size_t used_ = 0;  // the others are memory
};

// The rows of one batch, for who has just one.
std::vector<Write> encode(const Batch& batch);

}  // namespace holdfast::storage
