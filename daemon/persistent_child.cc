#include "daemon/persistent_child.h"

#include <csignal>
#include <cstring>
#include <utility>

#include "daemon/api/text.h"
#include "storage/base/check.h"

namespace holdfast::daemon {
namespace {

// Of standard error, in a sentence about a process that did not get ready.
constexpr size_t kLastWordsBytesMax = 200;

std::string last_words(std::string_view log) {
  while (!log.empty() && (log.back() == '\n' || log.back() == '\r')) log.remove_suffix(1);
  log.remove_prefix(log.rfind('\n') == log.npos ? 0 : log.rfind('\n') + 1);
  return api::mended(log.substr(0, kLastWordsBytesMax));
}

}  // namespace

PersistentChild::PersistentChild(uv::Loop& loop, SpawnerLink& link, PersistentCommand& command,
                                 HandlerPipes pipes, std::unique_ptr<ChildOwner> owner)
    : link_(link),
      handle_(link.new_handle()),
      owner_(std::move(owner)),
      kill_grace_(command.kill_grace),
      framing_(command.framing),
      timer_(loop, [this] { time_is_up(); }),
      pipes_(std::move(pipes)),
      reader_(command.framing, 0) {}

Result<std::unique_ptr<PersistentChild>> PersistentChild::start(uv::Loop& loop, SpawnerLink& link,
                                                                PersistentCommand command,
                                                                std::unique_ptr<ChildOwner> owner) {
  CHECK(!command.argv.empty());
  Result<HandlerPipes::Opened> opened = HandlerPipes::open(loop);
  if (!opened) return opened.error();
  std::unique_ptr<PersistentChild> child{
      new PersistentChild{loop, link, command, std::move(opened->pipes), std::move(owner)}};
  const Result<> sent =
      link.start({child->handle_, std::move(command.argv), std::move(command.environment),
                  std::move(command.working_directory)},
                 std::move(opened->handler_fds), *child);
  if (!sent) return sent.error();
  PersistentChild* running = child.get();
  running->pipes_.output.stream().read_start(
      [running](std::string_view bytes) { running->take_output(bytes); }, [](bool) {});
  running->pipes_.log.stream().read_start(
      [running](std::string_view bytes) { append_log_tail(running->log_tail_, bytes); },
      [](bool) {});
  running->timer_.arm(kReadyTimeMax);
  return child;
}

void PersistentChild::give(const core::StartAttempt& start, const std::string& request_id,
                           WallTime deadline) {
  CHECK(state_ == State::idle);
  state_ = State::busy;
  has_attempt_ = true;
  request_id_ = request_id;
  timeout_ = start.settings->timeout;
  result_bytes_max_ = start.settings->result_bytes_max;
  reader_.set_result_bytes_max(result_bytes_max_);
  pipes_.log.drain([](std::string_view) {});
  log_tail_.clear();
  const pool::EventHead head{start.function, request_id, start.attempt,
                             start.type,     deadline,   start.idempotency_key};
  pipes_.input.stream().write(pool::encode(framing_, head, *start.payload));
  timer_.arm(timeout_);
}

void PersistentChild::stop_attempt() {
  if (state_ == State::busy) end_because(core::Stopped{}, false);
}

void PersistentChild::retire() {
  CHECK(!has_attempt_);
  if (state_ == State::ending) return;
  state_ = State::ending;
  let_it_end();
}

// From here on it is only waited for; what it writes may still be its answer.
void PersistentChild::end_because(core::Outcome verdict, bool own_fault) {
  if (state_ == State::ending) return;
  state_ = State::ending;
  verdict_ = std::move(verdict);
  timer_.arm(kill_grace_);
  link_.kill(handle_, SIGTERM);
  owner_->child_ending(own_fault);
}

void PersistentChild::time_is_up() {
  switch (state_) {
    case State::starting:
      complaint_ = "it was not ready within " + std::to_string(kReadyTimeMax.count() / 1000) + " s";
      return end_because(core::NotStarted{}, true);
    case State::busy:
      return end_because(core::TimedOut{timeout_}, false);
    case State::ending:
      return link_.kill(handle_, SIGKILL);
    case State::idle:
      return;
  }
}

void PersistentChild::take_output(std::string_view bytes) {
  if (state_ == State::ending && (!has_attempt_ || has_said_error_)) return;
  if (!complaint_.empty()) return;
  reader_.feed(bytes);
  read_said();
}

void PersistentChild::read_said() {
  while (complaint_.empty()) {
    pool::Said said = reader_.next();
    if (std::holds_alternative<pool::NeedMore>(said)) return;
    if (const auto* fault = std::get_if<pool::Fault>(&said)) return faulted(*fault);
    if (auto* answer = std::get_if<pool::Answer>(&said)) {
      if (!has_attempt_ || answer->request_id != request_id_) {
        return faulted({"it answered an event that it did not have"});
      }
      answered(std::move(*answer));
    } else if (state_ == State::starting) {
      timer_.disarm();
      state_ = State::idle;
      owner_->child_ready();
    } else {
      return faulted({"it said Ready a second time"});
    }
  }
}

void PersistentChild::answered(pool::Answer answer) {
  const bool succeeded = std::holds_alternative<core::Succeeded>(answer.outcome);
  if (state_ == State::ending) {  // told when it is gone
    if (succeeded || !verdict_) verdict_ = std::move(answer.outcome);
    return;
  }
  if (!succeeded) {
    has_said_error_ = true;
    verdict_ = std::move(answer.outcome);
    state_ = State::ending;
    let_it_end();
    return owner_->child_ending(false);
  }
  timer_.disarm();
  state_ = State::idle;
  has_attempt_ = false;
  reader_.set_result_bytes_max(0);
  pipes_.log.drain([this](std::string_view bytes) { append_log_tail(log_tail_, bytes); });
  owner_->child_answered({std::move(answer.outcome), std::move(log_tail_)});
}

void PersistentChild::let_it_end() {
  pipes_.input.stream().close_after_writes();
  timer_.arm(kill_grace_);
}

void PersistentChild::faulted(const pool::Fault& fault) {
  if (state_ == State::ending && verdict_ && std::holds_alternative<core::Succeeded>(*verdict_)) {
    return;  // its answer was good, and it is going anyway
  }
  complaint_ = fault.what;
  core::Outcome verdict = core::Failed{"Runtime.InvalidResponse",
                                       "the persistent command broke the protocol: " + fault.what};
  if (fault.too_large) verdict = core::ResultTooLarge{result_bytes_max_};
  if (state_ == State::ending && !verdict_) verdict_ = std::move(verdict);
  end_because(std::move(verdict), true);
}

std::string PersistentChild::why_ended(const spawner::Ended& ended) const {
  std::string why = complaint_;
  if (why.empty() && ended.by_signal) {
    const char* name = sigabbrev_np(ended.code);
    why = "it was ended by signal " + (name == nullptr ? std::to_string(ended.code)
                                                       : "SIG" + std::string{name});
  } else if (why.empty()) {
    why = "it ended with exit status " + std::to_string(ended.code);
  }
  if (state_ == State::starting && complaint_.empty()) why += " before it was ready";
  const std::string words = last_words(log_tail_);
  return words.empty() ? why : why + "; its last words: " + words;
}

void PersistentChild::process_ended(const spawner::Ended& ended) {
  timer_.disarm();
  pipes_.output.stream().read_stop();
  pipes_.log.stream().read_stop();
  pipes_.log.drain([this](std::string_view bytes) { append_log_tail(log_tail_, bytes); });
  std::string why = why_ended(ended);
  if (has_attempt_) {
    const bool by_itself = std::exchange(state_, State::ending) != State::ending;
    pipes_.output.drain([this](std::string_view bytes) { take_output(bytes); });
    // There is no process that could have another.
    if (by_itself) owner_->child_ending(!verdict_ || !complaint_.empty());
    if (!verdict_ && ended.by_signal) verdict_ = core::Signaled{ended.code};
    if (!verdict_) verdict_ = core::Exited{ended.code};
  }
  if (!has_attempt_) return over(std::nullopt, std::move(why));
  over(core::AttemptReport{std::move(*verdict_), std::move(log_tail_)}, std::move(why));
}

void PersistentChild::process_cannot_start(const std::string& reason) {
  timer_.disarm();
  over(std::nullopt, "it cannot be started: " + reason);
}

void PersistentChild::over(std::optional<core::AttemptReport> report, std::string why) {
  ChildOwner& owner = *owner_;
  owner.child_ended(std::move(report), std::move(why));  // destroys us
}

uint64_t PersistentChild::memory_bytes() const {
  return pipes_.input.bytes_unwritten() + reader_.memory_bytes() + log_tail_.capacity();
}

}  // namespace holdfast::daemon
