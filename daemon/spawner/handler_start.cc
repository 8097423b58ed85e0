#include "daemon/spawner/handler_start.h"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <utility>

#include "storage/base/check.h"

// For all that runs in the child: what a sanitizer would add is no child's.
#define HOLDFAST_IN_CHILD __attribute__((no_sanitize("address", "undefined", "thread")))

// The C library's clone() by its other name, which no sanitizer takes the place of: what they
// do in a child needs memory of its own.
extern "C" int __clone(int (*function)(void*), void* stack, int flags, void* argument, ...);

namespace holdfast::spawner {
namespace {

constexpr size_t kStackBytes = 16u << 10;  // of a few calls, none of them the C library's
constexpr size_t kSignalSetBytes = 8;      // the kernel's

// The result, or minus the error, as the kernel gives it: errno is the other thread's.
#if defined(__x86_64__)
constexpr int kWaitForExec = 0;
HOLDFAST_IN_CHILD inline long kernel(long number, long one = 0, long two = 0, long three = 0,
                                     long four = 0) {
  long result;
  register long fourth asm("r10") = four;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(one), "S"(two), "d"(three), "r"(fourth)
               : "rcx", "r11", "memory");
  return result;
}
#elif defined(__aarch64__)
constexpr int kWaitForExec = 0;
HOLDFAST_IN_CHILD inline long kernel(long number, long one = 0, long two = 0, long three = 0,
                                     long four = 0) {
  register long called asm("x8") = number;
  register long first asm("x0") = one;
  register long second asm("x1") = two;
  register long third asm("x2") = three;
  register long fourth asm("x3") = four;
  asm volatile("svc 0"
               : "+r"(first)
               : "r"(called), "r"(second), "r"(third), "r"(fourth)
               : "memory");
  return first;
}
#else
// Who says here how the processor enters the kernel need not wait.
constexpr int kWaitForExec = CLONE_VFORK;
HOLDFAST_IN_CHILD inline long kernel(long number, long one = 0, long two = 0, long three = 0,
                                     long four = 0) {
  const long result = ::syscall(number, one, two, three, four);
  return result < 0 ? -errno : result;
}
#endif

HOLDFAST_IN_CHILD inline long address(const void* what) { return reinterpret_cast<long>(what); }

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

// What the child reads, where it says why it gave up, and its stack.
struct HandlerStart::Block {
  enum class Step { descriptors, directory, exec };

  explicit Block(Start the_start)
      : start(std::move(the_start)),
        argv_texts(pointers(start.argv)),
        environment_texts(pointers(start.environment)) {
    argv = argv_texts.data();
    environment = environment_texts.data();
    directory = start.working_directory.c_str();
  }

  const Start start;
  std::vector<char*> argv_texts;
  std::vector<char*> environment_texts;

  char** argv;
  char** environment;
  const char* directory;
  pid_t spawner = ::getpid();
  int stdio[kHandlerFds] = {};

  // Cleared by the kernel when the child has left this memory.
  std::atomic<pid_t> shared{1};
  int error = 0;
  Step failed = Step::exec;

  alignas(16) std::array<std::byte, kStackBytes> stack;

  [[noreturn]] void give_up(Step step, long result);
  [[noreturn]] void become_handler();
  static int run(void* block);
};

HOLDFAST_IN_CHILD void HandlerStart::Block::give_up(Step step, long result) {
  failed = step;
  error = static_cast<int>(-result);
  for (;;) kernel(SYS_exit_group, kCannotExecStatus);
}

HOLDFAST_IN_CHILD void HandlerStart::Block::become_handler() {
  kernel(SYS_setpgid, 0, 0);
  for (long n = 0; n < static_cast<long>(kHandlerFds); ++n) {
    if (const long result = kernel(SYS_dup3, stdio[n], n, 0); result < 0) {
      give_up(Step::descriptors, result);
    }
  }
  kernel(SYS_close_range, STDERR_FILENO + 1, ~0u, 0);
  if (const long result = kernel(SYS_chdir, address(directory)); result < 0) {
    give_up(Step::directory, result);
  }
  const uint64_t none = 0;
  kernel(SYS_rt_sigprocmask, SIG_SETMASK, address(&none), 0, kSignalSetBytes);

  // Last, because nothing in between may clear it; and asked after, because a spawner
  // that died before this line sends nothing any more.
  kernel(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL);
  if (kernel(SYS_getppid) != spawner) give_up(Step::exec, 0);
  give_up(Step::exec, kernel(SYS_execve, address(argv[0]), address(argv), address(environment)));
}

HOLDFAST_IN_CHILD int HandlerStart::Block::run(void* block) {
  static_cast<Block*>(block)->become_handler();
}

Result<HandlerStart> HandlerStart::begin(Start start, std::vector<Fd> stdio) {
  if (stdio.size() != kHandlerFds) return Error{Errc::full, std::strerror(EMFILE)};
  HandlerStart begun{std::make_unique<Block>(std::move(start))};
  Block& block = *begun.block_;
  for (size_t n = 0; n < kHandlerFds; ++n) block.stdio[n] = stdio[n].number();

  static_assert(sizeof block.shared == sizeof(pid_t) && std::atomic<pid_t>::is_always_lock_free);
  begun.pid_ = ::__clone(Block::run, block.stack.data() + block.stack.size(),
                         CLONE_VM | CLONE_CHILD_CLEARTID | kWaitForExec | SIGCHLD, &block, nullptr,
                         nullptr, &block.shared);
  if (begun.pid_ < 0) {
    const int error = errno;
    block.shared = 0;
    return Error{Errc::full, std::strerror(error)};
  }
  // Both sides make the group, so that it exists whoever of them runs first. This call
  // fails once the child has made the exec, and then it need not succeed.
  ::setpgid(begun.pid_, begun.pid_);
  return begun;
}

HandlerStart::HandlerStart(std::unique_ptr<Block> block) : block_(std::move(block)) {}
HandlerStart::HandlerStart(HandlerStart&&) noexcept = default;

HandlerStart::~HandlerStart() {
  if (block_ != nullptr && !over()) static_cast<void>(block_.release());
}

void HandlerStart::child_died() { block_->shared.store(0, std::memory_order_release); }

bool HandlerStart::over() const { return block_->shared.load(std::memory_order_acquire) == 0; }

std::string HandlerStart::failure() const {
  CHECK(over());
  if (block_->error == 0) return {};
  const std::string reason = std::strerror(block_->error);
  if (block_->failed != Block::Step::directory) return reason;
  return "working directory " + block_->start.working_directory + ": " + reason;
}

}  // namespace holdfast::spawner
