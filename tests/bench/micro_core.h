// MicroCore: the pure core between a shell and a disk that do nothing, so that it can be
// measured alone. One function, `bench`, which workers serve.
//
//    MicroCore core{MicroCore::Worker::attached};
//    core.submit(payload, "");               // starts at once if the worker has room
//    storage::Batch batch = core.commit();   // all since the last one, with the meta rows
//    core.answer_all();                      // what has started is pushed, and has succeeded
//
// Threads  one. Failure  CHECK: nothing here is refused.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "daemon/core/lifecycle.h"
#include "storage/batch.h"

namespace holdfast::bench {

class MicroCore {
 public:
  enum class Worker : uint8_t { none, attached };
  static constexpr uint32_t kConcurrency = 64;

  explicit MicroCore(Worker worker);

  // With a key: also the disk's answer, that it does not know it.
  void submit(std::string payload, std::string key);
  storage::Batch commit();
  void answer_all();

  uint64_t accepted() const { return lifecycle_->ledger().state().accepted; }

 private:
  void take(core::Step step);
  core::Ticket next_ticket() { return core::Ticket{++last_ticket_}; }

  Moment moment_;
  std::unique_ptr<core::Lifecycle> lifecycle_;
  storage::Batch gathering_;
  core::StepSeq last_step_;
  std::vector<core::StartAttempt> started_;
  uint64_t last_ticket_ = 0;
};

// Payloads of a kilobyte, which is what all benchmarks use.
inline constexpr size_t kPayloadBytes = 1024;
std::string micro_payload();

// What a commit of so many accepted events holds.
storage::Batch batch_of_accepts(MicroCore& core, size_t count);

}  // namespace holdfast::bench
