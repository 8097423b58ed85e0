// bench_ceiling SOCKET DIRECTORY [keyed]: what the disk and the database would allow.
//
// It speaks the protocol's Invoke over the same socket, and writes for each request the keys
// that holdfastd writes: the event, with `keyed` a second one at a random place in a family
// of its own, and three for each commit. One commit is under way with a sync while the next
// gathers; when it is through, the answers leave. It checks nothing, knows no function, and
// runs nothing.
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <rocksdb/slice_transform.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "client/wire/message.h"
#include "storage/rocks/crc32c.h"

namespace {

using namespace holdfast;

constexpr size_t kReadBytes = 256u << 10;

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "bench_ceiling: %s\n", what.c_str());
  std::exit(1);
}

struct Client {
  explicit Client(int fd) : socket(fd) {}
  int socket;
  wire::RequestReader requests;
  std::string out;  // answers that may leave
};

struct Commit {
  rocksdb::WriteBatch batch;
  std::vector<std::pair<int, uint32_t>> asked;
};

void append_be64(std::string& out, uint64_t number) {
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>(number >> shift));
}

// As in holdfastd: a log whose size is that of its room makes each sync cheaper.
class PreparedLogs : public rocksdb::FileSystemWrapper {
 public:
  PreparedLogs() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}
  const char* Name() const override { return "bench.prepared_logs"; }
  rocksdb::FileOptions OptimizeForLogWrite(const rocksdb::FileOptions& files,
                                           const rocksdb::DBOptions& options) const override {
    rocksdb::FileOptions result = target()->OptimizeForLogWrite(files, options);
    result.fallocate_with_keep_size = false;
    return result;
  }
};

rocksdb::Options options_of(rocksdb::Env* environment) {
  rocksdb::Options options;
  options.env = environment;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  options.write_buffer_size = 32u << 20;
  options.max_total_wal_size = 64u << 20;
  options.info_log_level = rocksdb::WARN_LEVEL;
  options.memtable_insert_with_hint_prefix_extractor.reset(rocksdb::NewFixedPrefixTransform(5));
  options.allow_concurrent_memtable_write = false;
  options.enable_write_thread_adaptive_yield = false;
  return options;
}

class Ceiling {
 public:
  using Asked = std::vector<std::pair<int, uint32_t>>;  // (socket, msgid)

  Ceiling(const std::string& directory, bool keyed) : keyed_(keyed) {
    const rocksdb::Options options = options_of(environment_.get());
    std::vector<rocksdb::ColumnFamilyHandle*> families;
    rocksdb::DB* database = nullptr;
    const rocksdb::Status opened = rocksdb::DB::Open(
        options, directory, {{rocksdb::kDefaultColumnFamilyName, options}, {"keys", {}}},
        &families, &database);
    if (!opened.ok()) fail(opened.ToString());
    database_.reset(database);
    keys_ = families[1];
    done_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    committer_ = std::thread{[this] { commit_for_ever(); }};
    committer_.detach();
  }

  int done() const { return done_; }

  void take(int socket, const wire::Request& request) {
    const auto field = [&](const char* name) {
      const msgpack::object* found = wire::find(request.params, name);
      if (found == nullptr) fail(std::string{"a request without "} + name);
      return wire::as_bytes(*found).value_or("");
    };
    const std::string_view payload = field("Payload");
    const std::lock_guard lock{mutex_};
    std::string key{"\0\0\0\1\0", 5};
    append_be64(key, ++seq_);
    gathering_.batch.Put(key, rocksdb::Slice{payload.data(), payload.size()});
    if (keyed_) {
      std::string hash;
      append_be64(hash, std::hash<std::string_view>{}(field("IdempotencyKey")));
      append_be64(hash, seq_ * 0x9E3779B97F4A7C15ull);
      gathering_.batch.Put(keys_, hash, key);
    }
    gathering_.asked.emplace_back(socket, request.msgid);
  }

  // Wakes the committer if there is work for it, and gives what is through.
  Asked turn() {
    const std::lock_guard lock{mutex_};
    if (!gathering_.asked.empty()) begun_.notify_one();
    return std::exchange(through_, {});
  }

