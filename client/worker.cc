#include "client/worker.h"

#include <cerrno>
#include <cstring>

#include "client/worker_loop.h"
#include "client/worker_pool.h"

namespace holdfast::client {

Answer<Served> serve(const WorkerOptions& options, const Handler& handler) {
  if (options.concurrency == 0 || options.concurrency > kWorkerConcurrencyMax) {
    return Failure{FailureKind::refused, "InvalidParameterValueException",
                   "concurrency must be between 1 and " + std::to_string(kWorkerConcurrencyMax)};
  }
  const WorkerOptions kept = options;
  const WakeEvent wake;
  if (wake.descriptor() < 0) {
    return Failure{FailureKind::unreachable, "",
                   std::string{"cannot make an eventfd: "} + std::strerror(errno), errno};
  }
  auto pool = WorkerPool::start(kept.concurrency, handler, wake);
  if (!pool) return pool.error();
  const std::stop_callback on_stop{kept.stop, [&wake] { wake.wake(); }};
  return WorkerLoop{kept, **pool, wake}.run();
}

}  // namespace holdfast::client
