#include "tests/bench/dialect.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "client/wire/message.h"
#include "client/wire/scanner.h"

namespace holdfast::bench {
namespace {

[[noreturn]] void refused(std::string_view reply) {
  std::fprintf(stderr, "refused: %.*s\n", static_cast<int>(std::min<size_t>(reply.size(), 200)),
               reply.data());
  std::exit(1);
}

// Payloads that do not compress, and differ between connections.
std::string payload_of(size_t bytes) {
  std::string payload(bytes, '\0');
  uint64_t state = 88172645463325252ull + static_cast<uint64_t>(::getpid());
  for (char& byte : payload) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    byte = static_cast<char>(state);
  }
  return payload;
}

// Of each connection another.
std::string next_key_prefix() {
  static int connections = 0;
  return std::to_string(::getpid()) + "-" + std::to_string(++connections) + "-";
}

constexpr uint32_t kFirstMsgid = 0x10000;  // from here on each takes five bytes

// Requests are copies of one, and replies have the length of the first, so that the
// generator costs no more here than it does for the others.
class Holdfast : public Dialect {
 public:
  Holdfast(size_t payload_bytes, bool keyed) : keyed_(keyed) {
    wire::append_array_head(request_, 4);
    wire::append_int(request_, 0);
    wire::append_uint(request_, kFirstMsgid);
    wire::append_str(request_, "Invoke");
    wire::append_array_head(request_, 1);
    wire::MapWriter map{request_};
    map.text("FunctionName", "bench").text("InvocationType", "Event");
    map.bytes("Payload", payload_of(payload_bytes));
    if (keyed_) map.text("IdempotencyKey", key_prefix_ + std::string(kKeyDigits, '0'));
  }

  void append_request(std::string& out) override {
    put_be32(&request_[kMsgidAt], kFirstMsgid + ++requests_);
    if (keyed_) {  // the key is the last field
      uint32_t rest = requests_;
      for (size_t digit = 1; digit <= kKeyDigits; ++digit, rest /= 10) {
        request_[request_.size() - digit] = static_cast<char>('0' + rest % 10);
      }
    }
    out += request_;
  }

  // [1, msgid, nil, {"StatusCode": 202, ...}]
  size_t reply_bytes(std::string_view in) override {
    if (reply_bytes_ == 0) {
      wire::Scanner scanner{wire::kReplyLimits};
      const size_t taken = scanner.feed(in);
      if (!scanner.finished()) return 0;
      if (in.substr(0, taken).find("RequestId") == in.npos) refused(in);
      reply_bytes_ = taken;
    }
    if (in.size() < reply_bytes_) return 0;
    if (in[kReplyErrorAt] != '\xC0') refused(in);
    return reply_bytes_;
  }

 private:
  static constexpr size_t kKeyDigits = 10;
  static constexpr size_t kMsgidAt = 3;       // behind the heads of array, type and number
  static constexpr size_t kReplyErrorAt = 7;  // nil where there is none

  static void put_be32(char* at, uint32_t number) {
    for (int shift = 24; shift >= 0; shift -= 8) *at++ = static_cast<char>(number >> shift);
  }

  const bool keyed_;
  const std::string key_prefix_ = next_key_prefix();
  std::string request_;
  uint32_t requests_ = 0;
  size_t reply_bytes_ = 0;
};

class Redis : public Dialect {
 public:
  explicit Redis(size_t payload_bytes)
      : request_("*5\r\n$4\r\nXADD\r\n$6\r\nstream\r\n$1\r\n*\r\n$1\r\np\r\n$" +
                 std::to_string(payload_bytes) + "\r\n" + payload_of(payload_bytes) + "\r\n") {}
  void append_request(std::string& out) override { out += request_; }
  size_t reply_bytes(std::string_view in) override {  // $15\r\n1-1\r\n
    const size_t head = in.find("\r\n");
    if (head == in.npos) return 0;
    if (in[0] != '$') refused(in);
    const size_t end = in.find("\r\n", head + 2);
    return end == in.npos ? 0 : end + 2;
  }

 private:
  const std::string request_;
};

class Beanstalkd : public Dialect {
 public:
  explicit Beanstalkd(size_t payload_bytes)
      : request_("put 0 0 60 " + std::to_string(payload_bytes) + "\r\n" +
                 payload_of(payload_bytes) + "\r\n") {}
  void append_request(std::string& out) override { out += request_; }
  size_t reply_bytes(std::string_view in) override {
    const size_t end = in.find("\r\n");
    if (end == in.npos) return 0;
    if (!in.starts_with("INSERTED")) refused(in);
    return end + 2;
  }

 private:
  const std::string request_;
};

}  // namespace

std::unique_ptr<Dialect> dialect_named(std::string_view system, size_t payload_bytes, bool keyed) {
  if (system == "holdfast" || system == "ceiling") {
    return std::make_unique<Holdfast>(payload_bytes, keyed);
  }
  if (system == "redis") return std::make_unique<Redis>(payload_bytes);
  if (system == "beanstalkd") return std::make_unique<Beanstalkd>(payload_bytes);
  return nullptr;
}

}  // namespace holdfast::bench
