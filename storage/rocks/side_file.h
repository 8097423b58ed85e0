// SideFile: one number that is kept apart from the log, and not synced with it.
//
// Its first use is the sequence of the last acknowledged commit. The log alone cannot say
// whether its last batch was acknowledged, so each commit writes its sequence here after
// its sync. That is exact across a SIGKILL, and after a power cut at worst a little old.
//
//    SideFile side_file = SideFile::open_or_none(env, path);
//    side_file.write(sequence);
//    ...
//    SideFile::read(env, path)  -> sequence, or nothing if unknown
//
// A write that is torn leaves a number that does not check out. Where that must not be,
// there are further slots, each in a sector of its own.
//
// Ownership  borrows nothing after opening.
// Failure    None that matters: an absent or unreadable file only means "unknown".
#pragma once

#include <rocksdb/env.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace holdfast::storage {

class SideFile {
 public:
  // The number in the file; nothing if there is no file or it does not check out.
  static std::optional<uint64_t> read(rocksdb::Env& env, const std::string& path,
                                      uint32_t slot = 0);

  // For writing. Without permission or space it is a SideFile that writes nowhere.
  static SideFile open_or_none(rocksdb::Env& env, const std::string& path);

  SideFile() = default;

  void write(uint64_t number, uint32_t slot = 0);
  void sync();

 private:
  std::unique_ptr<rocksdb::RandomRWFile> file_;
};

}  // namespace holdfast::storage
