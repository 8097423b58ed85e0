// Stories of queues: what a receipt is good for, and for how long.
#include "tests/core/story.h"

namespace holdfast::test {
namespace {

class QueueTest : public testing::Test {
 protected:
  QueueTest() : world_(one_function()) { world_.settle(); }

  void send(const std::string& body, Duration delay = 0s) {
    const Ticket ticket = world_.send("done", body, delay);
    world_.settle();
    EXPECT_NE(world_.answer_as<core::Sent>(ticket), nullptr);
  }
  const std::vector<core::ReceivedMessage>& receive(uint32_t messages_max = 10,
                                                    Duration hidden = 30s) {
    const Ticket ticket = world_.receive("done", messages_max, hidden);
    world_.settle();
    return world_.answer_as<core::Received>(ticket)->messages;
  }
  bool remove(const storage::MessageKey& receipt) {
    const Ticket ticket = world_.remove(receipt);
    world_.settle();
    if (world_.answer_as<core::Deleted>(ticket) != nullptr) return true;
    EXPECT_EQ(refusal(world_, ticket), core::Refusal::receipt_invalid);
    return false;
  }
  const storage::QueueRecord& counts() {
    return world_.core().ledger().queue(*world_.core().ledger().find_queue("done"));
  }

  World world_;
};

TEST_F(QueueTest, AMessageIsHiddenForItsVisibilityTimeoutAndThenComesAgain) {
  send("hello");
  const auto first = receive();
  ASSERT_EQ(first.size(), 1u);
  EXPECT_EQ(first[0].record->body, "hello");
  EXPECT_EQ(first[0].record->receive_count, 1u);
  world_.advance(30s - 1ms);
  EXPECT_TRUE(receive().empty());
  world_.advance(1ms);
  const auto again = receive();
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(again[0].record->receive_count, 2u);
  EXPECT_SOUND(world_);
}

TEST_F(QueueTest, AReceiptIsGoodOnceAndOnlyUntilTheMessageIsHandedOutAgain) {
  send("hello");
  const storage::MessageKey old = receive()[0].key;
  world_.advance(30s);
  const storage::MessageKey fresh = receive()[0].key;
  EXPECT_FALSE(remove(old));
  EXPECT_TRUE(remove(fresh));
  EXPECT_FALSE(remove(fresh));
  EXPECT_EQ(counts().messages, 0u);
  EXPECT_EQ(counts().bytes, 0u);
  EXPECT_SOUND(world_);
}

TEST_F(QueueTest, AReceiptIsStillGoodWhenVisibleAgainButHandedToNobody) {
  send("hello");
  const storage::MessageKey receipt = receive()[0].key;
  world_.advance(1h);
  EXPECT_TRUE(remove(receipt));
}

TEST_F(QueueTest, TwoReceiversAtOnceGetDifferentMessages) {
  send("one");
  send("two");
  const Ticket first = world_.receive("done", 1);
  const Ticket second = world_.receive("done", 10);
  world_.settle();
  ASSERT_EQ(world_.answer_as<core::Received>(first)->messages.size(), 1u);
  ASSERT_EQ(world_.answer_as<core::Received>(second)->messages.size(), 1u);
  EXPECT_NE(world_.answer_as<core::Received>(first)->messages[0].record->body,
            world_.answer_as<core::Received>(second)->messages[0].record->body);
}

TEST_F(QueueTest, AReceiveIsAnsweredWhenItsHidingIsDurable) {
  send("hello");
  const Ticket ticket = world_.receive("done", 1);
  while (!world_.answered(ticket)) {
    const uint64_t before = world_.memory().commit_count();
    if (world_.may_begin_commit()) world_.begin_commit();
    if (world_.may_apply_commit()) world_.apply_commit();
    EXPECT_FALSE(world_.answered(ticket));
    if (world_.may_notice_commit()) world_.notice_commit();
    if (world_.answered(ticket)) {
      EXPECT_GT(world_.memory().commit_count(), before);
    }
    for (size_t kind = 0; kind < kReadKinds; ++kind) {
      if (world_.may_perform_read(kind)) world_.perform_read(kind);
      if (world_.may_deliver_read(kind)) world_.deliver_read(kind);
    }
  }
}

TEST_F(QueueTest, ADelayedMessageIsNotVisibleBeforeItsTime) {
  send("later", 60s);
  EXPECT_TRUE(receive().empty());
  world_.advance(60s);
  EXPECT_EQ(receive().size(), 1u);
}

TEST_F(QueueTest, AQueueLongerThanItsWindowGivesEveryMessageOnceAlsoAfterACrash) {
  for (int n = 0; n < 1300; ++n) world_.send("done", std::to_string(n));
  world_.settle();
  std::set<std::string> bodies;
  for (int n = 0; n < 130; ++n) {
    for (const auto& message : receive(10, 12h)) {
      EXPECT_TRUE(bodies.insert(message.record->body).second);
      if (bodies.size() % 3 == 0) {
        EXPECT_TRUE(remove(message.key));
      }
    }
    if (n == 60) {
      world_.crash(World::InFlight::lost);
      world_.boot();
      world_.settle();
    }
  }
  EXPECT_EQ(bodies.size(), 1300u);
  EXPECT_SOUND(world_);
}

TEST_F(QueueTest, AReceiptOutsideTheWindowIsLookedUp) {
  for (int n = 0; n < 1300; ++n) world_.send("done", std::to_string(n));
  world_.settle();
  const storage::MessageKey receipt = receive(1, 12h)[0].key;  // far behind all others
  EXPECT_TRUE(remove(receipt));
  EXPECT_FALSE(remove(receipt));
  EXPECT_SOUND(world_);
}

TEST_F(QueueTest, AFullQueueRefusesMessagesAndTheEventsThatWouldSendToIt) {
  config::Settings settings = world_.settings();
  settings.queues["done"].bytes_max = 100;
  settings.functions["f"].on_success = "done";
  world_.reload(settings);
  const EventId before = accepted(world_, event_of("cat"));
  send(std::string(100, 'x'));
  const Ticket message = world_.send("done", "one more");
  const Ticket event = world_.submit(event_of("dog"));
  finish(world_, before, core::Succeeded{});  // its record is written all the same
  EXPECT_EQ(refusal(world_, message), core::Refusal::busy);
  EXPECT_EQ(refusal(world_, event), core::Refusal::busy);
  EXPECT_EQ(counts().messages, 2u);
  EXPECT_SOUND(world_);
}

}  // namespace
}  // namespace holdfast::test
