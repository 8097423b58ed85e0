#include "daemon/session.h"

#include <unistd.h>

#include <algorithm>
#include <string>
#include <utility>
#include <variant>

#include "storage/base/check.h"
#include "storage/base/match.h"

namespace holdfast::daemon {

namespace {
// Of memory for replies, while there are none. Times the connections, so not much: what a
// worker needs whose events are small.
constexpr size_t kOutputBytesKept = 4096;
}  // namespace

bool is_admin(const uv::Peer& peer) { return peer.uid == 0 || peer.uid == geteuid(); }

Session::Session(SessionId id, std::unique_ptr<uv::Stream> stream, const SessionLimits& limits,
                 OnRequest on_request, OnClosed on_closed, size_t& memory_total)
    : id_(id),
      stream_(std::move(stream)),
      peer_(stream_->peer()),
      limits_(limits),
      on_request_(std::move(on_request)),
      on_closed_(std::move(on_closed)),
      memory_total_(memory_total) {
  stream_->on_drained([this] { flush(); });
  stream_->read_start([this](std::string_view bytes) { receive(bytes); },
                      [this](bool) { close(); });
}

Session::~Session() { memory_total_ -= memory_counted_; }

void Session::receive(std::string_view bytes) {
  if (phase_ != Phase::open) return;
  reader_.feed(bytes);
  take_requests();
}

bool Session::has_room() const {
  return phase_ == Phase::open && !paused_ && in_flight_ < limits_.requests_in_flight_max;
}

bool Session::can_take_requests() const { return has_room() && !reading_; }

void Session::take_requests() {
  // on_request may answer at once, and whoever answers may ask for more: the loop
  // below is already at it.
  if (taking_) return;
  taking_ = true;
  bool more = true;
  while (more && has_room()) {
    auto next = reader_.next();
    std::visit(match{
                   [&](wire::NeedMore&) { more = false; },
                   [&](wire::Fault& fault) { refuse(fault); },
                   [&](const wire::Request& request) {
                     ++in_flight_;
                     in_flight_bytes_ += request.bytes;
                     on_request_(id_, request);
                   },
               },
               next);
  }
  taking_ = false;
  reader_.let_go();
  read_or_rest();
  count_memory();
}

void Session::read_or_rest() {
  if (phase_ == Phase::closed) return;
  const bool wanted = phase_ == Phase::faulted || has_room();
  if (wanted == reading_) return;
  reading_ = wanted;
  if (wanted) {
    stream_->read_resume();
  } else {
    stream_->read_stop();
  }
}

void Session::refuse(const wire::Fault& fault) {
  phase_ = Phase::faulted;
  std::string reply;
  wire::append_error_reply(reply, fault.msgid, {std::string{fault.type}, fault.message});
  append(reply);
  flush();
}

void Session::shed() {
  if (phase_ != Phase::open) return;
  reader_ = wire::RequestReader{};
  refuse({0, "TooManyRequestsException",
          "the daemon is short of memory (memory_max) and this request stayed unfinished: "
          "connect and send it again"});
  read_or_rest();
  count_memory();
}

void Session::append_reply(std::string_view bytes) {
  if (phase_ == Phase::closed) return;
  CHECK(in_flight_ > 0);
  // Which request it answers is not known here; over many the shares come out even,
  // and the last one takes all that is left.
  in_flight_bytes_ -= in_flight_bytes_ / in_flight_;
  --in_flight_;
  append(bytes);
  // One turn may bring a thousand large replies: they must not all wait for its end.
  if (output_.size() > limits_.unread_bytes_max) {
    flush();
  } else {
    count_memory();
  }
}

void Session::append_push(std::string_view bytes) {
  if (phase_ == Phase::closed) return;
  append(bytes);
  count_memory();
}

void Session::hand_over(size_t bytes) {
  in_flight_bytes_ -= std::min(bytes, in_flight_bytes_);
  count_memory();
}

void Session::append(std::string_view bytes) {
  output_.append(bytes);
  appended_bytes_ += bytes.size();
  reply_ends_.push_back(appended_bytes_);
}

void Session::flush() {
  if (phase_ == Phase::closed) return;
  // One write at a time: libuv finishes only one per turn on a congested socket.
  if (!output_.empty() && stream_->bytes_unwritten() == 0) {
    stream_->write_out(output_);
    if (output_.capacity() > kOutputBytesKept) output_.shrink_to_fit();
  }
  const bool finished = phase_ == Phase::faulted && in_flight_ == 0 && unsent_bytes() == 0;
  if (reads_too_slowly() || finished) return close();
  count_memory();
}

size_t Session::unsent_bytes() const {
  return phase_ == Phase::closed ? 0 : output_.size() + stream_->bytes_unwritten();
}

void Session::mark_progress() {
  marked_sent_bytes_ = sent_bytes();
  marked_unsent_ = unsent_bytes() > 0;
}

size_t Session::unsent_bytes_stalled() const {
  return marked_unsent_ && sent_bytes() == marked_sent_bytes_ ? unsent_bytes() : 0;
}

bool Session::reads_too_slowly() {
  const uint64_t sent = sent_bytes();
  while (!reply_ends_.empty() && reply_ends_.front() <= sent) reply_ends_.pop_front();
  return !reply_ends_.empty() && appended_bytes_ - reply_ends_.front() > limits_.unread_bytes_max;
}

void Session::pause() {
  paused_ = true;
  read_or_rest();
}

void Session::resume() { paused_ = false; }

void Session::close() {
  if (phase_ == Phase::closed) return;
  phase_ = Phase::closed;
  stream_.reset();
  count_memory();
  on_closed_(id_);
}

size_t Session::memory_bytes() const {
  if (phase_ == Phase::closed) return 0;
  return reader_.buffered_bytes() + unsent_bytes() + in_flight_bytes_;
}

void Session::count_memory() {
  const size_t held = memory_bytes();
  memory_total_ = memory_total_ - memory_counted_ + held;
  memory_counted_ = held;
}

}  // namespace holdfast::daemon
