#include "client/worker_book.h"

#include <string_view>
#include <utility>

namespace holdfast::client {
namespace {

constexpr std::string_view kRequestResponse = "RequestResponse";

}  // namespace

SharedAttempt WorkerBook::pushed(SharedAttempt attempt, Instant deadline) {
  Held& held = held_[attempt->request_id()];
  SharedAttempt older = std::exchange(held, {std::move(attempt), deadline}).attempt;
  if (older) older->stop();
  return older;
}

bool WorkerBook::finished(const Attempt& attempt, AttemptResult result) {
  Held* held = find_held({attempt.request_id(), attempt.number()});
  if (held == nullptr || held->attempt.get() != &attempt || held->result) return false;
  held->result = std::move(result);
  held->state = State::unsent;
  return true;
}

SharedAttempt WorkerBook::settled(const Which& which) {
  if (find_held(which) == nullptr) return nullptr;
  return held_.extract(which.request_id).mapped().attempt;
}

void WorkerBook::put_off(const Which& which) {
  Held* held = find_held(which);
  if (held != nullptr && held->state == State::sent) held->state = State::put_off;
}

void WorkerBook::deadline_moved(const Which& which, Instant deadline) {
  if (Held* held = find_held(which)) held->deadline = deadline;
}

std::vector<SharedAttempt> WorkerBook::connection_lost(Instant now) {
  for (auto& [id, held] : held_) {
    if (held.result) held.state = State::unsent;
  }
  return drop_if([&](const std::string&, const Held& held) {
    return held.attempt->stopped() || held.deadline <= now ||
           held.attempt->invocation_type() == kRequestResponse;
  });
}

std::vector<SharedAttempt> WorkerBook::attached(const std::set<std::string>& continued,
                                                Instant deadline) {
  for (auto& [id, held] : held_) {
    if (held.named) held.deadline = deadline;
  }
  return drop_if([&](const std::string& id, const Held& held) {
    return held.named && !continued.contains(id);
  });
}

std::vector<SharedAttempt> WorkerBook::give_up() {
  return drop_if([](const std::string&, const Held&) { return true; });
}

template <class Predicate>
std::vector<SharedAttempt> WorkerBook::drop_if(Predicate is_lost) {
  std::vector<SharedAttempt> dropped;
  std::erase_if(held_, [&](const auto& entry) {
    const auto& [id, held] = entry;
    if (!is_lost(id, held)) return false;
    held.attempt->stop();
    dropped.push_back(held.attempt);
    return true;
  });
  return dropped;
}

WorkerBook::Held* WorkerBook::find_held(const Which& which) {
  const auto found = held_.find(which.request_id);
  if (found == held_.end() || found->second.attempt->number() != which.number) return nullptr;
  return &found->second;
}

std::map<std::string, int64_t> WorkerBook::names() {
  std::map<std::string, int64_t> names;
  for (auto& [id, held] : held_) {
    held.named = true;
    names.emplace(id, held.attempt->number());
  }
  return names;
}

std::vector<const WorkerBook::Held*> WorkerBook::take_unsent() {
  std::vector<const Held*> unsent;
  for (auto& [id, held] : held_) {
    if (held.state != State::unsent) continue;
    held.state = State::sent;
    unsent.push_back(&held);
  }
  return unsent;
}

void WorkerBook::resume_put_off() {
  for (auto& [id, held] : held_) {
    if (held.state == State::put_off) held.state = State::unsent;
  }
}

std::vector<SharedAttempt> WorkerBook::unanswered() const {
  std::vector<SharedAttempt> attempts;
  for (const auto& [id, held] : held_) {
    if (held.state == State::unanswered) attempts.push_back(held.attempt);
  }
  return attempts;
}

}  // namespace holdfast::client
