// What the disk alone can answer: lists, one event, one dead letter, one payload. Both
// desks ask it in the same way:
//
//    DiskQuestion question = ask_event_list(store, ledger, msgid, call);
//    Result<DiskAnswer> answer = question();   // on the reader's thread
//    send(caller, (*answer)());                // on the loop's: a reply, or its error
//
// Ownership  a question borrows store and ledger. Failure  what the disk says.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <variant>

#include "daemon/api/calls.h"
#include "storage/base/result.h"
#include "storage/views.h"

namespace holdfast::daemon {

// The bytes of a reply, or the error to reply with.
using Reply = std::variant<std::string, wire::CallError>;
using DiskAnswer = std::function<Reply()>;
using DiskQuestion = std::function<Result<DiskAnswer>()>;

DiskQuestion ask_event(const storage::Store& store, const core::Ledger& ledger, uint32_t msgid,
                       const storage::EventId& event);
DiskQuestion ask_event_list(const storage::Store& store, const core::Ledger& ledger,
                            uint32_t msgid, const api::ListEvents& call);
DiskQuestion ask_payload(const storage::Store& store, const core::Ledger& ledger, uint32_t msgid,
                         const storage::EventId& event);
DiskQuestion ask_dead_letter(const storage::Store& store, const core::Ledger& ledger,
                             uint32_t msgid, const storage::EventId& event);
DiskQuestion ask_dead_letter_list(const storage::Store& store, const core::Ledger& ledger,
                                  uint32_t msgid, const api::ListDeadLetters& call);

// About an event that was found, or not.
Reply event_reply(uint32_t msgid, const std::optional<storage::EventView>& found,
                        const core::Ledger& ledger);

}  // namespace holdfast::daemon
