// What a worker and the daemon tell each other, as bytes: client/PROTOCOL.md,
// sections 4 and 8. The counterpart of client/operations.h, for client/worker_loop.cc.
//
// Threads  any. Failure  unpack() gives nothing when a required field is absent.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <msgpack.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "client/wire/writer.h"
#include "client/worker_book.h"
#include "storage/base/time.h"

namespace holdfast::client {

inline constexpr std::string_view kAttachWorker = "AttachWorker";
inline constexpr std::string_view kDetachWorker = "DetachWorker";
inline constexpr std::string_view kSendAttemptSuccess = "SendAttemptSuccess";
inline constexpr std::string_view kSendAttemptFailure = "SendAttemptFailure";
inline constexpr std::string_view kSendAttemptHeartbeat = "SendAttemptHeartbeat";
inline constexpr std::string_view kRunAttempt = "RunAttempt";
inline constexpr std::string_view kStopAttempt = "StopAttempt";

void pack_attach(wire::MapWriter& params, const WorkerOptions& options,
                 const std::map<std::string, int64_t>& held);

// Longer lengths of the daemon's count as this one: a clock reading plus it is an instant.
inline constexpr Duration kTimeoutMax = std::chrono::hours{24 * 365};

struct AttachReply {
  Duration timeout{0};
  std::optional<Duration> reattach_window;
  std::set<std::string> continued;
  static std::optional<AttachReply> unpack(const msgpack::object& map);
};

// RequestId and Attempt, as they stand in a StopAttempt.
std::optional<WorkerBook::Which> unpack_which(const msgpack::object& map);
void pack_which(wire::MapWriter& params, const Attempt& attempt);

// A result that no request can carry becomes the failure that the daemon would make of it.
AttemptResult sendable(AttemptResult result);

// Texts longer than the daemon takes are cut: of the log the end is kept, of the
// others the beginning. Their bytes that are no UTF-8 become U+FFFD, because the daemon
// would refuse the whole answer for them.
std::string_view method_of(const AttemptResult& result);
void pack_result(wire::MapWriter& params, const AttemptResult& result);

}  // namespace holdfast::client
