// WorkerPool: the threads on which a worker's handler runs.
//
//    auto pool = WorkerPool::start(4, handler, wake);
//    (*pool)->run(attempt);
//    ... poll() until wake.descriptor() is readable; wake.clear();
//    for (WorkerPool::Finished& finished : (*pool)->take_finished()) ...
//
// Ownership  Handler and wake outlive the pool. Destroying the pool waits for the
//            calls of the handler that have begun; the others never begin.
// Threads    All calls belong to the thread that started it. WakeEvent::wake() is
//            for every thread.
// Failure    Start fails when the system gives no more threads or descriptors. An
//            exception of the handler is a failed attempt.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "client/worker.h"

namespace holdfast::client {

using SharedAttempt = std::shared_ptr<Attempt>;

// Ends a poll() from another thread.
class WakeEvent {
 public:
  WakeEvent();
  ~WakeEvent();
  WakeEvent(const WakeEvent&) = delete;
  WakeEvent& operator=(const WakeEvent&) = delete;

  int descriptor() const { return descriptor_; }  // negative: there was none to be had
  void wake() const;
  void clear() const;

 private:
  int descriptor_;
};

class WorkerPool {
 public:
  struct Finished {
    SharedAttempt attempt;
    AttemptResult result;
  };

  static Answer<std::unique_ptr<WorkerPool>> start(uint32_t threads, const Handler& handler,
                                                   const WakeEvent& wake);
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  void run(SharedAttempt attempt);
  // True: no thread had begun it, and none will.
  bool forget(const Attempt& attempt);
  // True: no thread has begun it.
  bool waits(const Attempt& attempt);
  std::vector<Finished> take_finished();

  // Nothing waits, runs, or is finished and has not been taken.
  bool idle() const { return given_ == 0; }

 private:
  WorkerPool(const Handler& handler, const WakeEvent& wake) : handler_(handler), wake_(wake) {}
  void work();
  AttemptResult call(const Attempt& attempt) const;

  const Handler& handler_;
  const WakeEvent& wake_;
  size_t given_ = 0;  // run(), and neither taken nor forgotten

  std::mutex mutex_;  // guards the three below
  std::condition_variable changed_;
  std::deque<SharedAttempt> waiting_;
  std::vector<Finished> finished_;
  bool ending_ = false;

  std::vector<std::thread> threads_;
};

}  // namespace holdfast::client
