// Store: ordered bytes that survive a power cut. The seam between the rules above
// and RocksDB below; MemoryStore is its obvious twin for tests.
//
// A commit makes all its writes durable or none of them, and returns only after
// the log is synced:
//
//    writes.add(batch);  // batch_writes.h
//    Result<> committed = store.commit(writes.all());
//
// Writes of one key count in the order they come; among keys there is none.
//
// Threads    commit() and drop_below() come one at a time, from whichever thread.
//            Reads may come from any thread and see each commit whole, at the
//            earliest when it is durable.
// Failure    After one failed commit() the Store refuses all later ones: the end
//            of the log is then unknown. The daemon must stop; the next start
//            reads what the disk really holds.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "storage/base/result.h"
#include "storage/families.h"

namespace holdfast::storage {

enum class WriteOp : uint8_t {
  put,
  single_delete,  // families with KeyLife::once only
  erase,          // families with KeyLife::rewritten only
};

struct Write {
  Family family;
  WriteOp op;
  std::string key;
  std::string value;  // empty for deletes

  bool operator==(const Write&) const = default;
};

// What get_cached() can say without touching the disk.
struct NeedsDisk {};
using CachedValue = std::variant<NeedsDisk, std::optional<std::string>>;

// A range of keys [from, to), walked upwards, or downwards from its end.
struct ScanRange {
  Family family;
  std::string from;  // inclusive; empty: the family's first key
  std::string to;    // exclusive; empty: past the family's last key
  bool reverse = false;
};

// Called for each row; false stops the walk. The views live until it returns.
using ScanVisitor = std::function<bool(std::string_view key, std::string_view value)>;

class Store {
 public:
  virtual ~Store() = default;

  virtual Result<> commit(std::span<const Write> writes) = 0;

  virtual Result<std::optional<std::string>> get(Family family, std::string_view key) const = 0;
  virtual CachedValue get_cached(Family family, std::string_view key) const = 0;
  virtual Result<> scan(const ScanRange& range, const ScanVisitor& visit) const = 0;

  // Lets the store throw away all rows of a cut_off family below `key`, whenever it
  // likes. Readers must hide them from now on; nothing waits for the disk.
  virtual Result<> drop_below(Family family, std::string_view key) = 0;
};

}  // namespace holdfast::storage
