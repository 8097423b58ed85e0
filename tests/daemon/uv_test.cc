// The wrappers of libuv, on real sockets and pipes, with the test on both ends.
#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>

#include "daemon/uv/async.h"
#include "daemon/uv/listener.h"
#include "daemon/uv/prepare.h"
#include "daemon/uv/signal.h"
#include "daemon/uv/stream.h"
#include "tests/daemon/loop_support.h"

namespace holdfast::uv {
namespace {

using namespace std::chrono_literals;
using holdfast::testing::connect_to;
using holdfast::testing::pair_of_sockets;
using holdfast::testing::read_all;
using holdfast::testing::run_for;
using holdfast::testing::run_until;
using holdfast::testing::send_all;
using holdfast::testing::TempFolder;

// A megabyte is more than any socket or pipe buffer takes at once.
const std::string kMegabyte(1u << 20, 'x');

std::unique_ptr<Stream> adopted(Loop& loop, int fd) {
  Result<std::unique_ptr<Stream>> stream = Stream::adopt(loop, fd);
  CHECK(bool{stream});
  return std::move(*stream);
}

TEST(Loop, StopEndsRunAndItMayRunAgain) {
  Loop loop;
  int fired = 0;
  Timer timer{loop, [&] {
                ++fired;
                loop.stop();
              }};
  timer.arm(1ms);
  loop.run();
  timer.arm(1ms);
  loop.run();
  EXPECT_EQ(fired, 2);
}

TEST(Loop, HasEventsFromTheirArrivalUntilTheyAreServed) {
  Loop loop;
  auto [ours, theirs] = pair_of_sockets();
  const std::unique_ptr<Stream> stream = adopted(loop, ours);
  bool served = false;
  stream->read_start([&](std::string_view) { served = true; }, [](bool) {});
  run_for(loop, 1ms);
  EXPECT_FALSE(loop.has_events());
  send_all(theirs, "x");
  EXPECT_TRUE(loop.has_events());
  run_until(loop, [&] { return served; });
  EXPECT_FALSE(loop.has_events());
  ::close(theirs);
}

TEST(Timer, FiresOnceAndNotEarly) {
  Loop loop;
  int fired = 0;
  Timer timer{loop, [&] { ++fired; }};
  // The loop's cached time is old by now; the delay must not be counted from it.
  std::this_thread::sleep_for(30ms);
  const auto armed_at = loop.monotonic();
  timer.arm(20ms);
  EXPECT_TRUE(timer.armed());
  ASSERT_TRUE(run_until(loop, [&] { return fired > 0; }));
  EXPECT_GE(loop.monotonic() - armed_at, 19ms);
  EXPECT_FALSE(timer.armed());
  run_for(loop, 50ms);
  EXPECT_EQ(fired, 1);
}

TEST(Timer, DisarmedOrDestroyedNeverFires) {
  Loop loop;
  Timer disarmed{loop, [] { FAIL(); }};
  disarmed.arm(1ms);
  disarmed.disarm();
  auto destroyed = std::make_unique<Timer>(loop, [] { FAIL(); });
  destroyed->arm(1ms);
  destroyed.reset();
  run_for(loop, 20ms);
}

TEST(Timer, MayBeDestroyedByItsOwnCallback) {
  Loop loop;
  std::unique_ptr<Timer> timer;
  bool fired = false;
  // The string lives in the function object: gone too early, a sanitizer sees it.
  timer = std::make_unique<Timer>(loop, [&, text = std::string(100, 'a')] {
    timer.reset();
    fired = text.size() == 100;
  });
  timer->arm(0ms);
  ASSERT_TRUE(run_until(loop, [&] { return fired; }));
}

TEST(Async, WakesFromAnotherThreadAndLosesNoFact) {
  Loop loop;
  std::atomic<int> sent = 0;
  int seen = 0;
  int calls = 0;
  Async async{loop, [&] {
                seen = sent.load();
                ++calls;
              }};
  std::thread sender{[&] {
    for (int n = 0; n < 1000; ++n) {
      ++sent;
      async.wake();
    }
  }};
  EXPECT_TRUE(run_until(loop, [&] { return seen == 1000; }));
  sender.join();
  EXPECT_LE(calls, 1000);
}

TEST(Signal, IsReportedOnTheLoop) {
  Loop loop;
  int caught = 0;
  Signal signal{loop, SIGHUP, [&] { ++caught; }};
  std::raise(SIGHUP);
  EXPECT_TRUE(run_until(loop, [&] { return caught == 1; }));
}

TEST(Prepare, IsCalledOnceAfterAllThatOneTurnBrought) {
  Loop loop;
  std::string order;
  Prepare prepare{loop, [&] { order += 'p'; }};
  Timer first{loop, [&] { order += '1'; }};
  Timer second{loop, [&] { order += '2'; }};
  first.arm(0ms);
  second.arm(0ms);
  ASSERT_TRUE(run_until(loop, [&] { return order.size() >= 3; }));
  EXPECT_NE(order.find("12p"), std::string::npos) << order;
}

TEST(Poll, ReportsWhatIsAskedForAndStopsWhenTold) {
  Loop loop;
  auto [ours, theirs] = pair_of_sockets();
  int readable_count = 0;
  int writable_count = 0;
  {
    Poll poll{loop, ours, [&](bool readable, bool writable) {
                readable_count += readable;
                writable_count += writable;
              }};
    poll.watch(true, false);
    run_for(loop, 10ms);
    EXPECT_EQ(readable_count, 0);
    send_all(theirs, "x");
    // Reported again each turn while it is not read.
    EXPECT_TRUE(run_until(loop, [&] { return readable_count >= 2; }));
    EXPECT_EQ(writable_count, 0);
    poll.watch(false, true);
    EXPECT_TRUE(run_until(loop, [&] { return writable_count > 0; }));
    poll.watch(false, false);
    const int before = readable_count + writable_count;
    run_for(loop, 10ms);
    EXPECT_EQ(readable_count + writable_count, before);
  }
  close(ours);
  close(theirs);
}

TEST(Stream, CarriesBytesBothWaysAndReportsACleanEnd) {
  Loop loop;
  auto [ours, theirs] = pair_of_sockets();
  auto stream = adopted(loop, ours);
  std::string got;
  std::optional<bool> ended;
  stream->read_start([&](std::string_view bytes) { got += bytes; },
                     [&](bool clean) { ended = clean; });
  send_all(theirs, "question");
  ASSERT_TRUE(run_until(loop, [&] { return got == "question"; }));
  stream->write("answer");
  EXPECT_EQ(stream->bytes_unwritten(), 0u);
  char buffer[16];
  EXPECT_EQ(read(theirs, buffer, sizeof buffer), 6);
  close(theirs);
  ASSERT_TRUE(run_until(loop, [&] { return ended.has_value(); }));
  EXPECT_TRUE(*ended);
  EXPECT_EQ(stream->peer().pid, getpid());
  EXPECT_EQ(stream->peer().uid, getuid());
}

TEST(Stream, WritesInOrderWhatTheOtherEndIsSlowToRead) {
  Loop loop;
  auto [ours, theirs] = pair_of_sockets();
  auto stream = adopted(loop, ours);
  bool drained = false;
  stream->on_drained([&] { drained = true; });
  const auto shared = std::make_shared<const std::string>("shared");
  stream->write(kMegabyte);
  EXPECT_GT(stream->bytes_unwritten(), 0u);
  stream->write_shared(shared);
  stream->write("end");
  EXPECT_EQ(shared.use_count(), 2) << "a shared payload must not be copied";

  std::string got;
  std::thread reader{[&, fd = theirs] { got = read_all(fd, kMegabyte.size() + 9); }};
  EXPECT_TRUE(run_until(loop, [&] { return drained; }));
  reader.join();
  EXPECT_EQ(stream->bytes_unwritten(), 0u);
  EXPECT_EQ(got.substr(kMegabyte.size()), "sharedend");
  EXPECT_EQ(shared.use_count(), 1);
  close(theirs);
}

TEST(Stream, WritingOutLeavesTheMemoryIfTheSocketTookAll) {
  Loop loop;
  auto [ours, theirs] = pair_of_sockets();
  auto stream = adopted(loop, ours);
  std::string bytes(100, 'y');
  const char* memory = bytes.data();
  stream->write_out(bytes);
  EXPECT_TRUE(bytes.empty());
  bytes.assign(100, 'z');
  EXPECT_EQ(bytes.data(), memory);
  stream->write_out(bytes);
  bytes = kMegabyte;
  stream->write_out(bytes);
  EXPECT_TRUE(bytes.empty());
  EXPECT_GT(stream->bytes_unwritten(), 0u);
  std::string got;
  std::thread reader{[&, fd = theirs] { got = read_all(fd, kMegabyte.size() + 200); }};
  EXPECT_TRUE(run_until(loop, [&] { return stream->bytes_unwritten() == 0; }));
  reader.join();
  EXPECT_EQ(got, std::string(100, 'y') + std::string(100, 'z') + kMegabyte);
  close(theirs);
}

TEST(Stream, ReadStopKeepsTheRestInTheSocket) {
  Loop loop;
  auto [ours, theirs] = pair_of_sockets();
  auto stream = adopted(loop, ours);
  std::string got;
  stream->read_start(
      [&](std::string_view bytes) {
        got += bytes;
        stream->read_stop();
      },
      nullptr);
  send_all(theirs, "one");
  ASSERT_TRUE(run_until(loop, [&] { return got == "one"; }));
  send_all(theirs, "two");
  run_for(loop, 20ms);
  EXPECT_EQ(got, "one");
  stream->read_resume();
  EXPECT_TRUE(run_until(loop, [&] { return got == "onetwo"; }));
  close(theirs);
}

TEST(Stream, AFailedWriteEndsItFromTheLoopNeverFromInside) {
  Loop loop;
  auto [ours, theirs] = pair_of_sockets();
  auto stream = adopted(loop, ours);
  std::optional<bool> ended;
  stream->on_end([&](bool clean) { ended = clean; });
  close(theirs);
  stream->write("into the void");
  EXPECT_FALSE(ended.has_value());
  ASSERT_TRUE(run_until(loop, [&] { return ended.has_value(); }));
  EXPECT_FALSE(*ended);
  stream->write("dropped in silence");
}

TEST(Stream, NothingIsReadAfterTheEnd) {
  Loop loop;
  auto [ours, theirs] = pair_of_sockets();
  auto stream = adopted(loop, ours);
  bool ended = false;
  // Reads are possible still; only the other end's reading side is shut.
  ASSERT_EQ(shutdown(theirs, SHUT_RD), 0);
  stream->read_start([](std::string_view) { FAIL(); }, [&](bool) { ended = true; });
  stream->write("refused");
  ASSERT_TRUE(run_until(loop, [&] { return ended; }));
  send_all(theirs, "too late");
  run_for(loop, 20ms);
  close(theirs);
}

TEST(Stream, CloseAfterWritesGivesAPipeAllBytesThenItsEnd) {
  Loop loop;
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  auto stream = adopted(loop, ends[1]);
  stream->write_shared(std::make_shared<const std::string>(kMegabyte));
  stream->close_after_writes();
  stream->write("too late");
  std::optional<size_t> got;
  std::atomic<bool> done = false;
  std::thread reader{[&] {
    got = read_all(ends[0], 2 * kMegabyte.size()).size();  // until end of file
    done = true;
  }};
  EXPECT_TRUE(run_until(loop, [&] { return done.load(); }));
  reader.join();
  EXPECT_EQ(*got, kMegabyte.size());
  close(ends[0]);
}

TEST(Stream, MayBeDestroyedByItsOwnCallbackWithWritesPending) {
  Loop loop;
  auto [ours, theirs] = pair_of_sockets();
  auto stream = adopted(loop, ours);
  bool destroyed = false;
  stream->read_start(
      [&, text = std::string(100, 'a')](std::string_view) {
        stream->write(kMegabyte);
        stream.reset();
        destroyed = text.size() == 100;
      },
      [](bool) { FAIL(); });
  send_all(theirs, "x");
  EXPECT_TRUE(run_until(loop, [&] { return destroyed; }));
  run_for(loop, 5ms);
  close(theirs);
}

TEST(Stream, RefusesADescriptorThatCannotBeOne) {
  Loop loop;
  EXPECT_FALSE(Stream::adopt(loop, -1));
}

class ListenerTest : public ::testing::Test {
 protected:
  Result<std::unique_ptr<Listener>> listen(uint32_t mode = 0600, const std::string& group = "") {
    return Listener::listen(loop_, path_, mode, group, [this](std::unique_ptr<Stream> client) {
      clients_.push_back(std::move(client));
    });
  }

