// DamagedDesk: answers for a box whose disk has lost acknowledged data, until somebody
// accepts the loss. What only looks is answered; all else is refused with one sentence
// that says what is damaged and what the operator can do.
//
// Rule    A read that fails is that request's answer, and nothing more.
// Reason  The disk is known to be damaged. Stopping would take away what it still
//         shows, and systemd would start the daemon again and again.
//
// Rule    What is not found is refused with the same sentence.
// Reason  "Never accepted here" would be a lie about an event that was lost.
//
// Ownership  borrows store and core; destroyed before them. Its reader ends with it.
// Threads    the loop's.
#pragma once

#include <functional>
#include <string>

#include "daemon/api/answers.h"
#include "daemon/core/lifecycle.h"
#include "daemon/desk.h"
#include "daemon/disk_answers.h"
#include "daemon/reader.h"
#include "daemon/uv/async.h"
#include "daemon/uv/loop.h"

namespace holdfast::daemon {

struct DamagedDeskParts {
  uv::Loop& loop;
  const storage::Store& store;
  const core::Lifecycle& core;  // as recovered: nothing is told to it
  std::string refusal;          // what every request that would change something hears
  std::function<api::StatusReport()> report;
  std::function<Moment()> moment;
};

class DamagedDesk final : public Desk {
 public:
  explicit DamagedDesk(DamagedDeskParts parts);

 private:
  void handle(const Caller& caller, api::Call&& call) override;
  wire::CallError worded(wire::CallError error) const override;
  void ask(const Caller& caller, DiskQuestion question);
  void refuse(const Caller& caller);

  core::PayloadMemory payloads_;  // nothing ever comes back
  const storage::Store& store_;
  const core::Lifecycle& core_;
  const std::string refusal_;
  const std::function<api::StatusReport()> report_;
  const std::function<Moment()> moment_;

  uv::Async read_done_;
  Reader reader_;
};

}  // namespace holdfast::daemon
