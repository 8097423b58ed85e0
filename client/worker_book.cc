#include "client/worker_book.h"

#include <utility>

namespace holdfast::client {

SharedAttempt WorkerBook::pushed(SharedAttempt attempt) {
  Held& held = held_[attempt->request_id()];
  SharedAttempt older = std::exchange(held, {std::move(attempt)}).attempt;
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

void WorkerBook::connection_lost() {
  for (auto& [id, held] : held_) {
    if (held.result) held.state = State::unsent;
  }
}

std::vector<SharedAttempt> WorkerBook::attached(const std::set<std::string>& continued) {
  std::vector<SharedAttempt> lost;
  std::erase_if(held_, [&](const auto& entry) {
    const Held& held = entry.second;
    if (!held.named || continued.contains(entry.first)) return false;
    held.attempt->stop();
    lost.push_back(held.attempt);
    return true;
  });
  return lost;
}

std::vector<SharedAttempt> WorkerBook::give_up() {
  std::vector<SharedAttempt> given_up;
  for (auto& [id, held] : held_) {
    held.attempt->stop();
    given_up.push_back(std::move(held.attempt));
  }
  held_.clear();
  return given_up;
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
