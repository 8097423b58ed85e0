// The names of things. Each id is its own type; none is ever reused.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "storage/base/strong.h"

namespace holdfast::storage {

// A function's number, given when its name is first seen and kept for ever: events
// of a function that left the configuration find it again when it returns.
using FunctionId = Strong<struct FunctionIdTag, uint32_t>;
using QueueId = Strong<struct QueueIdTag, uint32_t>;

// One counter for everything on the box: events, endings, messages. Rises; a start
// skips kSeqsSkippedAtStart, so a number that was told but never written is not
// given twice.
using Seq = Strong<struct SeqTag, uint64_t>;

// How often an event or a message has moved. A key that moves carries it, so the
// same key is never put twice.
using Generation = Strong<struct GenerationTag, uint32_t>;

// Priority; 0 is the only one so far, and part of the keys from the beginning.
using Lane = Strong<struct LaneTag, uint8_t>;

// 1 is the first attempt. Rises with each recorded start, over all lives.
using AttemptNumber = Strong<struct AttemptNumberTag, uint32_t>;

// 18 random bits, rolled when a state directory is made: a request id of another
// box is not found here, instead of naming a stranger's event.
using BoxTag = Strong<struct BoxTagTag, uint32_t>;
inline constexpr uint32_t kBoxTagMax = (1u << 18) - 1;

struct EventId {
  FunctionId function;
  Lane lane;
  Seq seq;
  auto operator<=>(const EventId&) const = default;
};

// A RequestId is a version 8 UUID that spells the EventId, so no index is needed to
// find an event, and ids sort by time:
//
//   seq:48 version:4=8 seq:12 variant:2=10b seq:4 lane:8 function:32 box_tag:18
std::string to_request_id(const EventId& id, BoxTag box);

// Empty if the text is no such UUID, or one of another box.
std::optional<EventId> from_request_id(std::string_view text, BoxTag box);

}  // namespace holdfast::storage
