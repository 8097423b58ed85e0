#include "tests/bench/dialect.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "client/wire/message.h"
#include "client/wire/scanner.h"

namespace holdfast::bench {

void refused(std::string_view reply) {
  std::fprintf(stderr, "refused: %.*s\n", static_cast<int>(std::min<size_t>(reply.size(), 200)),
               reply.data());
  std::exit(1);
}

uint64_t stamp_at(const char* payload) {
  uint64_t stamp = 0;
  std::memcpy(&stamp, payload, kStampBytes);
  return stamp;
}

void put_be32(char* at, uint32_t number) {
  for (int shift = 24; shift >= 0; shift -= 8) *at++ = static_cast<char>(number >> shift);
}

size_t value_bytes(std::string_view in) {
  wire::Scanner scanner{wire::kReplyLimits};
  const size_t taken = scanner.feed(in);
  if (scanner.fault()) refused(in);
  return scanner.finished() ? taken : 0;
}

namespace {

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

// A request whose payload begins at `payload_at`, and gets a stamp there.
class StampedRequest {
 public:
  StampedRequest(std::string bytes, size_t payload_at, size_t payload_bytes)
      : bytes_(std::move(bytes)),
        payload_at_(payload_at),
        has_room_(payload_bytes >= kStampBytes) {}

  std::string& stamped(uint64_t stamp) {
    if (has_room_) std::memcpy(&bytes_[payload_at_], &stamp, kStampBytes);
    return bytes_;
  }

 private:
  std::string bytes_;
  size_t payload_at_;
  bool has_room_;
};

StampedRequest between(std::string head, size_t payload_bytes, std::string_view tail) {
  const size_t payload_at = head.size();
  return {head + payload_of(payload_bytes) + std::string{tail}, payload_at, payload_bytes};
}

// Requests are copies of one, and replies have the length of the first, so that the
// generator costs no more here than it does for the others.
class Holdfast : public Dialect {
 public:
  Holdfast(size_t payload_bytes, bool keyed)
      : keyed_(keyed), request_(make_request(payload_bytes, keyed)) {}

  void append_request(std::string& out, uint64_t stamp) override {
    std::string& request = request_.stamped(stamp);
    put_be32(&request[kMsgidAt], kFirstMsgid + ++requests_);
    if (keyed_) {  // the key is the last field
      uint32_t rest = requests_;
      for (size_t digit = 1; digit <= kKeyDigits; ++digit, rest /= 10) {
        request[request.size() - digit] = static_cast<char>('0' + rest % 10);
      }
    }
    out += request;
  }

  // [1, msgid, nil, {"StatusCode": 202, ...}]
  size_t reply_bytes(std::string_view in) override {
    if (reply_bytes_ == 0) {
      const size_t taken = value_bytes(in);
      if (taken == 0) return 0;
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

  static StampedRequest make_request(size_t payload_bytes, bool keyed) {
    std::string out;
    size_t payload_end = 0;
    wire::append_array_head(out, 4);
    wire::append_int(out, 0);
    wire::append_uint(out, kFirstMsgid);
    wire::append_str(out, "Invoke");
    wire::append_array_head(out, 1);
    {
      wire::MapWriter map{out};
      map.text("FunctionName", "bench").text("InvocationType", "Event");
      map.bytes("Payload", payload_of(payload_bytes));
      payload_end = out.size();
      if (keyed) map.text("IdempotencyKey", next_key_prefix() + std::string(kKeyDigits, '0'));
    }
    return {std::move(out), payload_end - payload_bytes, payload_bytes};
  }

  const bool keyed_;
  StampedRequest request_;
  uint32_t requests_ = 0;
  size_t reply_bytes_ = 0;
};

class Redis : public Dialect {
 public:
  explicit Redis(size_t payload_bytes)
      : request_(between("*5\r\n$4\r\nXADD\r\n$6\r\nstream\r\n$1\r\n*\r\n$1\r\np\r\n$" +
                             std::to_string(payload_bytes) + "\r\n",
                         payload_bytes, "\r\n")) {}
  void append_request(std::string& out, uint64_t stamp) override { out += request_.stamped(stamp); }
  size_t reply_bytes(std::string_view in) override {  // $15\r\n1-1\r\n
    const size_t head = in.find("\r\n");
    if (head == in.npos) return 0;
    if (in[0] != '$') refused(in);
    const size_t end = in.find("\r\n", head + 2);
    return end == in.npos ? 0 : end + 2;
  }

 private:
  StampedRequest request_;
};

class Beanstalkd : public Dialect {
 public:
  explicit Beanstalkd(size_t payload_bytes)
      : request_(between("put 0 0 60 " + std::to_string(payload_bytes) + "\r\n", payload_bytes,
                         "\r\n")) {}
  void append_request(std::string& out, uint64_t stamp) override { out += request_.stamped(stamp); }
  size_t reply_bytes(std::string_view in) override {
    const size_t end = in.find("\r\n");
    if (end == in.npos) return 0;
    if (!in.starts_with("INSERTED")) refused(in);
    return end + 2;
  }

 private:
  StampedRequest request_;
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
