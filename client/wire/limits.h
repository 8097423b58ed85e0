// How large anything on the wire may be. client/PROTOCOL.md, section 6, tells
// the same to people; the readers of this folder and the daemon enforce it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace holdfast::wire {

// One request, from its first byte to its last.
inline constexpr size_t kRequestBytesMax = 6356992;
// Containers open at once inside a request, its outer array included.
inline constexpr uint32_t kNestingMax = 8;
// Values in one request, keys and containers counted too. A decoded value takes
// 24 bytes, so without this bound six megabytes of nil would become 150.
inline constexpr uint64_t kRequestValuesMax = 65536;

inline constexpr size_t kMethodBytesMax = 64;
inline constexpr size_t kFunctionNameBytesMax = 64;
inline constexpr size_t kQueueNameBytesMax = 64;
inline constexpr size_t kIdempotencyKeyBytesMax = 256;

inline constexpr size_t kPayloadBytesMaxEvent = 1048576;
inline constexpr size_t kPayloadBytesMaxSynchronous = 6291556;
inline constexpr size_t kMessageBodyBytesMax = 1048576;
inline constexpr size_t kMessageAttributesBytesMax = 8192;

inline constexpr uint32_t kInvokeDelaySecondsMax = 1209600;
inline constexpr uint32_t kMessageDelaySecondsMax = 900;
inline constexpr uint32_t kWaitSecondsMax = 20;
inline constexpr uint32_t kVisibilityTimeoutSecondsMax = 43200;
inline constexpr uint32_t kPageItemsMax = 1000;
inline constexpr uint32_t kPageItemsDefault = 100;
inline constexpr uint32_t kReceiveMessagesMax = 10;
inline constexpr uint32_t kWorkerConcurrencyMax = 1024;
inline constexpr size_t kErrorTypeBytesMax = 128;
inline constexpr size_t kErrorMessageBytesMax = 1024;
inline constexpr size_t kLogTailBytesMax = 4096;

// What a client of ours is willing to read. The daemon stays far below; the
// bound protects the client from something that is not the daemon.
inline constexpr size_t kReplyBytesMax = 16u << 20;
inline constexpr uint32_t kReplyNestingMax = 16;
inline constexpr uint64_t kReplyValuesMax = 1u << 20;

static_assert(kPayloadBytesMaxEvent < kPayloadBytesMaxSynchronous);
static_assert(kPayloadBytesMaxSynchronous + 60 * 1024 <= kRequestBytesMax,
              "the largest payload fits in a request together with its other fields");
static_assert(kMessageBodyBytesMax + 2 * kMessageAttributesBytesMax < kRequestBytesMax,
              "the largest message fits in a request");
static_assert(kRequestBytesMax < kReplyBytesMax, "what went in can come out");
static_assert(kNestingMax <= kReplyNestingMax);

}  // namespace holdfast::wire
