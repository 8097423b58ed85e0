// Dialect: how one system is asked to keep one payload, and how its answer ends.
//
//    std::unique_ptr<Dialect> dialect = dialect_named("redis", payload_bytes, keyed);
//    dialect->append_request(out, stamp);
//    size_t taken = dialect->reply_bytes(in);   // 0: not all of it has arrived
//
// The payload begins with the stamp, as stamp_at() reads it, if there is room for one.
//
// Failure  An answer that is not "kept" ends the program: what is refused is not measured.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace holdfast::bench {

class Dialect {
 public:
  virtual ~Dialect() = default;
  virtual void append_request(std::string& out, uint64_t stamp) = 0;
  virtual size_t reply_bytes(std::string_view in) = 0;
};

// "holdfast" (and "ceiling", which speaks the same), "redis", "beanstalkd"; null for others.
// `keyed`: each request has an idempotency key of its own, where there is such a thing.
std::unique_ptr<Dialect> dialect_named(std::string_view system, size_t payload_bytes, bool keyed);

// Shows the reply, and ends the program.
[[noreturn]] void refused(std::string_view reply);

inline constexpr size_t kStampBytes = 8;
uint64_t stamp_at(const char* payload);

// From here on each message number of Holdfast's takes five bytes.
inline constexpr uint32_t kFirstMsgid = 0x10000;
void put_be32(char* at, uint32_t number);

// The bytes of the MessagePack value at the front; 0: not all of it has arrived.
size_t value_bytes(std::string_view in);

}  // namespace holdfast::bench
