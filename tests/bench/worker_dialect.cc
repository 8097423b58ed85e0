#include "tests/bench/worker_dialect.h"

#include <charconv>
#include <utility>

#include "client/wire/message.h"
#include "tests/bench/dialect.h"

namespace holdfast::bench {
namespace {

using What = Heard::What;

constexpr std::string_view kLineEnd = "\r\n";

uint64_t stamp_in(std::string_view payload) {
  return payload.size() < kStampBytes ? 0 : stamp_at(payload.data());
}

uint64_t big_endian(std::string_view bytes) {
  uint64_t number = 0;
  for (const char byte : bytes) number = number << 8 | static_cast<uint8_t>(byte);
  return number;
}

// The first push and the first reply are looked through. Those that follow have the same
// bytes but for the request id, the number of the attempt, and the deadline.
class HoldfastWorker : public WorkerDialect {
 public:
  HoldfastWorker() {
    answer_ = wire::encode_request(kFirstMsgid, "SendAttemptSuccess", [](wire::MapWriter& map) {
      map.text("RequestId", std::string(kRequestIdBytes, '0')).count("Attempt", 1);
    });
    answer_id_at_ = answer_.find(std::string(kRequestIdBytes, '0'));
  }

  void append_hello(std::string& out) override {
    out += wire::encode_request(kFirstMsgid, "AttachWorker", [](wire::MapWriter& map) {
      map.text("FunctionName", "bench").count("Concurrency", 1);
    });
  }

  Heard hear(std::string_view in, std::string& out) override {
    return in[0] == kReplyHead ? hear_reply(in) : hear_push(in, out);
  }

 private:
  static constexpr char kReplyHead = '\x94';  // an array of four; a push is one of three
  static constexpr size_t kMsgidAt = 3;
  static constexpr size_t kReplyErrorAt = 7;
  static constexpr size_t kRequestIdBytes = 36;
  static constexpr size_t kDeadlineBytes = 8;

  // Where things stand in a push, which begins with `head` and ends with the payload.
  struct Shape {
    std::string head;
    size_t id_at = 0;
    size_t attempt_at = 0;
    size_t deadline_at = 0;
    size_t bytes = 0;
  };

  // The first is to AttachWorker, the others are all alike.
  Heard hear_reply(std::string_view in) {
    const size_t bytes = reply_bytes_ > 0 ? reply_bytes_ : value_bytes(in);
    if (bytes == 0 || in.size() < bytes) return {};
    if (in[kReplyErrorAt] != '\xC0') refused(in);
    if (!std::exchange(is_attached_, true)) return {bytes, What::nothing, 0};
    reply_bytes_ = bytes;
    return {bytes, What::ending, 0};
  }

  Heard hear_push(std::string_view in, std::string& out) {
    if (!fits(in)) {
      const size_t bytes = value_bytes(in);
      if (bytes == 0) return {};
      shape_ = shape_of(in.substr(0, bytes));
    }
    if (in.size() < shape_.bytes) return {};
    put_be32(&answer_[kMsgidAt], kFirstMsgid + ++answers_);
    in.substr(shape_.id_at, kRequestIdBytes).copy(&answer_[answer_id_at_], kRequestIdBytes);
    answer_.back() = in[shape_.attempt_at];
    out += answer_;
    const size_t payload_at = shape_.head.size();
    return {shape_.bytes, What::attempt,
            stamp_in(in.substr(payload_at, shape_.bytes - payload_at))};
  }

  bool fits(std::string_view in) const {
    if (shape_.bytes == 0 || in.size() < shape_.head.size()) return false;
    const auto same = [&](size_t from, size_t to) {
      return in.substr(from, to - from) == std::string_view{shape_.head}.substr(from, to - from);
    };
    return same(0, shape_.id_at) && same(shape_.id_at + kRequestIdBytes, shape_.attempt_at) &&
           is_small(in[shape_.attempt_at]) && same(shape_.attempt_at + 1, shape_.deadline_at) &&
           same(shape_.deadline_at + kDeadlineBytes, shape_.head.size());
  }

  // A number of one byte.
  static bool is_small(char byte) { return static_cast<uint8_t>(byte) < 0x80; }

  static Shape shape_of(std::string_view push) {
    Shape shape;
    const auto behind = [&](std::string_view key) {
      const size_t at = push.find(key);
      if (at == push.npos) refused(push);
      return at + key.size();
    };
    behind("RunAttempt");
    shape.id_at = behind("RequestId\xD9\x24");  // and a text of 36 bytes
    shape.attempt_at = behind("\xA7" "Attempt");
    shape.deadline_at = behind("DeadlineAt\xCF");  // and eight bytes
    const size_t head_at = behind("\xA7Payload");
    const auto length_bytes = size_t{1} << (static_cast<uint8_t>(push[head_at]) - 0xC4);
    const size_t payload_at = head_at + 1 + length_bytes;
    if (length_bytes > 4 || payload_at > push.size() || !is_small(push[shape.attempt_at]) ||
        payload_at + big_endian(push.substr(head_at + 1, length_bytes)) != push.size()) {
      refused(push);
    }
    shape.head = push.substr(0, payload_at);
    shape.bytes = push.size();
    return shape;
  }