 private:
  void commit_for_ever() {
    rocksdb::WriteOptions synced;
    synced.sync = true;
    std::unique_lock lock{mutex_};
    while (true) {
      begun_.wait(lock, [this] { return !gathering_.asked.empty(); });
      Commit commit = std::move(gathering_);
      gathering_.batch.Clear();
      gathering_.asked.clear();
      std::string counters;
      append_be64(counters, seq_);
      lock.unlock();
      for (const char* row : {"meta state", "meta function", "meta commit"}) {
        commit.batch.Put(row, counters);
      }
      if (!database_->Write(synced, &commit.batch).ok()) fail("a write failed");
      lock.lock();
      through_.insert(through_.end(), commit.asked.begin(), commit.asked.end());
      const uint64_t one = 1;
      if (::write(done_, &one, sizeof one) < 0) fail("eventfd");
    }
  }

  const bool keyed_;
  std::unique_ptr<rocksdb::Env> environment_ =
      rocksdb::NewCompositeEnv(std::make_shared<PreparedLogs>());
  std::unique_ptr<rocksdb::DB> database_;
  rocksdb::ColumnFamilyHandle* keys_ = nullptr;  // the database's; closed with the process
  int done_ = -1;
  std::mutex mutex_;
  std::condition_variable begun_;
  uint64_t seq_ = 0;
  Commit gathering_;
  Asked through_;
  std::thread committer_;
};

int listen_on(const std::string& path) {
  ::unlink(path.c_str());
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(socket, 1024) != 0) {
    fail("cannot listen on " + path);
  }
  return socket;
}

void watch(int epoll, int fd, uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

// False when it has gone.
bool hear(Client& client, Ceiling& ceiling) {
  static std::vector<char> piece(kReadBytes);
  const ssize_t count = ::recv(client.socket, piece.data(), piece.size(), 0);
  if (count < 0) return errno == EAGAIN;
  if (count == 0) return false;
  client.requests.feed({piece.data(), static_cast<size_t>(count)});
  for (auto next = client.requests.next(); !std::holds_alternative<wire::NeedMore>(next);
       next = client.requests.next()) {
    if (std::holds_alternative<wire::Fault>(next)) return false;
    ceiling.take(client.socket, std::get<wire::Request>(next));
  }
  return true;
}

void answer(std::map<int, Client>& clients, const Ceiling::Asked& asked) {
  for (const auto& [socket, msgid] : asked) {
    const auto client = clients.find(socket);
    if (client == clients.end()) continue;
    wire::ReplyWriter reply{client->second.out, msgid};
    reply.map().number("StatusCode", 202).text("RequestId", "00000000-0000-8001-8400-00000006abcd");
  }
  for (const auto& [socket, msgid] : asked) {
    const auto client = clients.find(socket);
    if (client == clients.end() || client->second.out.empty()) continue;
    std::string& out = client->second.out;
    if (::send(socket, out.data(), out.size(), MSG_NOSIGNAL) < 0) continue;
    out.clear();
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: bench_ceiling SOCKET DIRECTORY [keyed]\n");
    return 2;
  }
  // Being linked, it takes the place of RocksDB's slower one, as it does in holdfastd.
  if (storage::crc32c("123456789") != 0xE3069283) fail("a wrong checksum");
  Ceiling ceiling{argv[2], argc > 3};
  const int listener = listen_on(argv[1]);
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  watch(epoll, listener, EPOLLIN);
  watch(epoll, ceiling.done(), EPOLLIN);
  std::map<int, Client> clients;
  epoll_event events[256];
  while (true) {
    const int count = ::epoll_wait(epoll, events, 256, -1);
    for (int n = 0; n < count; ++n) {
      const int fd = events[n].data.fd;
      if (fd == listener) {
        const int socket = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (socket < 0) continue;
        clients.emplace(socket, socket);
        watch(epoll, socket, EPOLLIN);
      } else if (fd == ceiling.done()) {
        uint64_t through = 0;
        if (::read(fd, &through, sizeof through) < 0) continue;
      } else if (!hear(clients.at(fd), ceiling)) {
        ::close(fd);
        clients.erase(fd);
      }
    }
    answer(clients, ceiling.turn());
  }
}
