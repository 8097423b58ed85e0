// QueueBook: the local queues. Messages arrive from clients and from endings, are
// handed out for a visibility timeout, and leave when their receiver deletes them.
//
// A message is one row; being received moves it (same seq, next generation, later
// visible_at), and the new key is its receipt. So a receipt is good exactly as long
// as that row stands: fencing needs no further state.
//
// Rule    what is on its way to one caller (a body is being read) is in nobody's
//         window, and a receipt that is being deleted cannot be deleted twice.
// Reason  the row decides, and only one step may erase it.
//
// Rule    A queue is full when its messages have bytes_max. It has room for an attempt
//         while they and all that running attempts may still send are below that.
// Reason  Endings are always written. So a queue exceeds its bound by one message, and
//         by what attempts sent that began while it had room.
//
// Rule    A message is handed out only while its new row leaves the disk above a floor
//         (disk_room.h). Deleting one always works.
// Reason  Handing out writes the body anew; a queue that nobody deletes from would
//         fill the disk by being read.
//
// Threads  the loop's.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "daemon/core/effect.h"
#include "daemon/core/ledger.h"
#include "daemon/core/window.h"
#include "storage/base/time.h"

namespace holdfast::core {

inline constexpr size_t kQueueWindowEntriesMax = 512;
inline constexpr uint32_t kMessagesPerReceiveMax = 10;                // SQS
inline constexpr uint64_t kReceivedBytesMax = 6u << 20;               // of one answer
// For a page of one queue, and of all queues for room.
inline constexpr size_t kReceivesWaitingMax = 1024;
// Bodies on their way from the disk to receivers, in all; further receivers wait.
inline constexpr uint64_t kMovingBytesMax = 8u << 20;

class QueueBook {
 public:
  explicit QueueBook(Ledger& ledger);

  // Gives every configured queue its id; the others keep their messages.
  void configure(const std::map<std::string, config::QueueSettings>& settings);

  bool configured(QueueId queue) const;
  // Its messages hold as much disk as they may.
  bool full(QueueId queue) const;
  uint64_t bytes_max(QueueId queue) const;

  // How far all queues together may still grow.
  uint64_t room_bytes() const { return room_bytes_; }

  // What a running attempt may send there: owed from its start to its end.
  bool has_room(QueueId queue) const;
  void owe(QueueId queue, uint64_t bytes) { queues_.at(queue).owed += bytes; }
  void settle(QueueId queue, uint64_t bytes);
  uint64_t owed(QueueId queue) const { return queues_.at(queue).owed; }
  // True once after messages were deleted: whoever waits for room may have it.
  bool took_messages_out() { return std::exchange(took_messages_out_, false); }

  // Bodies may be written anew up to this many bytes, until told otherwise.
  void set_hand_out_room(uint64_t bytes) { hand_out_room_ = bytes; }

  // Always takes it: whether there is room is asked before, with full().
  Seq send(Step& step, QueueId queue, std::shared_ptr<const storage::MessageRecord> message,
           TimePoint visible_at);

  // Replies with up to messages_max visible ones; with none if none is visible.
  void receive(Step& step, Ticket ticket, QueueId queue, uint32_t messages_max,
               std::optional<Duration> visibility_timeout, const Moment& moment);
  void erase(Step& step, Ticket ticket, const storage::MessageKey& receipt);

  void page_loaded(Step& step, QueueId queue, storage::MessagePage page, const Moment& moment);
  void messages_loaded(Step& step, uint64_t request,
                       std::vector<std::optional<storage::MessageRecord>> messages,
                       const Moment& moment);

  // Receivers that had to wait for room. The bodies of a step stay in memory until it
  // is durable.
  bool can_resume() const { return !held_back_.empty() && moving_bytes_ < kMovingBytesMax; }
  void resume(Step& step, const Moment& moment);
  void durable(StepSeq watermark);

  // Recomputes what can be: every window entry once, none above its bound.
  void verify() const;

 private:
  struct Receive {
    Ticket ticket;
    uint32_t messages_max;
    Duration visibility_timeout;
  };
  struct Queue {
    Window<storage::MessageKey, uint64_t> window{kQueueWindowEntriesMax};  // value: bytes
    std::optional<config::QueueSettings> settings;
    std::deque<Receive> waiting;  // for a page
    uint64_t owed = 0;
  };
  struct Delivery {
    Receive receive;
    std::vector<std::pair<storage::MessageKey, uint64_t>> claimed;
  };
  struct Erasure {
    Ticket ticket;
  };
  using Load = std::variant<Delivery, Erasure>;

  void serve(Step& step, QueueId id, const Receive& receive, const Moment& moment);
  void hand_out(Step& step, QueueId id, const Receive& receive, const Moment& moment);
  void deliver(Step& step, Delivery delivery,
               std::vector<std::optional<storage::MessageRecord>> messages, const Moment& moment);
  void give_back(Step& step, const Delivery& delivery, uint64_t bytes);
  void erase_row(Step& step, Ticket ticket, const storage::MessageKey& key, uint64_t bytes);
  void want_page(Step& step, QueueId id, Queue& queue);
  void count(QueueId id, int64_t messages, int64_t bytes);
  uint64_t room_of(QueueId id) const;

  Ledger& ledger_;
  std::map<QueueId, Queue> queues_;
  std::map<uint64_t, std::pair<Load, std::vector<storage::MessageKey>>> loads_;
  std::set<storage::MessageKey> claimed_;  // being read for a receiver
  std::set<storage::MessageKey> erasing_;  // being looked up for a deletion
  uint64_t next_load_ = 1;
  uint64_t moving_bytes_ = 0;
  uint64_t hand_out_room_ = UINT64_MAX;
  bool took_messages_out_ = false;
  uint64_t room_bytes_ = 0;
  std::deque<std::pair<StepSeq, uint64_t>> moved_;         // of moving_bytes_, not yet durable
  std::deque<std::pair<QueueId, Receive>> held_back_;
};

}  // namespace holdfast::core
