// The opaque texts that clients are given and hand back: receipts of messages, and
// markers of a redrive. Lists have markers of their own: storage/list_marker.h.
//
//   receipt := hex(queue:be32 visible_at:be64 seq:be64 generation:be32 check:8)
//   marker  := hex(from:be64 ending_below:be64)
//
// `check` is a hash of what stands before it and of the box's tag. It is no secret;
// it catches the handle that was cut, mistyped or received from another box.
//
// Failure  nothing comes back for a text that we never gave.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "storage/ids.h"
#include "storage/records.h"

namespace holdfast::api {

std::string to_receipt(const storage::MessageKey& key, storage::BoxTag box);
std::optional<storage::MessageKey> from_receipt(std::string_view text, storage::BoxTag box);

// (from, ending_below) of the next page of a redrive or discard.
using DeadLettersPage = std::pair<storage::Seq, storage::Seq>;
std::string to_page_marker(const DeadLettersPage& page);
std::optional<DeadLettersPage> from_page_marker(std::string_view text);

// Seqs are given once on a box, so a message's seq alone is its name. The lane is one
// that no event has: a MessageId is nobody's RequestId.
inline constexpr storage::Lane kMessageLane{255};
std::string to_message_id(storage::Seq message, storage::BoxTag box);

}  // namespace holdfast::api
