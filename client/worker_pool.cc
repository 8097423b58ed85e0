#include "client/worker_pool.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <exception>
#include <system_error>
#include <utility>

namespace holdfast::client {

WakeEvent::WakeEvent() : descriptor_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

WakeEvent::~WakeEvent() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

// The write fails only when the count is at its end, and then poll() returns anyhow.
void WakeEvent::wake() const {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(descriptor_, &one, sizeof one);
}

void WakeEvent::clear() const {
  uint64_t count = 0;
  [[maybe_unused]] const ssize_t taken = ::read(descriptor_, &count, sizeof count);
}

Answer<std::unique_ptr<WorkerPool>> WorkerPool::start(uint32_t threads, const Handler& handler,
                                                      const WakeEvent& wake) {
  std::unique_ptr<WorkerPool> pool{new WorkerPool{handler, wake}};
  try {
    for (uint32_t n = 0; n < threads; ++n) {
      pool->threads_.emplace_back([started = pool.get()] { started->work(); });
    }
  } catch (const std::system_error& error) {
    return Failure{FailureKind::unreachable, "",
                   "cannot start " + std::to_string(threads) + " threads: " + error.what(),
                   error.code().value()};
  }
  return pool;
}

WorkerPool::~WorkerPool() {
  {
    const std::scoped_lock lock{mutex_};
    ending_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void WorkerPool::run(SharedAttempt attempt) {
  ++given_;
  {
    const std::scoped_lock lock{mutex_};
    waiting_.push_back(std::move(attempt));
  }
  changed_.notify_one();
}

bool WorkerPool::forget(const Attempt& attempt) {
  const std::scoped_lock lock{mutex_};
  const size_t forgotten = std::erase_if(
      waiting_, [&](const SharedAttempt& waiting) { return waiting.get() == &attempt; });
  given_ -= forgotten;
  return forgotten > 0;
}

bool WorkerPool::waits(const Attempt& attempt) {
  const std::scoped_lock lock{mutex_};
  return std::any_of(waiting_.begin(), waiting_.end(), [&](const SharedAttempt& waiting) {
    return waiting.get() == &attempt;
  });
}

std::vector<WorkerPool::Finished> WorkerPool::take_finished() {
  const std::scoped_lock lock{mutex_};
  given_ -= finished_.size();
  return std::exchange(finished_, {});
}

void WorkerPool::work() {
  std::unique_lock lock{mutex_};
  while (true) {
    changed_.wait(lock, [this] { return ending_ || !waiting_.empty(); });
    if (ending_) return;
    const SharedAttempt attempt = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    AttemptResult result = call(*attempt);
    lock.lock();
    finished_.push_back({attempt, std::move(result)});
    wake_.wake();
  }
}

AttemptResult WorkerPool::call(const Attempt& attempt) const {
  try {
    return handler_(attempt);
  } catch (const std::exception& error) {
    return failure("Exception", error.what());
  } catch (...) {
    return failure("Exception", "the handler threw what is no std::exception");
  }
}

}  // namespace holdfast::client
