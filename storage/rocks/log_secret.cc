#include "storage/rocks/log_secret.h"

#include <memory>
#include <optional>
#include <random>

#include "storage/rocks/side_file.h"

namespace holdfast::storage {

namespace {

constexpr uint32_t kCopies = 2;

std::string path_in(const std::string& directory) { return directory + "/" + kLogSecretName; }

}  // namespace

Result<uint32_t> read_log_secret(rocksdb::Env& env, const std::string& directory) {
  const std::string path = path_in(directory);
  for (uint32_t copy = 0; copy < kCopies; ++copy) {
    const std::optional<uint64_t> secret = SideFile::read(env, path, copy);
    if (secret) return static_cast<uint32_t>(*secret);
  }
  const rocksdb::Status there = env.FileExists(path);
  if (!there.ok() && !there.IsNotFound()) {
    return Error{Errc::io, "cannot read " + path + ": " + there.ToString()};
  }
  return Error{Errc::corrupt, path + (there.ok() ? " is damaged" : " is missing") +
                                  ": without it the write-ahead log cannot be read; put it back "
                                  "from a backup."};
}

Result<> make_log_secret(rocksdb::Env& env, const std::string& directory) {
  std::random_device random;
  const uint32_t secret = random();
  SideFile file = SideFile::open_or_none(env, path_in(directory));
  for (uint32_t copy = 0; copy < kCopies; ++copy) file.write(secret, copy);
  file.sync();
  std::unique_ptr<rocksdb::Directory> folder;
  rocksdb::Status synced = env.NewDirectory(directory, &folder);
  if (synced.ok()) synced = folder->Fsync();
  const Result<uint32_t> written = read_log_secret(env, directory);
  if (synced.ok() && written && *written == secret) return ok();
  return Error{Errc::io, "cannot write " + path_in(directory)};
}

}  // namespace holdfast::storage
