// crash_handler FOLDER [--persistent]: the handler of the kill test, once for each attempt
// or, in length-prefixed frames, for one after the other. Its payload, a JSON string, tells
// it what to do; FOLDER/handlers is the witness, a file of its own that no daemon writes.
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
//    fail:K         exit status 1, or an Error
//    signal:K       dies by a signal
//    hang:K         ignores SIGTERM, and so does its child
//    family:K       the same, and leaves a child behind
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
#include <utility>

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

struct Answer {
  bool succeeded = false;
  std::string result;
};

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
class Lock {
 public:
  explicit Lock(const Task& task)
      : file_(::open((task.folder + "/locks/" + task.id).c_str(), O_RDWR | O_CREAT, 0644)) {
    if (file_ < 0) std::abort();
    held_ = ::flock(file_, LOCK_EX | LOCK_NB) == 0;
  }
  ~Lock() { ::close(file_); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;
  bool held() const { return held_; }

 private:
  int file_;
  bool held_ = false;
};

void leave_a_child() {
  if (::fork() != 0) return;
  std::signal(SIGTERM, SIG_IGN);
  while (true) ::pause();
}

void write_all(const std::string& bytes) {
  for (size_t sent = 0; sent < bytes.size();) {
    const ssize_t count = ::write(STDOUT_FILENO, &bytes[sent], bytes.size() - sent);
    if (count <= 0) std::_Exit(3);
    sent += static_cast<size_t>(count);
  }
}

Answer misbehave(const Task& task) {
  if (task.act == "signal") std::raise(SIGKILL);
  if (task.act == "hang") {
    std::signal(SIGTERM, SIG_IGN);
    leave_a_child();
    while (true) ::pause();
  }
  if (task.act == "family") leave_a_child();
  if (task.act == "flood") {
    write_all(std::string(kFloodBytes, 'f'));
    ::pause();
  }
  return {false, ""};
}

void wait_until_healed(const Task& task) {
  for (int looks = 0; looks < kSlowLooksMax; ++looks) {
    if (::access((task.folder + "/healed").c_str(), F_OK) == 0) return;
    ::usleep(kSlowPauseUs);
  }
}

Answer act(const Task& task) {
  std::string result = task.name + " " + std::to_string(task.attempt);
  const bool always_succeeds = task.act == "ok" || task.act == "sleep" || task.act == "slow" ||
                               task.act == "big";
  if (!always_succeeds && task.attempt <= task.number) return misbehave(task);
  if (task.act == "sleep") ::usleep(static_cast<useconds_t>(task.number) * 1000);
  if (task.act == "slow") wait_until_healed(task);
  if (task.act == "big") result.append(task.number << 10, '.');
  return {true, std::move(result)};
}

// From its first line in the witness to its last.
Answer run(Task& task, const std::string& payload, bool alone) {
  parse(task, payload);
  note(task, "\"what\":\"handler_started\",\"payload\":\"" + task.payload + "\",\"alone\":" +
                 (alone ? "true" : "false"));
  Answer answer = act(task);
  note(task, std::string{"\"what\":\"handler_ended\",\"succeeded\":"} +
                 (answer.succeeded ? "true" : "false"));
  return answer;
}

// --- persistent: client/PROTOCOL.md, section 7 -------------------------------------

std::string read_exactly(size_t count) {
  std::string bytes(count, '\0');
  for (size_t got = 0; got < count;) {
    const ssize_t more = ::read(STDIN_FILENO, &bytes[got], count - got);
    if (more <= 0) std::_Exit(0);  // end of file: no more events
    got += static_cast<size_t>(more);
  }
  return bytes;
}

size_t length_at(const std::string& bytes, size_t at) {
  size_t length = 0;
  for (size_t n = 0; n < 4; ++n) length = length << 8 | static_cast<unsigned char>(bytes[at + n]);
  return length;
}

void write_frame(const std::string& head, const std::string& body) {
  std::string frame;
  for (const size_t length : {head.size(), body.size()}) {
    for (int shift = 24; shift >= 0; shift -= 8) {
      frame.push_back(static_cast<char>(length >> shift & 0xFF));
    }
  }
  write_all(frame + head + body);
}

// What stands behind "NAME": in a head, up to a comma or a bracket.
std::string field(const std::string& head, const std::string& name) {
  const size_t at = head.find("\"" + name + "\":") + name.size() + 3;
  const std::string value = head.substr(at, head.find_first_of(",}", at) - at);
  return value[0] == '"' ? value.substr(1, value.size() - 2) : value;
}

[[noreturn]] void serve(const std::string& folder) {
  write_frame("{\"Ready\":true}", "");
  while (true) {
    const std::string lengths = read_exactly(8);
    const std::string head = read_exactly(length_at(lengths, 0));
    const std::string payload = read_exactly(length_at(lengths, 4));
    Task task;
    task.folder = folder;
    task.id = field(head, "RequestId");
    task.attempt = std::strtoul(field(head, "Attempt").c_str(), nullptr, 10);
    const Lock lock{task};
    const Answer answer = run(task, payload, lock.held());
    write_frame("{\"RequestId\":\"" + task.id + "\"" +
                    (answer.succeeded ? "}" : ",\"Error\":{\"Type\":\"Oops\"}}"),
                answer.result);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3 && std::string{argv[2]} == "--persistent") serve(argv[1]);
  if (argc != 2) return 2;
  Task task;
  task.folder = argv[1];
  task.id = variable("HOLDFAST_REQUEST_ID");
  task.attempt = std::strtoul(variable("HOLDFAST_ATTEMPT").c_str(), nullptr, 10);
  const Lock lock{task};
  const Answer answer = run(task, read_all(), lock.held());
  write_all(answer.result);
  std::_Exit(answer.succeeded ? 0 : 1);
}
