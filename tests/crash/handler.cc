// crash_handler FOLDER: the handler of the kill test. Its payload, a JSON string, tells it
// what to do; FOLDER/handlers is the witness, a file of its own that no daemon writes.
//
//    "n17 fail:2 ..."    word 1: a name, word 2: one of ACTS below, then padding
//
// A line at its start and a line at its end, each in one write. It holds a lock on a file
// of its event for as long as it or anything it started lives: an attempt that does not
// get it has met an older one, and says so in its first line ("alone").
//
// ACTS, where attempts numbered up to K misbehave and later ones succeed:
//
//    ok             succeeds
//    sleep:MS       succeeds, later
//    slow           succeeds as soon as FOLDER/healed is there, at the latest in a minute
//    big:KIB        succeeds with so large a result
//    fail:K         exit status 1
//    signal:K       dies by a signal
//    hang:K         ignores SIGTERM, and so does its child
//    family:K       exit status 1, and leaves a child behind
//    flood:K        writes more than a result may have
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

constexpr int kSlowLooksMax = 3000;
constexpr useconds_t kSlowPauseUs = 20'000;
constexpr size_t kFloodBytes = 600 << 10;

struct Task {
  std::string folder;
  std::string id;
  unsigned long attempt = 0;
  std::string payload;  // name/crc/bytes, as the driver writes it too
  std::string name;
  std::string act;
  unsigned long number = 0;
};

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string read_all() {
  std::string bytes;
  char chunk[65536];
  for (ssize_t count = 0; (count = ::read(STDIN_FILENO, chunk, sizeof chunk)) > 0;) {
    bytes.append(chunk, static_cast<size_t>(count));
  }
  return bytes;
}

// As zlib's crc32().
uint32_t crc32(const std::string& bytes) {
  uint32_t crc = ~0u;
  for (const char byte : bytes) {
    crc ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0xEDB88320u & (0u - (crc & 1u)));
  }
  return ~crc;
}

void parse(Task& task, const std::string& bytes) {
  char crc[16];
  std::snprintf(crc, sizeof crc, "%08x", crc32(bytes));
  const size_t first = bytes.find(' ');
  task.name = bytes.substr(1, first - 1);
  task.payload = task.name + "/" + crc + "/" + std::to_string(bytes.size());
  const size_t end = bytes.find_first_of(" \"", first + 1);
  const std::string words = bytes.substr(first + 1, end - first - 1);
  const size_t colon = words.find(':');
  task.act = words.substr(0, colon);
  if (colon != std::string::npos) task.number = std::strtoul(&words[colon + 1], nullptr, 10);
}

// A line of its own even behind one that a kill cut short.
void note(const Task& task, const std::string& fields) {
  timeval now{};
  ::gettimeofday(&now, nullptr);
  const int64_t us = int64_t{now.tv_sec} * 1'000'000 + now.tv_usec;
  char at[32];
  std::snprintf(at, sizeof at, "%lld.%03d", static_cast<long long>(us / 1000),
                static_cast<int>(us % 1000));
  const std::string line = "\n{\"at\":" + std::string{at} + ",\"id\":\"" + task.id +
                           "\",\"attempt\":" + std::to_string(task.attempt) + "," + fields +
                           ",\"pid\":" + std::to_string(::getpid()) + "}\n";
  const int file =
      ::open((task.folder + "/handlers").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (file < 0 || ::write(file, line.data(), line.size()) < 0) std::abort();
  ::close(file);
}

// Kept open, by the children too.
bool lock(const Task& task) {
  const std::string path = task.folder + "/locks/" + task.id;
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT, 0644);
  if (file < 0) std::abort();
  return ::flock(file, LOCK_EX | LOCK_NB) == 0;
}

void leave_a_child() {
  if (::fork() != 0) return;
  std::signal(SIGTERM, SIG_IGN);
  while (true) ::pause();
}

[[noreturn]] void end(const Task& task, bool succeeded, const std::string& result) {
  note(task, std::string{"\"what\":\"handler_ended\",\"succeeded\":"} +
                 (succeeded ? "true" : "false"));
  for (size_t sent = 0; sent < result.size();) {
    const ssize_t count = ::write(STDOUT_FILENO, &result[sent], result.size() - sent);
    if (count <= 0) std::_Exit(3);
    sent += static_cast<size_t>(count);
  }
  std::_Exit(succeeded ? 0 : 1);
}

[[noreturn]] void misbehave(const Task& task) {
  if (task.act == "signal") std::raise(SIGKILL);
  if (task.act == "hang") {
    std::signal(SIGTERM, SIG_IGN);
    leave_a_child();
    while (true) ::pause();
  }
  if (task.act == "family") leave_a_child();
  if (task.act == "flood") {
    const std::string result(kFloodBytes, 'f');
    if (::write(STDOUT_FILENO, result.data(), result.size()) < 0) std::_Exit(3);
    ::pause();
  }
  end(task, false, "");
}

void wait_until_healed(const Task& task) {
  for (int looks = 0; looks < kSlowLooksMax; ++looks) {
    if (::access((task.folder + "/healed").c_str(), F_OK) == 0) return;
    ::usleep(kSlowPauseUs);
  }
}

[[noreturn]] void act(const Task& task) {
  std::string result = task.name + " " + std::to_string(task.attempt);
  if (task.act == "ok") end(task, true, result);
  if (task.act == "sleep") {
    ::usleep(static_cast<useconds_t>(task.number) * 1000);
    end(task, true, result);
  }
  if (task.act == "slow") {
    wait_until_healed(task);
    end(task, true, result);
  }
  if (task.act == "big") {
    result.append(task.number << 10, '.');
    end(task, true, result);
  }
  if (task.attempt <= task.number) misbehave(task);
  end(task, true, result);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  Task task;
  task.folder = argv[1];
  task.id = variable("HOLDFAST_REQUEST_ID");
  task.attempt = std::strtoul(variable("HOLDFAST_ATTEMPT").c_str(), nullptr, 10);
  const bool alone = lock(task);
  parse(task, read_all());
  note(task, "\"what\":\"handler_started\",\"payload\":\"" + task.payload + "\",\"alone\":" +
                 (alone ? "true" : "false"));
  act(task);
}
