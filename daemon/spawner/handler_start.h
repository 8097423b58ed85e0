// Turns a child of this process into a handler: the part of a start that runs between
// clone and exec.
//
//    Result<HandlerStart> begun = HandlerStart::begin(std::move(start), std::move(stdio));
//    ...
//    if (begun->over() && begun->failure().empty()) ...   // the program runs
//
// Rule    Until its exec the child runs in our memory, on a stack of its own.
// Reason  A fork copies the page tables of all that this program is linked with, for a
//         child that wants none of it: six times the cost of this.
//
// Rule    This process goes on meanwhile, unlike after a vfork.
// Reason  A slow disk under one program must hold up no other handler.
//
// Rule    So the child calls nothing of the C library and writes to nothing but its own
//         block.
// Reason  It shares errno, and all else, with a thread that runs.
//
// Ownership  what the child stands on. Destroyed before over(), it leaves that behind.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "daemon/spawner/fd.h"
#include "daemon/spawner/protocol.h"
#include "storage/base/result.h"

namespace holdfast::spawner {

class HandlerStart {
 public:
  // The caller has every signal blocked and none ignored, and descriptors 0, 1 and 2 open.
  // `stdio` holds standard input, output and error of the handler. An error when there is
  // no child.
  static Result<HandlerStart> begin(Start start, std::vector<Fd> stdio);

  HandlerStart(HandlerStart&&) noexcept;
  HandlerStart& operator=(HandlerStart&&) = delete;
  ~HandlerStart();

  pid_t pid() const { return pid_; }  // leads its own process group already

  // The child has made the exec, or is dead. Nothing tells when: look again.
  bool over() const;

  // It was seen dead, so it is over: some kernels leave out the word of that when a child
  // dumps its core.
  void child_died();

  // Once it is over: why the program does not run. Empty if it does, and if the child was
  // killed before it could.
  std::string failure() const;

 private:
  struct Block;
  explicit HandlerStart(std::unique_ptr<Block> block);

  std::unique_ptr<Block> block_;
  pid_t pid_ = 0;
};

}  // namespace holdfast::spawner
