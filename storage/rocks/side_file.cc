#include "storage/rocks/side_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <string_view>
#include <utility>

#include "storage/base/bytes.h"
#include "storage/rocks/crc32c.h"

namespace holdfast::storage {

namespace {

//   file := "HFcommit" sequence:be64 crc32c:be32      the crc covers what stands before
constexpr std::string_view kMagic = "HFcommit";
constexpr size_t kFileBytes = kMagic.size() + 8 + 4;

std::string encode(uint64_t sequence) {
  std::string bytes{kMagic};
  append_be64(bytes, sequence);
  append_be32(bytes, crc32c(bytes));
  return bytes;
}

}  // namespace

std::optional<uint64_t> SideFile::read(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  std::array<char, kFileBytes> bytes{};
  const ssize_t count = ::pread(fd, bytes.data(), bytes.size(), 0);
  ::close(fd);
  if (count != static_cast<ssize_t>(bytes.size())) return std::nullopt;
  const std::string_view file{bytes.data(), bytes.size()};
  BytesReader reader{file.substr(kMagic.size())};
  const uint64_t sequence = reader.be64();
  if (file != encode(sequence)) return std::nullopt;
  return sequence;
}

SideFile SideFile::open_or_none(const std::string& path) {
  return SideFile{::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0640)};
}

SideFile::SideFile(SideFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

SideFile& SideFile::operator=(SideFile&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

SideFile::~SideFile() {
  if (fd_ >= 0) ::close(fd_);
}

void SideFile::write(uint64_t sequence) {
  if (fd_ < 0) return;
  const std::string bytes = encode(sequence);
  const ssize_t count = ::pwrite(fd_, bytes.data(), bytes.size(), 0);
  // A short write would leave a number that does not check out, that is "unknown".
  (void)count;
}

}  // namespace holdfast::storage
