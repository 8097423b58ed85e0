#include "daemon/evidence.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <vector>

#include "daemon/spawner/fd.h"
#include "daemon/state_directory.h"

namespace holdfast::daemon {
namespace {

using spawner::Fd;

// Left free beside the copies, for what opening the database writes.
constexpr uint64_t kRoomBytes = 32u << 20;

Error failed(const std::string& doing, const std::string& path) {
  const Errc code = errno == ENOSPC ? Errc::full : Errc::io;
  return Error{code, "cannot " + doing + " " + path + ": " + std::strerror(errno)};
}

bool is_evidence(std::string_view name) {
  if (name.ends_with(".log")) return true;
  for (const std::string_view begin : {"MANIFEST-", "OPTIONS-", "CURRENT", "IDENTITY",
                                       "acknowledged", "manifest_synced", "log_secret"}) {
    if (name.starts_with(begin)) return true;
  }
  return false;
}

Result<std::vector<std::string>> evidence_in(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator at{directory, error}, end; !error && at != end;
       at.increment(error)) {
    const std::string name = at->path().filename();
    if (is_evidence(name)) names.push_back(name);
  }
  if (error) return Error{Errc::io, "cannot list " + directory + ": " + error.message()};
  return names;
}

Result<> expect_room(const std::string& directory, const std::vector<std::string>& names) {
  uint64_t needed = kRoomBytes;
  for (const std::string& name : names) {
    struct stat file {};
    if (stat((directory + "/" + name).c_str(), &file) != 0) {
      return failed("look at", directory + "/" + name);
    }
    needed += static_cast<uint64_t>(file.st_size);
  }
  struct statvfs space {};
  if (statvfs(directory.c_str(), &space) != 0) return failed("measure the disk of", directory);
  const uint64_t free = static_cast<uint64_t>(space.f_bavail) * space.f_frsize;
  if (free >= needed) return ok();
  return Error{Errc::full, "the evidence needs " + std::to_string(needed) +
                               " bytes of free disk, and there are " + std::to_string(free) +
                               ": nothing was changed; free some and repeat"};
}

Result<> sync_directory(const std::string& path) {
  const Fd directory{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!directory || ::fsync(directory.number()) != 0) return failed("sync", path);
  return ok();
}

Result<> write_all(int file, const char* bytes, size_t count, const std::string& path) {
  while (count > 0) {
    const ssize_t written = ::write(file, bytes, count);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return failed("write", path);
    bytes += written;
    count -= static_cast<size_t>(written);
  }
  return ok();
}

Result<> copy_file(const std::string& from, const std::string& to) {
  const Fd source{::open(from.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!source) return failed("read", from);
  const Fd copy{::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)};
  if (!copy) return failed("make", to);
  std::vector<char> block(1u << 20);
  for (;;) {
    const ssize_t count = ::read(source.number(), block.data(), block.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failed("read", from);
    if (count == 0) break;
    const Result<> written =
        write_all(copy.number(), block.data(), static_cast<size_t>(count), to);
    if (!written) return written.error();
  }
  if (::fsync(copy.number()) != 0) return failed("sync", to);
  return ok();
}

std::string now_in_utc() {
  const time_t now = ::time(nullptr);
  tm parts{};
  gmtime_r(&now, &parts);
  std::array<char, 32> text{};
  const size_t bytes = strftime(text.data(), text.size(), "%Y%m%dT%H%M%SZ", &parts);
  return {text.data(), bytes};
}

// A name that nobody has: two within one second differ by a number.
std::string free_name(const std::string& directory) {
  const std::string wanted = directory + "/evidence-" + now_in_utc();
  std::string name = wanted;
  for (int n = 2; std::filesystem::exists(name) || std::filesystem::exists(name + ".partial");
       ++n) {
    name = wanted + "-" + std::to_string(n);
  }
  return name;
}

}  // namespace

Result<std::string> copy_evidence(const std::string& state_directory) {
  const std::string database = database_of(state_directory);
  const Result<std::vector<std::string>> names = evidence_in(database);
  if (!names) return names.error();
  if (const Result<> room = expect_room(database, *names); !room) return room.error();

  const std::string whole = free_name(state_directory);
  const std::string partial = whole + ".partial";
  if (::mkdir(partial.c_str(), 0700) != 0) return failed("make", partial);
  for (const std::string& name : *names) {
    const Result<> copied = copy_file(database + "/" + name, partial + "/" + name);
    if (!copied) return copied.error();
  }
  if (const Result<> synced = sync_directory(partial); !synced) return synced.error();
  if (::rename(partial.c_str(), whole.c_str()) != 0) return failed("name", whole);
  if (const Result<> synced = sync_directory(state_directory); !synced) return synced.error();
  return whole;
}

}  // namespace holdfast::daemon