  std::string answer_;  // ends with the number of the attempt
  size_t answer_id_at_ = 0;
  uint32_t answers_ = 0;
  bool is_attached_ = false;
  size_t reply_bytes_ = 0;  // to an answer
  Shape shape_;
};

// The rest of a line, and what follows it.
struct Line {
  std::string_view text;
  size_t end = 0;  // behind its end; 0 if it has not arrived
};
Line line_at(std::string_view in, size_t at) {
  const size_t end = in.find(kLineEnd, at);
  if (end == in.npos) return {};
  return {in.substr(at, end - at), end + kLineEnd.size()};
}

size_t number_in(std::string_view text, std::string_view all) {
  size_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) refused(all);
  return number;
}

class RedisWorker : public WorkerDialect {
 public:
  explicit RedisWorker(size_t worker_number) {
    const std::string name = "w" + std::to_string(worker_number);
    next_ = "*11\r\n$10\r\nXREADGROUP\r\n$5\r\nGROUP\r\n$5\r\nbench\r\n$" +
            std::to_string(name.size()) + "\r\n" + name +
            "\r\n$5\r\nCOUNT\r\n$1\r\n1\r\n$5\r\nBLOCK\r\n$1\r\n0\r\n"
            "$7\r\nSTREAMS\r\n$6\r\nstream\r\n$1\r\n>\r\n";
  }

  // Whoever is first makes the group, with all that waits already.
  void append_hello(std::string& out) override {
    out += "*6\r\n$6\r\nXGROUP\r\n$6\r\nCREATE\r\n$6\r\nstream\r\n$5\r\nbench\r\n$1\r\n0\r\n"
           "$8\r\nMKSTREAM\r\n";
    out += next_;
  }

  Heard hear(std::string_view in, std::string& out) override {
    if (in[0] == '*') return hear_entry(in, out);
    const Line line = line_at(in, 0);
    if (line.end == 0) return {};
    if (line.text == ":1") {  // to XACK, then to XDEL
      is_acked_ = !is_acked_;
      return {line.end, is_acked_ ? What::nothing : What::ending, 0};
    }
    if (has_group_ || (line.text != "+OK" && !line.text.starts_with("-BUSYGROUP"))) refused(in);
    has_group_ = true;
    return {line.end, What::nothing, 0};
  }

 private:
  static constexpr std::string_view kEntryHead =
      "*1\r\n*2\r\n$6\r\nstream\r\n*1\r\n*2\r\n";  // then the id
  static constexpr std::string_view kFieldHead = "*2\r\n$1\r\np\r\n$";  // then the payload

  Heard hear_entry(std::string_view in, std::string& out) {
    const size_t id_at = kEntryHead.size();
    if (in.size() < id_at) return {};
    if (!in.starts_with(kEntryHead)) refused(in);
    const Line id_head = line_at(in, id_at);
    const Line id = id_head.end == 0 ? id_head : line_at(in, id_head.end);
    if (id.end == 0 || in.size() < id.end + kFieldHead.size()) return {};
    if (in.substr(id.end, kFieldHead.size()) != kFieldHead) refused(in);
    const Line length = line_at(in, id.end + kFieldHead.size());
    if (length.end == 0) return {};
    const size_t payload_bytes = number_in(length.text, in);
    const size_t bytes = length.end + payload_bytes + kLineEnd.size();
    if (in.size() < bytes) return {};
    append_answer(out, in.substr(id_at, id.end - id_at));
    return {bytes, What::attempt, stamp_in(in.substr(length.end, payload_bytes))};
  }

  // The id as it came, with its length.
  void append_answer(std::string& out, std::string_view id) {
    out += "*4\r\n$4\r\nXACK\r\n$6\r\nstream\r\n$5\r\nbench\r\n";
    out += id;
    out += "*3\r\n$4\r\nXDEL\r\n$6\r\nstream\r\n";
    out += id;
    out += next_;
  }

  std::string next_;
  bool has_group_ = false;
  bool is_acked_ = false;
};

class BeanstalkdWorker : public WorkerDialect {
 public:
  void append_hello(std::string& out) override { out += "reserve\r\n"; }

  Heard hear(std::string_view in, std::string& out) override {
    const Line line = line_at(in, 0);
    if (line.end == 0) return {};
    if (line.text == "DELETED") return {line.end, What::ending, 0};
    if (!line.text.starts_with(kReserved)) refused(in);
    const std::string_view numbers = line.text.substr(kReserved.size());  // id, bytes
    const size_t space = numbers.find(' ');
    if (space == numbers.npos) refused(in);
    const size_t payload_bytes = number_in(numbers.substr(space + 1), in);
    const size_t bytes = line.end + payload_bytes + kLineEnd.size();
    if (in.size() < bytes) return {};
    out += "delete ";
    out += numbers.substr(0, space);
    out += "\r\nreserve\r\n";
    return {bytes, What::attempt, stamp_in(in.substr(line.end, payload_bytes))};
  }

 private:
  static constexpr std::string_view kReserved = "RESERVED ";
};

}  // namespace

std::unique_ptr<WorkerDialect> worker_dialect_named(std::string_view system,
                                                    size_t worker_number) {
  if (system == "holdfast") return std::make_unique<HoldfastWorker>();
  if (system == "redis") return std::make_unique<RedisWorker>(worker_number);
  if (system == "beanstalkd") return std::make_unique<BeanstalkdWorker>();
  return nullptr;
}

}  // namespace holdfast::bench
