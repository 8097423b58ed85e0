#include "storage/rocks/synced_manifest.h"

#include <cstdlib>
#include <string_view>

namespace holdfast::storage {

namespace {

constexpr std::string_view kPrefix = "MANIFEST-";

// The side file holds one number: that of the MANIFEST, then its bytes.
constexpr int kBytesBits = 40;  // a MANIFEST has some megabytes
constexpr uint64_t kBytesMask = (uint64_t{1} << kBytesBits) - 1;

std::string_view name_of(std::string_view path) {
  return path.substr(path.find_last_of('/') + 1);
}

std::string beside(const std::string& manifest_path) {
  return manifest_path.substr(0, manifest_path.find_last_of('/') + 1) + kSyncedManifestName;
}

uint64_t number_of(const std::string& manifest_path) {
  const std::string digits{name_of(manifest_path).substr(kPrefix.size())};
  return std::strtoull(digits.c_str(), nullptr, 10);
}

}  // namespace

bool is_manifest(const std::string& path) { return name_of(path).starts_with(kPrefix); }

SyncedManifest::SyncedManifest(rocksdb::Env& env, const std::string& manifest_path)
    : env_(env), side_path_(beside(manifest_path)), manifest_number_(number_of(manifest_path)) {}

std::optional<uint64_t> SyncedManifest::bytes() const {
  const std::optional<uint64_t> packed = SideFile::read(env_, side_path_);
  if (!packed || *packed >> kBytesBits != manifest_number_) return std::nullopt;
  return *packed & kBytesMask;
}

void SyncedManifest::record(uint64_t bytes) {
  if (!recorded_) side_file_ = SideFile::open_or_none(env_, side_path_);
  side_file_.write(manifest_number_ << kBytesBits | (bytes & kBytesMask));
  if (!recorded_) side_file_.sync();
  recorded_ = true;
}

}  // namespace holdfast::storage
