// SyncedManifest: how much of which MANIFEST is known to have been synced, kept in a side
// file. Without it a torn end cannot be told from damage.
//
//    SyncedManifest{env, "/var/lib/holdfast/db/MANIFEST-000012"}.record(4711);
//    SyncedManifest{env, path}.bytes()  -> 4711; nothing if unknown
//
// The first record of a MANIFEST is synced, since CURRENT will name it; the later ones
// are not, and after a power cut at worst a little old: too few bytes, never too many.
//
// Rule    The first and the later records of a MANIFEST have slots of their own, and
//         other ones than the MANIFEST that CURRENT names.
// Reason  The cut that tears a record tears nothing that was synced before, so one is left
//         for whatever MANIFEST is opened next.
//
// Rule    The first record takes both slots.
// Reason  A MANIFEST that came to nothing leaves its number to the next one; what was
//         known of it would call that one damaged.
//
// Failure  None that matters: without the file nothing is known.
#pragma once

#include <rocksdb/env.h>

#include <cstdint>
#include <optional>
#include <string>

#include "storage/rocks/side_file.h"

namespace holdfast::storage {

inline constexpr const char* kSyncedManifestName = "manifest_synced";

// True for ".../MANIFEST-000012".
bool is_manifest(const std::string& path);

class SyncedManifest {
 public:
  SyncedManifest(rocksdb::Env& env, const std::string& manifest_path);

  std::optional<uint64_t> bytes() const;
  void record(uint64_t bytes);

 private:
  uint32_t free_slots() const;

  rocksdb::Env& env_;
  const std::string directory_;
  const std::string side_path_;
  const uint64_t manifest_number_;
  SideFile side_file_;
  uint32_t first_slot_ = 0;
  bool recorded_ = false;
};

}  // namespace holdfast::storage
