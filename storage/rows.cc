#include "storage/rows.h"

#include "storage/base/bytes.h"
#include "storage/keys.h"

namespace holdfast::storage {

std::string key_after(std::string_view key) { return std::string{key} + '\0'; }

ScanRange rows_with_prefix(Family family, const std::string& prefix, std::string from) {
  return {.family = family,
          .from = from.empty() ? prefix : std::move(from),
          .to = prefix_end(prefix),
          .reverse = false};
}

std::string lane_prefix(FunctionId function, Lane lane) {
  std::string prefix;
  append_be32(prefix, function.value);
  append_be8(prefix, lane.value);
  return prefix;
}

Error at_row(Family family, std::string_view key, const Error& error) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string what{name(family)};
  what += " row ";
  for (const char byte : key) {
    what += kDigits[static_cast<uint8_t>(byte) >> 4];
    what += kDigits[static_cast<uint8_t>(byte) & 0xF];
  }
  return {error.code, what + ": " + error.what};
}

Error not_a_key() { return {Errc::corrupt, "not a key of this family"}; }

Result<> scan_rows(const Store& store, const ScanRange& range, const RowVisitor& visit) {
  std::optional<Error> failure;
  const Result<> walked = store.scan(range, [&](std::string_view key, std::string_view value) {
    const Result<bool> more = visit(key, value);
    if (more) return *more;
    failure = at_row(range.family, key, more.error());
    return false;
  });
  if (!walked) return walked.error();
  if (failure) return *failure;
  return ok();
}

Result<bool> any_row(const Store& store, const ScanRange& range) {
  bool found = false;
  const Result<> walked = store.scan(range, [&](std::string_view, std::string_view) {
    found = true;
    return false;
  });
  if (!walked) return walked.error();
  return found;
}

}  // namespace holdfast::storage
