#include "storage/rocks/synced_manifest.h"

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "storage/rocks/log_files.h"
#include "storage/rocks/paths.h"

namespace holdfast::storage {

namespace {

constexpr std::string_view kPrefix = "MANIFEST-";

// Two MANIFESTs can be at hand, the one that CURRENT names and the next one; each has a
// slot for its first record and one for the later ones.
constexpr uint32_t kSlots = 4;
constexpr uint32_t kSlotsOfOne = 2;

// A slot holds one number: that of the MANIFEST, then its bytes.
constexpr int kBytesBits = 40;  // a MANIFEST has some megabytes
constexpr uint64_t kBytesMask = (uint64_t{1} << kBytesBits) - 1;

uint64_t number_of(const std::string& manifest_path) {
  const std::string digits{file_name_of(manifest_path).substr(kPrefix.size())};
  return std::strtoull(digits.c_str(), nullptr, 10);
}

}  // namespace

bool is_manifest(const std::string& path) { return file_name_of(path).starts_with(kPrefix); }

SyncedManifest::SyncedManifest(rocksdb::Env& env, const std::string& manifest_path)
    : env_(env),
      directory_(folder_of(manifest_path)),
      side_path_(directory_ + "/" + kSyncedManifestName),
      manifest_number_(number_of(manifest_path)) {}

std::optional<uint64_t> SyncedManifest::bytes() const {
  std::optional<uint64_t> most;
  for (uint32_t slot = 0; slot < kSlots; ++slot) {
    const std::optional<uint64_t> packed = SideFile::read(env_, side_path_, slot);
    if (!packed || *packed >> kBytesBits != manifest_number_) continue;
    most = std::max(most.value_or(0), *packed & kBytesMask);
  }
  return most;
}

// The first of those that the MANIFEST which CURRENT still names has not got.
uint32_t SyncedManifest::free_slots() const {
  const Result<std::string> current = current_manifest_path(env_, directory_);
  if (!current || !is_manifest(*current)) return 0;
  const uint64_t named = number_of(*current);
  for (uint32_t slot = 0; slot < kSlots; ++slot) {
    const std::optional<uint64_t> packed = SideFile::read(env_, side_path_, slot);
    if (packed && *packed >> kBytesBits == named) return slot < kSlotsOfOne ? kSlotsOfOne : 0;
  }
  return 0;
}

void SyncedManifest::record(uint64_t bytes) {
  const uint64_t packed = manifest_number_ << kBytesBits | (bytes & kBytesMask);
  if (recorded_) return side_file_.write(packed, first_slot_ + 1);
  first_slot_ = free_slots();
  side_file_ = SideFile::open_or_none(env_, side_path_);
  side_file_.write(packed, first_slot_);
  side_file_.write(packed, first_slot_ + 1);
  side_file_.sync();
  recorded_ = true;
}

}  // namespace holdfast::storage
