#include "daemon/disk_answers.h"

#include <chrono>
#include <memory>
#include <utility>
#include <vector>

#include "daemon/api/answers.h"
#include "daemon/api/errors.h"
#include "storage/pages.h"

namespace holdfast::daemon {
namespace {

constexpr std::chrono::milliseconds kPageTimeMax{20};

// A page's budget; its time counts from the moment the reader begins with it.
storage::PageBudget page_budget(size_t rows_max) {
  const auto until = std::chrono::steady_clock::now() + kPageTimeMax;
  return {rows_max, [until] { return std::chrono::steady_clock::now() >= until; }};
}

std::vector<storage::FunctionId> function_ids(const core::Ledger& ledger) {
  std::vector<storage::FunctionId> ids;
  for (const auto& [id, record] : ledger.functions()) ids.push_back(id);
  return ids;
}

wire::CallError not_found(std::string message) {
  return api::call_error(api::kResourceNotFound, std::move(message));
}

// Reads on one thread, encodes on another.
template <class Read, class Encode>
DiskQuestion question(Read read, Encode encode) {
  return [read = std::move(read), encode = std::move(encode)]() -> Result<DiskAnswer> {
    auto found = read();
    if (!found) return found.error();
    // Shared, because an answer must be copyable and what was read need not be.
    auto kept = std::make_shared<std::decay_t<decltype(*found)>>(std::move(*found));
    return DiskAnswer{[kept, encode]() -> Reply { return encode(*kept); }};
  };
}

}  // namespace

Reply event_reply(uint32_t msgid, const std::optional<storage::EventView>& found,
                        const core::Ledger& ledger) {
  if (!found) {
    return not_found(
        "no such event: it was never accepted here, or the history no longer has it");
  }
  std::string bytes;
  api::append_event_view(bytes, msgid, *found, ledger);
  return bytes;
}

DiskQuestion ask_event(const storage::Store& store, const core::Ledger& ledger, uint32_t msgid,
                       const storage::EventId& event) {
  return question(
      [&store, event, cutoff = ledger.state().history_cutoff] {
        return storage::view_event(store, event, cutoff);
      },
      [&ledger, msgid](const std::optional<storage::EventView>& found) {
        return event_reply(msgid, found, ledger);
      });
}

DiskQuestion ask_event_list(const storage::Store& store, const core::Ledger& ledger,
                            uint32_t msgid, const api::ListEvents& call) {
  return question(
      [&store, call, ids = function_ids(ledger), cutoff = ledger.state().history_cutoff] {
        return storage::list_events(store, ids, call.filter, cutoff, call.marker,
                                    page_budget(call.rows_max));
      },
      [&ledger, msgid](const storage::EventList& list) {
        std::string bytes;
        api::append_event_list(bytes, msgid, list, ledger);
        return bytes;
      });
}

DiskQuestion ask_payload(const storage::Store& store, const core::Ledger& ledger, uint32_t msgid,
                         const storage::EventId& event) {
  return question([&store, event] { return storage::load_event(store, event); },
                  [&ledger, msgid](const storage::LoadedEvent& loaded) -> Reply {
                    if (!loaded.event) {
                      return not_found("no payload is kept of this event: it has ended, or it was "
                                       "never accepted here");
                    }
                    std::string bytes;
                    api::append_payload(bytes, msgid, *loaded.event, ledger);
                    return bytes;
                  });
}

DiskQuestion ask_dead_letter(const storage::Store& store, const core::Ledger& ledger,
                             uint32_t msgid, const storage::EventId& event) {
  return question([&store, event] { return storage::load_event(store, event); },
                  [&ledger, msgid](const storage::LoadedEvent& loaded) -> Reply {
                    if (!loaded.dead_letter || !loaded.event) {
                      return not_found("this event is not a dead letter");
                    }
                    std::string bytes;
                    api::append_dead_letter(bytes, msgid, loaded, ledger);
                    return bytes;
                  });
}

DiskQuestion ask_dead_letter_list(const storage::Store& store, const core::Ledger& ledger,
                                  uint32_t msgid, const api::ListDeadLetters& call) {
  return question(
      [&store, call, ids = function_ids(ledger)] {
        return storage::list_dead_letters(store, ids, call.function, call.marker,
                                          page_budget(call.rows_max));
      },
      [&ledger, msgid](const storage::DeadLetterList& list) {
        std::string bytes;
        api::append_dead_letter_list(bytes, msgid, list, ledger);
        return bytes;
      });
}

}  // namespace holdfast::daemon
