// What the tests of the stores share: a directory that goes away, and short ways to
// write rows and keys.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "storage/base/bytes.h"
#include "storage/store.h"

namespace holdfast::storage {

class TempDirectory {
 public:
  TempDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "holdfast-XXXXXX").string();
    CHECK(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~TempDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

inline std::string read_file(const std::string& path) {
  // At once: a log has megabytes, and byte by byte they take a second under the sanitizers.
  std::string bytes(std::filesystem::file_size(path), '\0');
  std::ifstream file{path, std::ios::binary};
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return bytes;
}
inline void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream{path, std::ios::binary | std::ios::trunc} << bytes;
}

inline std::string key64(uint64_t number) {
  std::string key;
  append_be64(key, number);
  return key;
}

inline Write put(Family family, std::string key, std::string value) {
  return Write{family, WriteOp::put, std::move(key), std::move(value)};
}
inline Write single_delete(Family family, std::string key) {
  return Write{family, WriteOp::single_delete, std::move(key), {}};
}
inline Write erase(Family family, std::string key) {
  return Write{family, WriteOp::erase, std::move(key), {}};
}

inline bool commit(Store& store, const std::vector<Write>& writes) {
  const Result<> committed = store.commit(writes);
  if (!committed) ADD_FAILURE() << committed.error().what;
  return static_cast<bool>(committed);
}

// The value, or "(none)".
inline std::string value_of(const Store& store, Family family, const std::string& key) {
  const Result<std::optional<std::string>> value = store.get(family, key);
  if (!value) return "(error) " + value.error().what;
  return value->value_or("(none)");
}

// The keys of a scan, joined by spaces.
inline std::string keys_of(const Store& store, const ScanRange& range) {
  std::string keys;
  const Result<> scanned = store.scan(range, [&](std::string_view key, std::string_view) {
    keys += (keys.empty() ? "" : " ") + std::string{key};
    return true;
  });
  return scanned ? keys : "(error) " + scanned.error().what;
}

inline size_t row_count(const Store& store, Family family) {
  size_t count = 0;
  const Result<> scanned = store.scan({family, "", "", false}, [&](auto, auto) {
    ++count;
    return true;
  });
  EXPECT_TRUE(static_cast<bool>(scanned));
  return count;
}

}  // namespace holdfast::storage
