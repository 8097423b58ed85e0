// The World's reader: each read sees the disk at the moment it is performed; what it
// found becomes a fact when it is delivered. Within a kind neither overtakes.
#include <utility>

#include "storage/base/match.h"
#include "tests/support/world.h"

namespace holdfast::test {

using namespace storage;

namespace {

template <class T>
T read_ok(Result<T> read) {
  CHECK(read);
  return std::move(*read);
}

bool has_ended(const std::optional<EventView>& view) {
  return !view || (view->state != ViewState::pending && view->state != ViewState::running);
}

DeadLetterPage load_dead_letters(const Store& store, const core::LoadDeadLetters& load) {
  if (!load.one) {
    return read_ok(load_dead_letter_page(store, load.function, load.from, load.ending_below,
                                         load.rows_max));
  }
  DeadLetterPage page;
  LoadedEvent event = read_ok(load_event(store, *load.one));
  if (event.dead_letter) page.rows.push_back(std::move(*event.dead_letter));
  return page;
}

}  // namespace

bool World::may_perform_read(size_t kind) const {
  for (const QueuedRead& queued : reads_[kind]) {
    if (!queued.deliver) return true;
  }
  return false;
}

void World::perform_read(size_t kind) {
  for (QueuedRead& queued : reads_[kind]) {
    if (queued.deliver) continue;
    queued.deliver = perform(queued.read);
    return;
  }
}

bool World::may_deliver_read(size_t kind) const {
  return !reads_[kind].empty() && reads_[kind].front().deliver;
}

void World::deliver_read(size_t kind) {
  CHECK(may_deliver_read(kind));
  const QueuedRead read = std::move(reads_[kind].front());
  reads_[kind].pop_front();
  read.deliver();
}

std::function<void()> World::perform(const Read& read) {
  const Lane lane{0};
  return std::visit(
      match{
          [&](const core::LoadFreshPage& load) -> std::function<void()> {
            FreshPage page = read_ok(load_fresh_page(*store_, load.function, lane, load.from,
                                                     load.rows_max, load.bytes_max));
            return [this, load, page] {
              take(core().fresh_page_loaded(load.function, page, moment_));
            };
          },
          [&](const core::LoadDuePage& load) -> std::function<void()> {
            DuePage page =
                read_ok(load_due_page(*store_, load.function, lane, load.after, load.rows_max));
            return [this, load, page] {
              take(core().due_page_loaded(load.function, page, moment_));
            };
          },
          [&](const core::LoadEvent& load) -> std::function<void()> {
            LoadedEvent event = read_ok(load_event(*store_, load.event));
            return [this, load, event] {
              take(core().event_loaded(event, load.purpose, moment_));
            };
          },
          [&](const core::LoadExpiredKeys& load) -> std::function<void()> {
            KeyPage page = read_ok(load_expired_keys(*store_, load.from, load.now, load.rows_max));
            return [this, page] { take(core().expired_keys_loaded(page, moment_)); };
          },
          [&](const core::LoadDeadLetters& load) -> std::function<void()> {
            DeadLetterPage page = load_dead_letters(*store_, load);
            return [this, load, page] {
              take(core().dead_letters_loaded(load.function, page, moment_));
            };
          },
          [&](const core::LoadMessagePage& load) -> std::function<void()> {
            MessagePage page =
                read_ok(load_message_page(*store_, load.queue, load.after, load.rows_max));
            return [this, load, page] {
              take(core().message_page_loaded(load.queue, page, moment_));
            };
          },
          [&](const core::LoadMessages& load) -> std::function<void()> {
            std::vector<std::optional<MessageRecord>> messages;
            for (const MessageKey& key : load.keys) {
              messages.push_back(read_ok(load_message(*store_, key)));
            }
            return [this, load, messages] {
              take(core().messages_loaded(load.request, messages, moment_));
            };
          },
          [&](const core::ViewEvent& view) -> std::function<void()> {
            const Seq cutoff = core().ledger().state().history_cutoff;
            std::optional<EventView> found = read_ok(view_event(*store_, view.event, cutoff));
            return [this, view, found] {
              if (view.only_ended && !has_ended(found)) return;
              if (!views_.emplace(view.ticket, found).second) return;  // answered already
              core().event_viewed(view.ticket);
            };
          },
          [&](const KeyHash& hash) -> std::function<void()> {
            std::optional<IdempotencyRecord> record = read_ok(load_key(*store_, hash));
            return [this, hash, record] { take(core().key_looked_up(hash, record, moment_)); };
          },
      },
      read);
}

}  // namespace holdfast::test
