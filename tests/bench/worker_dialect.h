// WorkerDialect: how one system hands an event to a worker, and is told that it is done.
//
//    std::unique_ptr<WorkerDialect> dialect = worker_dialect_named("redis", worker_number);
//    dialect->append_hello(out);
//    Heard heard = dialect->hear(in, out);   // an attempt is answered in `out` at once
//
// A worker has one attempt at a time; with the answer it asks for the next one, where it has
// to ask.
//
// Failure  Whatever is neither an attempt nor the word that its ending is kept ends the
//          program.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace holdfast::bench {

struct Heard {
  enum class What : uint8_t {
    nothing,  // that counts; if `bytes` is 0, not all of it has arrived
    attempt,
    ending,   // of the attempt before: it is kept
  };
  size_t bytes = 0;
  What what = What::nothing;
  uint64_t stamp = 0;  // of the attempt's payload; 0 if it is too short for one
};

class WorkerDialect {
 public:
  virtual ~WorkerDialect() = default;
  virtual void append_hello(std::string& out) = 0;
  virtual Heard hear(std::string_view in, std::string& out) = 0;
};

// "holdfast", "redis", "beanstalkd"; null for others. The number is this worker's own.
std::unique_ptr<WorkerDialect> worker_dialect_named(std::string_view system, size_t worker_number);

}  // namespace holdfast::bench
