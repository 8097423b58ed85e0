// Desk: where the clients' requests come in and the answers go out. The seam between a
// daemon that serves (FrontDesk) and one that only shows what a damaged disk still
// holds (DamagedDesk).
//
// Ownership  borrows ledger, memory and server; destroyed before them.
// Threads    the loop's.
#pragma once

#include <string>

#include "daemon/disk_answers.h"
#include "daemon/server.h"

namespace holdfast::daemon {

class Desk {
 public:
  virtual ~Desk() = default;
  Desk(const Desk&) = delete;
  Desk& operator=(const Desk&) = delete;

  // The server comes to life after the desk that answers it.
  void serve(Server& server) { server_ = &server; }

  // Decodes and authorises (api/), then handles it, or answers what is wrong with it.
  void take(SessionId session, const wire::Request& request);

 protected:
  struct Caller {
    SessionId session;
    uint32_t msgid = 0;
  };

  Desk(const core::Ledger& ledger, core::PayloadMemory& payloads)
      : ledger_(ledger), payloads_(payloads) {}

  virtual void handle(const Caller& caller, api::Call&& call) = 0;

  // Every error on its way out: the last chance to say it in other words.
  virtual wire::CallError worded(wire::CallError error) const { return error; }

  // Dropped if the client has gone.
  void send(const Caller& caller, const std::string& bytes);
  void send(const Caller& caller, const wire::CallError& error);
  void send(const Caller& caller, const Reply& reply);

  const core::Ledger& ledger() const { return ledger_; }
  Server& server() { return *server_; }

 private:
  const core::Ledger& ledger_;
  core::PayloadMemory& payloads_;
  Server* server_ = nullptr;
};

}  // namespace holdfast::daemon
