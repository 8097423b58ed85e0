// What clients are told, as MessagePack-RPC replies: client/PROTOCOL.md, section 4.
//
//    std::string bytes;
//    append_answer(bytes, msgid, core::Accepted{event}, ledger);   // {StatusCode: 202, ...}
//
// Each function appends one whole reply to `out`. The ledger turns ids into names.
//
// Ownership  nothing is kept. Threads  the loop's. Failure  none.
#pragma once

#include <cstdint>
#include <string>

#include "daemon/api/status.h"
#include "daemon/core/effect.h"
#include "daemon/core/ledger.h"
#include "storage/pages.h"
#include "storage/views.h"

namespace holdfast::api {

void append_answer(std::string& out, uint32_t msgid, const core::Answer& answer,
                   const core::Ledger& ledger);

// What is pushed to a worker, unasked: section 8.
void append_push(std::string& out, const core::StartAttempt& start, storage::BoxTag box);
void append_push(std::string& out, const core::StopAttempt& stop, storage::BoxTag box);

void append_event_view(std::string& out, uint32_t msgid, const storage::EventView& view,
                       const core::Ledger& ledger);
void append_event_list(std::string& out, uint32_t msgid, const storage::EventList& list,
                       const core::Ledger& ledger);

// The payload of an event that is pending, running or dead.
void append_payload(std::string& out, uint32_t msgid, const storage::EventRecord& event,
                    const core::Ledger& ledger);

void append_dead_letter_list(std::string& out, uint32_t msgid, const storage::DeadLetterList& list,
                             const core::Ledger& ledger);
// With its payload and its attempts. `loaded` is a dead letter, and its event is there.
void append_dead_letter(std::string& out, uint32_t msgid, const storage::LoadedEvent& loaded,
                        const core::Ledger& ledger);

}  // namespace holdfast::api
