#include "tests/bench/producers.h"

namespace holdfast::bench {

uint64_t stamp_of(Clock::time_point moment) {
  return static_cast<uint64_t>(moment.time_since_epoch().count());
}

std::optional<Clock::time_point> moment_of(uint64_t stamp, Clock::time_point begun,
                                           Clock::time_point now) {
  if (stamp < stamp_of(begun) || stamp > stamp_of(now)) return std::nullopt;
  return Clock::time_point{Clock::duration{static_cast<Clock::rep>(stamp)}};
}

Producers::Producers(Poller& poller, uint64_t first_tag, const std::string& place,
                     const std::function<std::unique_ptr<Dialect>()>& make_dialect,
                     const Plan& plan)
    : plan_(plan), first_tag_(first_tag) {
  producers_.reserve(plan_.connections);
  for (size_t n = 0; n < plan_.connections; ++n) {
    producers_.push_back({Connection{poller, first_tag + n, place}, make_dialect(), {}});
  }
}

void Producers::start(Tally& accepts, Stalls& stalls, Clock::time_point now) {
  accepts_ = &accepts;
  stalls_ = &stalls;
  begun_ = now;
  if (plan_.rate > 0) return ask_due(now);
  for (Producer& producer : producers_) refill(producer, now);
}

void Producers::serve(const Readiness& ready) {
  Producer& producer = producers_[ready.tag - first_tag_];
  const Clock::time_point now = Clock::now();
  producer.connection.serve(ready, [&](std::string_view in) {
    const size_t bytes = producer.dialect->reply_bytes(in);
    if (bytes > 0) answered(producer, now);
    return bytes;
  });
  if (plan_.rate == 0) refill(producer, now);
}

void Producers::answered(Producer& producer, Clock::time_point now) {
  if (producer.asked.empty()) fail("an answer that nobody has asked for");
  accepts_->add(now, now - producer.asked.front());
  producer.asked.pop_front();
  ++answered_;
  stalls_->add(silent_since_, now);
  silent_since_ = now;
}

void Producers::ask(Producer& producer, Clock::time_point asked_at) {
  if (asked_ == answered_) silent_since_ = asked_at;
  producer.dialect->append_request(producer.connection.out(), stamp_of(asked_at));
  producer.asked.push_back(asked_at);
  ++asked_;
}

void Producers::refill(Producer& producer, Clock::time_point now) {
  bool asks = false;
  for (; producer.asked.size() < plan_.in_flight && may_ask(); asks = true) ask(producer, now);
  if (asks) producer.connection.flush();
}

std::optional<Clock::time_point> Producers::next_due() const {
  if (plan_.rate == 0 || producers_.empty() || !may_ask()) return std::nullopt;
  return begun_ + seconds_of(static_cast<double>(asked_) / plan_.rate);
}

void Producers::ask_due(Clock::time_point now) {
  for (auto due = next_due(); due && *due <= now; due = next_due()) {
    Producer& producer = producers_[asked_ % producers_.size()];
    ask(producer, *due);
    producer.connection.flush();
  }
}

void Producers::end(Clock::time_point now) {
  if (asked_ > answered_) stalls_->add(silent_since_, now);
}

}  // namespace holdfast::bench
