#include "daemon/core/queue_book.h"

#include <algorithm>
#include <utility>

#include "storage/base/check.h"
#include "storage/base/match.h"
#include "storage/codec.h"

namespace holdfast::core {

using storage::MessageKey;
using storage::MessageRecord;

namespace {

Refused too_full_to_hand_out() {
  return {Refusal::no_space,
          "the disk is too full to hand out a message, which writes it anew: free disk space, "
          "delete what was received, or discard dead letters"};
}

}  // namespace

QueueBook::QueueBook(Ledger& ledger) : ledger_(ledger) {
  for (const auto& [id, record] : ledger_.queues()) {
    Queue& queue = queues_[id];
    if (record.messages > 0) queue.window.start_unknown();
  }
}

void QueueBook::configure(const std::map<std::string, config::QueueSettings>& settings) {
  for (auto& [id, queue] : queues_) queue.settings.reset();
  for (const auto& [name, queue_settings] : settings) {
    queues_[ledger_.queue_named(name)].settings = queue_settings;
  }
  room_bytes_ = 0;
  for (const auto& [id, queue] : queues_) room_bytes_ += room_of(id);
}

bool QueueBook::configured(QueueId queue) const {
  auto at = queues_.find(queue);
  return at != queues_.end() && at->second.settings.has_value();
}

uint64_t QueueBook::bytes_max(QueueId queue) const {
  const auto& settings = queues_.at(queue).settings;
  return settings ? settings->bytes_max : config::QueueSettings{}.bytes_max;
}

bool QueueBook::full(QueueId queue) const {
  return ledger_.queue(queue).bytes >= bytes_max(queue);
}

uint64_t QueueBook::room_of(QueueId id) const {
  const uint64_t bytes = ledger_.queue(id).bytes;
  return queues_.at(id).settings && bytes < bytes_max(id) ? bytes_max(id) - bytes : 0;
}

void QueueBook::count(QueueId id, int64_t messages, int64_t bytes) {
  room_bytes_ -= room_of(id);
  storage::QueueRecord& record = ledger_.change(id);
  record.messages += static_cast<uint64_t>(messages);
  record.bytes += static_cast<uint64_t>(bytes);
  room_bytes_ += room_of(id);
}

bool QueueBook::has_room(QueueId queue) const {
  return ledger_.queue(queue).bytes + queues_.at(queue).owed < bytes_max(queue);
}

void QueueBook::settle(QueueId queue, uint64_t bytes) {
  uint64_t& owed = queues_.at(queue).owed;
  CHECK(owed >= bytes);
  owed -= bytes;
}

Seq QueueBook::send(Step& step, QueueId queue, std::shared_ptr<const MessageRecord> message,
                    TimePoint visible_at) {
  const MessageKey key{queue, visible_at, ledger_.take_seq(), storage::Generation{0}};
  const uint64_t bytes = storage::charged_bytes_of_message(*message);
  queues_.at(queue).window.add(key, bytes);
  count(queue, 1, static_cast<int64_t>(bytes));
  step.batch.push(storage::PutMessage{key, std::move(message)});
  return key.seq;
}

void QueueBook::receive(Step& step, Ticket ticket, QueueId id, uint32_t messages_max,
                        std::optional<Duration> visibility_timeout, const Moment& moment) {
  CHECK(messages_max > 0 && messages_max <= kMessagesPerReceiveMax);
  Queue& queue = queues_.at(id);
  const Duration hidden = visibility_timeout.value_or(
      queue.settings ? queue.settings->visibility_timeout : Duration{std::chrono::seconds{30}});
  serve(step, id, Receive{ticket, messages_max, hidden}, moment);
}

// Now, or when there is room, or when the page is there that it needs.
void QueueBook::serve(Step& step, QueueId id, const Receive& receive, const Moment& moment) {
  Queue& queue = queues_.at(id);
  const bool needs_page = queue.window.empty() && !queue.window.whole();
  const bool needs_room = moving_bytes_ >= kMovingBytesMax;
  if (!needs_page && !needs_room) {
    hand_out(step, id, receive, moment);
  } else if (held_back_.size() + queue.waiting.size() >= kReceivesWaitingMax) {
    step.effects.push_back(Reply{
        receive.ticket, Refused{Refusal::busy, "too many receivers wait for messages; ask again"}});
  } else if (needs_room) {
    held_back_.emplace_back(id, receive);
  } else {
    queue.waiting.push_back(receive);
    want_page(step, id, queue);
  }
}

void QueueBook::resume(Step& step, const Moment& moment) {
  while (can_resume()) {
    const auto [id, receive] = held_back_.front();
    held_back_.pop_front();
    serve(step, id, receive, moment);
  }
}

void QueueBook::durable(StepSeq watermark) {
  while (!moved_.empty() && moved_.front().first <= watermark) {
    moving_bytes_ -= moved_.front().second;
    moved_.pop_front();
  }
}

void QueueBook::hand_out(Step& step, QueueId id, const Receive& receive, const Moment& moment) {
  Queue& queue = queues_.at(id);
  Delivery delivery{receive, {}};
  uint64_t bytes = 0;
  bool short_of_disk = false;
  while (!queue.window.empty() && delivery.claimed.size() < receive.messages_max) {
    const auto& [key, row_bytes] = *queue.window.entries().begin();
    if (key.visible_at > moment.now) break;
    if (!delivery.claimed.empty() && bytes + row_bytes > kReceivedBytesMax) break;
    short_of_disk = moving_bytes_ + bytes + row_bytes > hand_out_room_;
    if (short_of_disk) break;
    bytes += row_bytes;
    delivery.claimed.push_back(queue.window.take_first());
  }
  want_page(step, id, queue);
  if (delivery.claimed.empty() && short_of_disk) {
    step.effects.push_back(Reply{receive.ticket, too_full_to_hand_out()});
    return;
  }
  if (delivery.claimed.empty()) {
    step.effects.push_back(Reply{receive.ticket, Received{}});
    return;
  }
  moving_bytes_ += bytes;
  const uint64_t number = next_load_++;
  std::vector<MessageKey> keys;
  for (const auto& [key, row_bytes] : delivery.claimed) keys.push_back(key);
  claimed_.insert(keys.begin(), keys.end());
  loads_.emplace(number, std::pair{Load{std::move(delivery)}, keys});
  step.effects.push_back(LoadMessages{number, std::move(keys)});
}

void QueueBook::deliver(Step& step, Delivery delivery,
                        std::vector<std::optional<MessageRecord>> messages, const Moment& moment) {
  CHECK(messages.size() == delivery.claimed.size());
  uint64_t moved_bytes = 0;
  for (const auto& [key, bytes] : delivery.claimed) moved_bytes += bytes;
  if (moved_bytes > hand_out_room_) return give_back(step, delivery, moved_bytes);
  Received received;
  for (size_t n = 0; n < messages.size(); ++n) {
    const auto& [key, bytes] = delivery.claimed[n];
    CHECK(messages[n].has_value());  // the window held it, so its row stands
    messages[n]->receive_count += 1;
    const MessageKey moved{key.queue, moment.now + delivery.receive.visibility_timeout, key.seq,
                           key.generation.next()};
    auto record = std::make_shared<const MessageRecord>(std::move(*messages[n]));
    claimed_.erase(key);
    queues_.at(key.queue).window.remove(key);
    step.batch.push(storage::EraseMessage{key});
    step.batch.push(storage::PutMessage{moved, record});
    queues_.at(key.queue).window.add(moved, bytes);
    received.messages.push_back({moved, std::move(record)});
  }
  moved_.emplace_back(step.seq, moved_bytes);
  step.effects.push_back(Reply{delivery.receive.ticket, std::move(received)});
}

// The disk filled up while the bodies were being read.
void QueueBook::give_back(Step& step, const Delivery& delivery, uint64_t bytes) {
  for (const auto& [key, row_bytes] : delivery.claimed) {
    claimed_.erase(key);
    queues_.at(key.queue).window.add(key, row_bytes);
  }
  moving_bytes_ -= bytes;
  step.effects.push_back(Reply{delivery.receive.ticket, too_full_to_hand_out()});
}

void QueueBook::erase(Step& step, Ticket ticket, const MessageKey& receipt) {
  auto at = queues_.find(receipt.queue);
  const Refused gone{Refusal::receipt_invalid,
                     "this message was deleted, or became visible again and was handed out anew"};
  if (at == queues_.end() || erasing_.contains(receipt) || claimed_.contains(receipt)) {
    step.effects.push_back(Reply{ticket, gone});
    return;
  }
  Queue& queue = at->second;
  if (const uint64_t* bytes = queue.window.find(receipt)) {
    erase_row(step, ticket, receipt, *bytes);
  } else if (queue.window.covers(receipt)) {
    step.effects.push_back(Reply{ticket, gone});
  } else {
    erasing_.insert(receipt);
    const uint64_t number = next_load_++;
    loads_.emplace(number, std::pair{Load{Erasure{ticket}}, std::vector{receipt}});
    step.effects.push_back(LoadMessages{number, {receipt}});
  }
}

void QueueBook::erase_row(Step& step, Ticket ticket, const MessageKey& key, uint64_t bytes) {
  queues_.at(key.queue).window.remove(key);
  const storage::QueueRecord& record = ledger_.queue(key.queue);
  CHECK(record.messages > 0 && record.bytes >= bytes);
  count(key.queue, -1, -static_cast<int64_t>(bytes));
  took_messages_out_ = true;
  step.batch.push(storage::EraseMessage{key});
  step.effects.push_back(Reply{ticket, Deleted{}});
}

void QueueBook::page_loaded(Step& step, QueueId id, storage::MessagePage page,
                            const Moment& moment) {
  Queue& queue = queues_.at(id);
  std::optional<MessageKey> bound;
  if (!page.last) bound = page.rows.back().key;
  std::vector<std::pair<MessageKey, uint64_t>> rows;
  rows.reserve(page.rows.size());
  for (const storage::MessageRow& row : page.rows) {
    if (!claimed_.contains(row.key)) rows.emplace_back(row.key, row.bytes);
  }
  queue.window.page_loaded(std::move(rows), bound);
  std::deque<Receive> waiting = std::exchange(queue.waiting, {});
  for (const Receive& receive : waiting) serve(step, id, receive, moment);
}

void QueueBook::messages_loaded(Step& step, uint64_t request,
                                std::vector<std::optional<MessageRecord>> messages,
                                const Moment& moment) {
  auto node = loads_.extract(request);
  CHECK(!node.empty());
  Load& load = node.mapped().first;
  const std::vector<MessageKey>& keys = node.mapped().second;
  std::visit(match{
                 [&](Delivery& delivery) {
                   deliver(step, std::move(delivery), std::move(messages), moment);
                 },
                 [&](const Erasure& erasure) {
                   const MessageKey key = keys.front();
                   erasing_.erase(key);
                   Queue& queue = queues_.at(key.queue);
                   // A page may have brought it, and a receiver taken it, meanwhile.
                   const bool stands = queue.window.covers(key) ? queue.window.find(key) != nullptr
                                                                : messages.front().has_value() &&
                                                                      !claimed_.contains(key);
                   if (stands) {
                     CHECK(messages.front().has_value());
                     erase_row(step, erasure.ticket, key,
                               storage::charged_bytes_of_message(*messages.front()));
                   } else {
                     step.effects.push_back(Reply{
                         erasure.ticket,
                         Refused{Refusal::receipt_invalid,
                                 "this message was deleted, or handed out to another receiver"}});
                   }
                 },
             },
             load);
}

void QueueBook::want_page(Step& step, QueueId id, Queue& queue) {
  if (!queue.window.wants_page()) return;
  LoadMessagePage load{id, queue.window.begin_load(), queue.window.page_rows_max()};
  step.effects.push_back(std::move(load));
}

void QueueBook::verify() const {
  uint64_t room_bytes = 0;
  for (const auto& [id, queue] : queues_) room_bytes += room_of(id);
  CHECK(room_bytes == room_bytes_);
  for (const auto& [id, queue] : queues_) {
    CHECK(queue.window.size() <= ledger_.queue(id).messages);
    CHECK(queue.waiting.empty() || queue.window.loading());
    for (const auto& [key, bytes] : queue.window.entries()) {
      CHECK(key.queue == id);
      CHECK(queue.window.covers(key));
    }
  }
}

}  // namespace holdfast::core
