// What pages.cc and views.cc share: walks whose visitor may meet a damaged row, and
// errors that say which row it was.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "storage/base/result.h"
#include "storage/ids.h"
#include "storage/store.h"

namespace holdfast::storage {

// The first key behind `key`.
std::string key_after(std::string_view key);

// The keys that begin with `prefix`, from `from` on (or from the first).
ScanRange rows_with_prefix(Family family, const std::string& prefix, std::string from = {});

// Where the events of a function in one lane stand, in `events`, `waiting`, `due`.
std::string lane_prefix(FunctionId function, Lane lane);

// "FAMILY row HEX: WHAT", with the code of `error`.
Error at_row(Family family, std::string_view key, const Error& error);
Error not_a_key();  // what a visitor answers to a key that does not parse

// Like Store::scan(), but the visitor may fail, which ends the walk and is answered.
using RowVisitor = std::function<Result<bool>(std::string_view key, std::string_view value)>;
Result<> scan_rows(const Store& store, const ScanRange& range, const RowVisitor& visit);

Result<bool> any_row(const Store& store, const ScanRange& range);

// One row, decoded; empty if it is not there.
template <class Record, class Decode>
Result<std::optional<Record>> load_row(const Store& store, Family family, std::string_view key,
                                       const Decode& decode) {
  const Result<std::optional<std::string>> bytes = store.get(family, key);
  if (!bytes) return bytes.error();
  if (!*bytes) return std::optional<Record>{};
  Result<Record> record = decode(std::string_view{**bytes});
  if (!record) return at_row(family, key, record.error());
  return std::optional<Record>{std::move(*record)};
}

}  // namespace holdfast::storage
