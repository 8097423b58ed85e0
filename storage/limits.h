// Every bound of what is stored, with its unit.
#pragma once

#include <cstdint>

namespace holdfast::storage {

inline constexpr uint64_t kFormat = 1;

inline constexpr uint64_t kSeqsSkippedAtStart = 1u << 20;

inline constexpr uint32_t kEventPayloadBytesMax = 1048576;        // Lambda, asynchronous
inline constexpr uint32_t kSynchronousPayloadBytesMax = 6291556;  // Lambda, synchronous
inline constexpr uint32_t kIdempotencyKeyBytesMax = 256;
inline constexpr uint32_t kNameBytesMax = 64;

// A result that is kept with an ending or a key; longer ones leave their size.
inline constexpr uint32_t kResultKeptBytesMax = 64u << 10;

// Instants lie this far from 1970 at most, so that no sum or difference of two
// overflows, whatever a disk says.
inline constexpr int64_t kInstantMsMax = int64_t{1} << 60;

inline constexpr uint32_t kLogTailBytesMax = 4096;
inline constexpr uint32_t kErrorMessageBytesMax = 1024;
inline constexpr uint32_t kErrorTypeBytesMax = 128;
inline constexpr uint32_t kAttemptsKeptFirst = 3;
inline constexpr uint32_t kAttemptsKeptLast = 7;
inline constexpr uint32_t kAttemptsKeptMax = kAttemptsKeptFirst + kAttemptsKeptLast;
inline constexpr uint32_t kAttemptsBytesMax = 64u << 10;
static_assert(kAttemptsKeptMax * (kLogTailBytesMax + kErrorMessageBytesMax + 256) <=
                  kAttemptsBytesMax,
              "all kept attempts of an event fit in their bound");

inline constexpr uint32_t kMessageBodyBytesMax = 1048576;  // SQS
inline constexpr uint32_t kMessageAttributesBytesMax = 8u << 10;
// What a message counts for in its queue beside body and attributes: key and times.
inline constexpr uint32_t kMessageOverheadBytes = 64;
// An invocation record holds a payload and a result in base64; it is not a client's.
inline constexpr uint32_t kRecordBodyBytesMax = 12u << 20;

inline constexpr uint32_t kBootIdBytesMax = 64;
inline constexpr uint32_t kHistoryMarksStoredMax = 256;  // all in one StateRecord

}  // namespace holdfast::storage
