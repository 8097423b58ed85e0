// bench_sync DIRECTORY SECONDS BYTES: what the disk allows.
//
// Appends so many bytes to a file and waits until they are on the disk, again and again, and
// begins the file anew when it has 64 MiB. Prints a line of JSON: appends a second, how long
// each took, and which took more than 100 ms. The first tenth counts for the stalls alone.
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "tests/bench/connection.h"
#include "tests/bench/measure.h"

namespace {

using namespace holdfast::bench;

constexpr uint64_t kFileBytesMax = 64u << 20;

// In the directory, and gone with the program.
int open_file(const std::string& directory) {
  std::string path = directory + "/bench_sync.XXXXXX";
  const int file = ::mkostemp(path.data(), O_CLOEXEC | O_APPEND);
  if (file < 0) fail_system(directory.c_str());
  ::unlink(path.c_str());
  return file;
}

void run(const std::string& directory, double seconds, const std::string& bytes) {
  const int file = open_file(directory);
  Clock::time_point now = Clock::now();
  const Clock::time_point end = now + seconds_of(seconds);
  Tally appends{now, {seconds, 0}};
  Stalls stalls{now};
  uint64_t file_bytes = 0;
  while (now < end) {
    if (file_bytes + bytes.size() > kFileBytesMax) {
      if (::ftruncate(file, 0) != 0 || ::fdatasync(file) != 0) fail_system("ftruncate");
      file_bytes = 0;
    }
    const Clock::time_point begun = Clock::now();
    if (::write(file, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) {
      fail_system("write");
    }
    if (::fdatasync(file) != 0) fail_system("fdatasync");
    file_bytes += bytes.size();
    now = Clock::now();
    appends.add(now, now - begun);
    stalls.add(begun, now);
  }
  const Spread took = appends.spread();
  std::printf("{\"per_s\": %.0f, \"p50_us\": %u, \"p99_us\": %u, \"max_us\": %u, %s}\n",
              appends.per_s(), took.p50_us, took.p99_us, took.max_us, stalls.json().c_str());
}

}  // namespace

int main(int argc, char** argv) {
  const auto seconds = argc == 4 ? parse_number(argv[2]) : std::nullopt;
  const auto bytes = argc == 4 ? parse_count(argv[3]) : std::nullopt;
  if (!seconds || !bytes || *seconds == 0 || *bytes == 0 || *bytes > kFileBytesMax) {
    std::fprintf(stderr, "usage: bench_sync DIRECTORY SECONDS BYTES\n");
    return 2;
  }
  run(argv[1], *seconds, std::string(*bytes, 'x'));
}
