#include "daemon/spawner/spawner.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>

#include <optional>

#include "daemon/spawner/channel.h"
#include "daemon/spawner/launch.h"
#include "daemon/spawner/processes.h"
#include "daemon/spawner/protocol.h"
#include "tests/daemon/loop_support.h"
#include "tests/daemon/process_help.h"

namespace holdfast::spawner {
namespace {

using namespace std::chrono_literals;
using holdfast::testing::eventually;
using holdfast::testing::lives;
using holdfast::testing::TempFolder;

struct Pipe {
  Fd read;
  Fd write;
};
Pipe make_pipe() {
  int ends[2];
  EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  return {Fd{ends[0]}, Fd{ends[1]}};
}

std::string read_to_end(const Fd& fd) {
  std::string text;
  char piece[4096];
  ssize_t count = 0;
  while ((count = ::read(fd.number(), piece, sizeof piece)) > 0) {
    text.append(piece, static_cast<size_t>(count));
  }
  return text;
}

std::string read_line(const Fd& fd) {
  std::string text;
  char byte;
  while (::read(fd.number(), &byte, 1) == 1 && byte != '\n') text += byte;
  return text;
}

Start shell(uint64_t handle, const std::string& script) {
  return {handle, {"/bin/sh", "-c", script}, {"PATH=/usr/bin:/bin"}, "/"};
}

// Says its pid once it is out of the group.
constexpr const char* kEscape = "setsid sh -c 'echo $$; exec sleep 1000' & wait";

// The daemon's side, blocking.
class SpawnerTest : public ::testing::Test {
 protected:
  void SetUp() override { launch(); }
  void TearDown() override {
    if (spawner_.pid != 0) end();
  }

  void launch() {
    Result<Launched> launched = launch_spawner(directory_.path);
    ASSERT_TRUE(launched) << launched.error().what;
    spawner_ = std::move(*launched);
    channel_.emplace(spawner_.socket.number());
  }
  void end() {
    end_spawner(std::move(spawner_));
    spawner_ = Launched{};
  }

  void send(const ToSpawner& message, std::vector<Fd> fds = {}) {
    channel_->send(encode(message), std::move(fds));
    while (channel_->flush() != Channel::Flushed::all) std::this_thread::sleep_for(1ms);
  }

  // Standard input is empty; standard output can be read from what is returned.
  Fd start(const Start& start) {
    Pipe input = make_pipe();
    Pipe output = make_pipe();
    std::vector<Fd> fds;
    fds.push_back(std::move(input.read));
    fds.push_back(std::move(output.write));
    fds.emplace_back(::open("/dev/null", O_WRONLY | O_CLOEXEC));
    send(start, std::move(fds));
    return std::move(output.read);
  }

