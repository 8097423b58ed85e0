// Dialect: how one system is asked to keep one payload, and how its answer ends.
//
//    std::unique_ptr<Dialect> dialect = dialect_named("redis", payload_bytes, keyed);
//    dialect->append_request(out);
//    size_t taken = dialect->reply_bytes(in);   // 0: not all of it has arrived
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
  virtual void append_request(std::string& out) = 0;
  virtual size_t reply_bytes(std::string_view in) = 0;
};

// "holdfast" (and "ceiling", which speaks the same), "redis", "beanstalkd"; null for others.
// `keyed`: each request has an idempotency key of its own, where there is such a thing.
std::unique_ptr<Dialect> dialect_named(std::string_view system, size_t payload_bytes, bool keyed);

}  // namespace holdfast::bench
