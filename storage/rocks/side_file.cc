#include "storage/rocks/side_file.h"

#include <array>
#include <string_view>
#include <utility>

#include "storage/base/bytes.h"
#include "storage/rocks/crc32c.h"

namespace holdfast::storage {

namespace {

//   file := slot+                                     512 bytes each
//   slot := "HFcommit" sequence:be64 crc32c:be32      the crc covers what stands before
constexpr std::string_view kMagic = "HFcommit";
constexpr size_t kUsedBytes = kMagic.size() + 8 + 4;
constexpr uint64_t kSlotBytes = 512;  // a sector

std::string encode(uint64_t sequence) {
  std::string bytes{kMagic};
  append_be64(bytes, sequence);
  append_be32(bytes, crc32c(bytes));
  return bytes;
}

}  // namespace

std::optional<uint64_t> SideFile::read(rocksdb::Env& env, const std::string& path,
                                       uint32_t slot) {
  std::unique_ptr<rocksdb::SequentialFile> file;
  if (!env.NewSequentialFile(path, &file, rocksdb::EnvOptions{}).ok()) return std::nullopt;
  if (slot > 0 && !file->Skip(slot * kSlotBytes).ok()) return std::nullopt;
  std::array<char, kUsedBytes> scratch{};
  rocksdb::Slice bytes;
  if (!file->Read(kUsedBytes, &bytes, scratch.data()).ok()) return std::nullopt;
  if (bytes.size() != kUsedBytes) return std::nullopt;
  BytesReader reader{bytes.ToStringView().substr(kMagic.size())};
  const uint64_t sequence = reader.be64();
  if (bytes.ToStringView() != encode(sequence)) return std::nullopt;
  return sequence;
}

SideFile SideFile::open_or_none(rocksdb::Env& env, const std::string& path) {
  const rocksdb::EnvOptions options;
  if (!env.FileExists(path).ok()) {
    // What is opened for overwriting has to be there.
    std::unique_ptr<rocksdb::WritableFile> made;
    if (!env.NewWritableFile(path, &made, options).ok()) return {};
  }
  SideFile side_file;
  if (!env.NewRandomRWFile(path, &side_file.file_, options).ok()) side_file.file_.reset();
  return side_file;
}

void SideFile::write(uint64_t sequence, uint32_t slot) {
  if (!file_) return;
  // A short write would leave a number that does not check out, that is "unknown".
  file_->Write(slot * kSlotBytes, encode(sequence)).PermitUncheckedError();
}

void SideFile::sync() {
  if (file_) file_->Sync().PermitUncheckedError();
}

}  // namespace holdfast::storage