  // The next message, which has to be of this kind.
  template <class Message>
  Message expect() {
    Packet packet;
    pollfd watched{spawner_.socket.number(), POLLIN, 0};
    EXPECT_EQ(::poll(&watched, 1, 10'000), 1) << "the spawner keeps silent";
    EXPECT_EQ(channel_->receive(packet), Channel::Received::packet);
    const std::optional<ToDaemon> message = decode_to_daemon(packet.bytes);
    if (!message || !std::holds_alternative<Message>(*message)) {
      ADD_FAILURE() << "another message, index " << (message ? message->index() : 99);
      return {};
    }
    return std::get<Message>(*message);
  }

  TempFolder directory_;
  Launched spawner_;
  std::optional<Channel> channel_;
};

TEST_F(SpawnerTest, an_exit_status_is_reported) {
  const Fd output = start(shell(7, "echo hello; exit 3"));
  EXPECT_EQ(expect<Started>().handle, 7u);
  const Ended ended = expect<Ended>();
  EXPECT_EQ(ended.handle, 7u);
  EXPECT_FALSE(ended.by_signal);
  EXPECT_EQ(ended.code, 3);
  EXPECT_FALSE(ended.kill_reached);
  EXPECT_EQ(read_to_end(output), "hello\n");
}

TEST_F(SpawnerTest, a_death_by_signal_is_reported) {
  start(shell(1, "kill -SEGV $$"));
  expect<Started>();
  const Ended ended = expect<Ended>();
  EXPECT_TRUE(ended.by_signal);
  EXPECT_EQ(ended.code, SIGSEGV);
  EXPECT_FALSE(ended.kill_reached);
}

TEST_F(SpawnerTest, a_kill_reaches_the_whole_group_and_says_so) {
  const Fd output = start(shell(1, "sleep 1000 & echo $!; wait"));
  expect<Started>();
  const pid_t grandchild = std::stoi(read_line(output));
  send(Kill{1, SIGTERM});
  const Ended ended = expect<Ended>();
  EXPECT_TRUE(ended.by_signal);
  EXPECT_EQ(ended.code, SIGTERM);
  EXPECT_TRUE(ended.kill_reached);
  EXPECT_FALSE(lives(grandchild));
}

TEST_F(SpawnerTest, a_kill_sent_right_after_its_start_is_not_lost) {
  for (uint64_t handle = 1; handle <= 50; ++handle) {
    start(shell(handle, "exec sleep 1000"));
    send(Kill{handle, SIGTERM});
    expect<Started>();
    EXPECT_EQ(expect<Ended>().code, SIGTERM);
  }
}

TEST_F(SpawnerTest, a_kill_that_comes_too_late_is_not_called_the_cause) {
  start(shell(1, "exit 0"));
  const pid_t pid = expect<Started>().pid;
  // The spawner cannot reap while it is stopped: the kill then meets a zombie.
  ::kill(spawner_.pid, SIGSTOP);
  ASSERT_TRUE(eventually([&] { return !lives(pid); }));
  send(Kill{1, SIGTERM});
  ::kill(spawner_.pid, SIGCONT);
  const Ended ended = expect<Ended>();
  EXPECT_FALSE(ended.by_signal);
  EXPECT_FALSE(ended.kill_reached);
}

TEST_F(SpawnerTest, a_kill_for_nobody_is_nothing) {
  send(Kill{99, SIGKILL});
  start(shell(1, "exit 0"));
  expect<Started>();
  EXPECT_EQ(expect<Ended>().code, 0);
}

TEST_F(SpawnerTest, whatever_is_left_of_a_group_dies_with_its_first_process) {
  const Fd output = start(shell(1, "trap '' TERM; sleep 1000 & echo $!; exit 0"));
  expect<Started>();
  const pid_t grandchild = std::stoi(read_line(output));
  EXPECT_EQ(expect<Ended>().code, 0);
  EXPECT_FALSE(lives(grandchild));
}

TEST_F(SpawnerTest, a_dead_member_that_nobody_reaps_holds_nothing_up) {
  start({1, {"/proc/self/exe", "--leave-a-child-behind"}, {}, "/"});
  expect<Started>();
  EXPECT_EQ(expect<Ended>().code, 0);
}

TEST_F(SpawnerTest, a_handler_gets_what_it_is_given_and_nothing_else) {
  Start start_of_it = shell(1, "");
  start_of_it.argv[2] =
      "pwd; ls /proc/$$/fd; env | grep -v -e ^PWD -e ^SHLVL -e ^_= | sort; read line || echo end;"
      "cut -d' ' -f5 /proc/$$/stat | grep -qx $$ && echo leads";
  start_of_it.environment = {"PATH=/usr/bin:/bin", "COLOUR=red"};
  start_of_it.working_directory = "/usr";
  EXPECT_EQ(read_to_end(start(start_of_it)),
            "/usr\n0\n1\n2\nCOLOUR=red\nPATH=/usr/bin:/bin\nend\nleads\n");
}

TEST_F(SpawnerTest, a_handler_begins_with_no_signal_blocked_or_ignored) {
  // Not by way of a shell, which changes its own mask now and then.
  const Start grep{1, {"/bin/grep", "-e", "SigBlk", "-e", "SigIgn", "/proc/self/status"}, {}, "/"};
  EXPECT_EQ(read_to_end(start(grep)), "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

struct CannotStartCase {
  const char* name;
  std::string program;
  std::string directory;
  std::string reason;
};
class CannotStartTest : public SpawnerTest,
                        public ::testing::WithParamInterface<CannotStartCase> {};

TEST_P(CannotStartTest, is_told_with_its_reason) {
  start({5, {GetParam().program}, {}, GetParam().directory});
  const CannotStart cannot_start = expect<CannotStart>();
  EXPECT_EQ(cannot_start.handle, 5u);
  EXPECT_EQ(cannot_start.reason, GetParam().reason);
  EXPECT_TRUE(children_of(spawner_.pid).empty());
}

INSTANTIATE_TEST_SUITE_P(
    Reasons, CannotStartTest,
    ::testing::Values(
        CannotStartCase{"a_missing_program", "/nowhere/x", "/", "No such file or directory"},
        CannotStartCase{"a_file_that_is_not_executable", "/etc/passwd", "/", "Permission denied"},
        CannotStartCase{"a_directory", "/etc", "/", "Permission denied"},
        CannotStartCase{"a_missing_working_directory", "/bin/true", "/nowhere",
                        "working directory /nowhere: No such file or directory"}),
    [](const auto& each) { return std::string{each.param.name}; });

TEST_F(SpawnerTest, a_start_whose_descriptors_did_not_arrive_cannot_start) {
  std::vector<Fd> fds;
  fds.emplace_back(::open("/dev/null", O_RDWR | O_CLOEXEC));
  send(shell(1, "exit 0"), std::move(fds));
  EXPECT_EQ(expect<CannotStart>().reason, "Too many open files");
}

TEST_F(SpawnerTest, an_escaped_grandchild_dies_when_the_daemon_goes) {
  const Fd output = start(shell(1, kEscape));
  expect<Started>();
  const pid_t escaped = std::stoi(read_line(output));
  send(Kill{1, SIGTERM});
  expect<Ended>();
  EXPECT_TRUE(lives(escaped));
  end();
  EXPECT_FALSE(lives(escaped));
}

TEST_F(SpawnerTest, escaped_generations_die_to_the_last_when_the_daemon_goes) {
  const Fd output = start(shell(
      1, "setsid sh -c 'trap \"\" TERM HUP; setsid sh -c \"echo \\$\\$; sleep 1000; :\"; :'; :"));
  expect<Started>();
  const pid_t innermost = std::stoi(read_line(output));
  end();
  EXPECT_FALSE(lives(innermost));
}

TEST_F(SpawnerTest, what_a_dead_daemon_had_queued_is_not_started) {
  ::kill(spawner_.pid, SIGSTOP);
  const std::string trace = directory_.path + "/trace";
  // Enough that the first would come to write while the last are forked.
  for (uint64_t handle = 1; handle <= 60; ++handle) start(shell(handle, "echo ran > " + trace));
  spawner_.socket.reset();
  ::kill(spawner_.pid, SIGCONT);
  end();
  EXPECT_FALSE(std::filesystem::exists(trace));
}

TEST_F(SpawnerTest, signals_that_ask_it_to_end_are_not_heard) {
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE}) {
    ::kill(spawner_.pid, signal);
  }
  start(shell(1, "exit 4"));
  expect<Started>();
  EXPECT_EQ(expect<Ended>().code, 4);
}

TEST_F(SpawnerTest, first_processes_die_with_a_spawner_that_is_killed) {
  start(shell(1, "exec sleep 1000"));
  const pid_t handler = expect<Started>().pid;
  EXPECT_TRUE(lives(handler));
  ::kill(spawner_.pid, SIGKILL);
  EXPECT_TRUE(eventually([&] { return !lives(handler); }));
}

TEST_F(SpawnerTest, bytes_that_are_no_message_end_it_and_its_handlers) {
  start(shell(1, "exec sleep 1000"));
  const pid_t handler = expect<Started>().pid;
  channel_->send("nonsense");
  ASSERT_EQ(channel_->flush(), Channel::Flushed::all);
  EXPECT_TRUE(eventually([&] { return !lives(spawner_.pid); }));
  EXPECT_FALSE(lives(handler));
}

TEST_F(SpawnerTest, a_crowd_of_starts_with_nobody_reading_is_served_whole) {
  constexpr uint64_t kStarts = 300;
  Start start_of_it = shell(0, "exit 0");
  start_of_it.environment.push_back("FILL=" + std::string(60u << 10, 'x'));
  for (uint64_t handle = 1; handle <= kStarts; ++handle) {
    start_of_it.handle = handle;
    start(start_of_it);
  }
  size_t ended = 0;
  Packet packet;
  ASSERT_TRUE(eventually([&] {
    while (channel_->receive(packet) == Channel::Received::packet) {
      const std::optional<ToDaemon> message = decode_to_daemon(packet.bytes);
      if (message && std::holds_alternative<Ended>(*message)) ++ended;
    }
    return ended == kStarts;
  })) << ended;
}

TEST_F(SpawnerTest, the_lock_names_the_spawner_in_the_way) {
  const Result<Launched> second = launch_spawner(directory_.path);  // waits ten seconds
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::refused);
  EXPECT_NE(second.error().what.find("handlers of an earlier daemon still run under pid " +
                                     std::to_string(spawner_.pid)),
            std::string::npos)
      << second.error().what;
  std::ifstream file{directory_.path + "/handlers.lock"};
  pid_t written = 0;
  file >> written;
  EXPECT_EQ(written, spawner_.pid);
}

TEST_F(SpawnerTest, the_next_spawner_waits_until_the_last_has_killed_everything) {
  const Fd output = start(shell(1, kEscape));
  expect<Started>();
  const pid_t escaped = std::stoi(read_line(output));
  ::kill(spawner_.pid, SIGSTOP);  // so that the lock is surely held at first
  const pid_t first = spawner_.pid;
  spawner_.socket.reset();
  std::jthread later{[first] {
    std::this_thread::sleep_for(200ms);
    ::kill(first, SIGCONT);
  }};
  Result<Launched> second = launch_spawner(directory_.path);
  ASSERT_TRUE(second) << second.error().what;
  EXPECT_FALSE(lives(escaped));
  end();
  end_spawner(std::move(*second));
}

TEST(Launch, a_state_directory_that_is_not_there_is_named) {
  const Result<Launched> launched = launch_spawner("/nowhere/at/all");
  ASSERT_FALSE(launched);
  EXPECT_EQ(launched.error().what, "/nowhere/at/all/handlers.lock: No such file or directory");
}

TEST(Launch, a_program_that_is_no_spawner_is_an_error_not_a_hang) {
  const TempFolder directory;
  EXPECT_FALSE(launch_spawner(directory.path, {.path = "/nowhere/x"}));
  EXPECT_FALSE(launch_spawner(directory.path, {.path = "/bin/true"}));
}

TEST(Launch, the_spawner_keeps_no_descriptor_of_the_daemon) {
  const TempFolder directory;
  const Fd inheritable{::open("/etc/passwd", O_RDONLY)};
  const Fd far_up{::fcntl(inheritable.number(), F_DUPFD, 500)};
  Result<Launched> launched = launch_spawner(directory.path);
  ASSERT_TRUE(launched);
  const std::string fds = "/proc/" + std::to_string(launched->pid) + "/fd";
  for (const auto& entry : std::filesystem::directory_iterator{fds}) {
    EXPECT_NE(std::filesystem::read_symlink(entry.path()), "/etc/passwd");
  }
  end_spawner(std::move(*launched));
}

// --- messages ------------------------------------------------------------------

const std::vector<ToSpawner> kToSpawner{
    Start{1, {"/bin/x", "", "a b"}, {"A=1", "B="}, "/tmp"},
    Start{UINT64_MAX, {"/x"}, {}, ""},
    Kill{3, SIGTERM},
};
const std::vector<ToDaemon> kToDaemon{
    Ready{},
    Locked{4711},
    NotReady{"no room"},
    Started{9, 123},
    CannotStart{9, ""},
    Ended{9, true, 15, true},
    Ended{9, false, 255, false},
};

// Equal bytes mean equal messages, since each field has its place in them.
TEST(Protocol, what_is_encoded_is_decoded_again) {
  for (const ToSpawner& message : kToSpawner) {
    const std::optional<ToSpawner> decoded = decode_to_spawner(encode(message));
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded->index(), message.index());
    EXPECT_EQ(encode(*decoded), encode(message));
  }
  for (const ToDaemon& message : kToDaemon) {
    const std::optional<ToDaemon> decoded = decode_to_daemon(encode(message));
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded->index(), message.index());
    EXPECT_EQ(encode(*decoded), encode(message));
  }
  const Start start = std::get<Start>(*decode_to_spawner(encode(kToSpawner.front())));
  EXPECT_EQ(start.handle, 1u);
  EXPECT_EQ(start.argv, (std::vector<std::string>{"/bin/x", "", "a b"}));
  EXPECT_EQ(start.environment, (std::vector<std::string>{"A=1", "B="}));
  EXPECT_EQ(start.working_directory, "/tmp");
}

TEST(Protocol, a_message_cut_short_or_with_a_tail_is_none) {
  for (const ToSpawner& message : kToSpawner) {
    const std::string bytes = encode(message);
    for (size_t n = 0; n < bytes.size(); ++n) {
      EXPECT_FALSE(decode_to_spawner(bytes.substr(0, n)));
    }
    EXPECT_FALSE(decode_to_spawner(bytes + "x"));
  }
  for (const ToDaemon& message : kToDaemon) {
    const std::string bytes = encode(message);
    for (size_t n = 0; n < bytes.size(); ++n) EXPECT_FALSE(decode_to_daemon(bytes.substr(0, n)));
    EXPECT_FALSE(decode_to_daemon(bytes + "x"));
  }
}

TEST(Protocol, a_start_without_a_program_is_no_message) {
  EXPECT_FALSE(decode_to_spawner(encode(Start{1, {}, {}, "/"})));
}

TEST(ChannelTest, a_packet_at_the_limit_passes) {
  Result<SocketPair> pair = make_socket_pair();
  ASSERT_TRUE(pair);
  Channel from{pair->here.number()};
  Channel to{pair->there.number()};
  from.send(std::string(kMessageBytesMax, 'x'));
  ASSERT_EQ(from.flush(), Channel::Flushed::all);
  Packet packet;
  ASSERT_EQ(to.receive(packet), Channel::Received::packet);
  EXPECT_EQ(packet.bytes, std::string(kMessageBytesMax, 'x'));
}

TEST(ChannelDeathTest, a_packet_over_the_limit_is_our_bug) {
  Result<SocketPair> pair = make_socket_pair();
  ASSERT_TRUE(pair);
  Channel channel{pair->here.number()};
  EXPECT_DEATH(channel.send(std::string(kMessageBytesMax + 1, 'x')), "CHECK");
}

TEST(ChannelTest, packets_wait_in_order_while_the_socket_is_full) {
  Result<SocketPair> pair = make_socket_pair();
  ASSERT_TRUE(pair);
  Channel from{pair->here.number()};
  Channel to{pair->there.number()};
  constexpr char kPackets = 100;
  for (char n = 0; n < kPackets; ++n) from.send(std::string(kMessageBytesMax, n));
  EXPECT_EQ(from.flush(), Channel::Flushed::until_writable);
  Packet packet;
  char expected = 0;
  while (expected < kPackets) {
    ASSERT_EQ(to.receive(packet), Channel::Received::packet);
    EXPECT_EQ(packet.bytes.front(), expected++);
    from.flush();
  }
  EXPECT_EQ(from.flush(), Channel::Flushed::all);
}

TEST(ChannelTest, what_had_arrived_is_read_before_the_end_is_told) {
  Result<SocketPair> pair = make_socket_pair();
  ASSERT_TRUE(pair);
  Channel here{pair->here.number()};
  Channel there{pair->there.number()};
  here.send("unread");  // makes the kernel tell a reset
  ASSERT_EQ(here.flush(), Channel::Flushed::all);
  there.send("last words");
  ASSERT_EQ(there.flush(), Channel::Flushed::all);
  pair->there.reset();
  Packet packet;
  ASSERT_EQ(here.receive(packet), Channel::Received::packet);
  EXPECT_EQ(packet.bytes, "last words");
  EXPECT_EQ(here.receive(packet), Channel::Received::closed);
}

}  // namespace
}  // namespace holdfast::spawner