  TempFolder folder_;
  std::string path_ = folder_.path + "/socket";
  Loop loop_;
  std::vector<std::unique_ptr<Stream>> clients_;
};

TEST_F(ListenerTest, HandsOutConnectionsWithTheirPeerAndRemovesItsFile) {
  {
    auto listener = listen(0620);
    ASSERT_TRUE(listener) << listener.error().what;
    struct stat found {};
    ASSERT_EQ(stat(path_.c_str(), &found), 0);
    EXPECT_EQ(found.st_mode & 0777, 0620u);
    const int client = connect_to(path_);
    ASSERT_TRUE(run_until(loop_, [&] { return clients_.size() == 1; }));
    EXPECT_EQ(clients_[0]->peer().pid, getpid());
    EXPECT_EQ(clients_[0]->peer().gid, getgid());
    close(client);
  }
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(ListenerTest, APathOf107BytesIsTheLongest) {
  path_ = folder_.path + "/" + std::string(kSocketPathBytesMax - folder_.path.size() - 1, 's');
  ASSERT_EQ(path_.size(), kSocketPathBytesMax);
  auto longest = listen();
  ASSERT_TRUE(longest) << longest.error().what;
  const int client = connect_to(path_);
  EXPECT_TRUE(run_until(loop_, [&] { return clients_.size() == 1; }));
  close(client);

  path_ += 's';
  auto longer = listen();
  ASSERT_FALSE(longer);
  EXPECT_EQ(longer.error().code, Errc::invalid);
}

TEST_F(ListenerTest, TwoOnOnePathIsAnErrorNamingIt) {
  auto first = listen();
  ASSERT_TRUE(first);
  auto second = listen();
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::refused);
  EXPECT_NE(second.error().what.find(path_), std::string::npos) << second.error().what;
  // The attempt must not have harmed the first one.
  const int client = connect_to(path_);
  EXPECT_TRUE(run_until(loop_, [&] { return clients_.size() >= 1; }));
  close(client);
}

TEST_F(ListenerTest, AnAbandonedSocketIsReplaced) {
  const int dead = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_un address = holdfast::testing::address_of(path_);
  ASSERT_EQ(bind(dead, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  close(dead);
  ASSERT_TRUE(std::filesystem::exists(path_));
  auto listener = listen();
  EXPECT_TRUE(listener) << listener.error().what;
}

TEST_F(ListenerTest, AFileThatIsNoSocketIsLeftAlone) {
  std::ofstream{path_} << "precious";
  auto listener = listen();
  ASSERT_FALSE(listener);
  EXPECT_NE(listener.error().what.find("not a socket"), std::string::npos);
  EXPECT_EQ(std::filesystem::file_size(path_), 8u);
}

TEST_F(ListenerTest, AnUnknownGroupIsNamedAndNothingIsLeftBehind) {
  auto listener = listen(0660, "no-such-group-here");
  ASSERT_FALSE(listener);
  EXPECT_NE(listener.error().what.find("no-such-group-here"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(ListenerTest, TheGroupAskedForOwnsTheSocket) {
  // Root may give files to any group, everybody else to their own.
  const gid_t gid = geteuid() == 0 ? 1 : getgid();
  const group* entry = getgrgid(gid);
  if (entry == nullptr) GTEST_SKIP() << "group " << gid << " has no name here";
  auto listener = listen(0660, entry->gr_name);
  ASSERT_TRUE(listener) << listener.error().what;
  struct stat found {};
  ASSERT_EQ(stat(path_.c_str(), &found), 0);
  EXPECT_EQ(found.st_gid, gid);
  EXPECT_EQ(found.st_mode & 0777, 0660u);
}

TEST_F(ListenerTest, AMissingFolderIsAnError) {
  path_ = folder_.path + "/missing/socket";
  auto listener = listen();
  ASSERT_FALSE(listener);
  EXPECT_NE(listener.error().what.find(path_), std::string::npos);
}

TEST_F(ListenerTest, LeavesTheFileOfASuccessorAlone) {
  auto listener = listen();
  ASSERT_TRUE(listener);
  ASSERT_EQ(unlink(path_.c_str()), 0);
  std::ofstream{path_} << "somebody else's";
  *listener = nullptr;
  EXPECT_TRUE(std::filesystem::exists(path_));
}

TEST_F(ListenerTest, WithoutDescriptorsItRestsAndThenServesThoseWhoWaited) {
  auto listener = listen();
  ASSERT_TRUE(listener);
  const int client = connect_to(path_);

  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const int lowest_free = dup(client);
  close(lowest_free);
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(lowest_free);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  uint64_t turns = 0;
  {
    Prepare count{loop_, [&] { ++turns; }};
    run_for(loop_, 250ms);
  }
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_TRUE(clients_.empty());
  EXPECT_LT(turns, 20u) << "it must not spin";
  EXPECT_TRUE(run_until(loop_, [&] { return clients_.size() == 1; }));
  close(client);
}

}  // namespace
}  // namespace holdfast::uv
