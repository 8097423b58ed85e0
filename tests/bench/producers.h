// Producers: connections that ask to keep payloads, each IN_FLIGHT at a time, or at a rate.
//
//    Producers producers{poller, first_tag, place, make_dialect, plan};
//    producers.start(now);
//    while (...) {
//      for (const Readiness& ready : poller.wait(producers.next_due().value_or(end))) {
//        if (producers.owns(ready.tag)) producers.serve(ready);
//      }
//      producers.ask_due(Clock::now());
//    }
//
// Closed loop  A connection asks again when it is answered.
// Open loop    With a rate the connections take turns, whether they are answered or not. What
//              is asked late because this program was busy counts from when it was due.
//
// Threads  one. Failure  ends the program.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/bench/connection.h"
#include "tests/bench/dialect.h"
#include "tests/bench/measure.h"

namespace holdfast::bench {

class Producers {
 public:
  struct Plan {
    size_t connections = 1;
    size_t in_flight = 1;  // on each; not looked at with a rate
    double rate = 0;       // a second, over all; 0: closed loop
    uint64_t count = 0;    // asks for no more than so many; 0: as many as it can
  };

  Producers(Poller& poller, uint64_t first_tag, const std::string& place,
            const std::function<std::unique_ptr<Dialect>()>& make_dialect, const Plan& plan);

  // Answers are counted from here on.
  void start(Tally& accepts, Stalls& stalls, Clock::time_point now);

  bool owns(uint64_t tag) const {
    return first_tag_ <= tag && tag - first_tag_ < producers_.size();
  }
  void serve(const Readiness& ready);

  // With a rate: asks for what is due, and tells when there is more to ask.
  void ask_due(Clock::time_point now);
  std::optional<Clock::time_point> next_due() const;

  // A stall that has not ended yet.
  void end(Clock::time_point now);

 private:
  struct Producer {
    Connection connection;
    std::unique_ptr<Dialect> dialect;
    std::deque<Clock::time_point> asked;
  };

  void ask(Producer& producer, Clock::time_point asked_at);
  void refill(Producer& producer, Clock::time_point now);
  void answered(Producer& producer, Clock::time_point now);
  bool may_ask() const { return plan_.count == 0 || asked_ < plan_.count; }

  const Plan plan_;
  const uint64_t first_tag_;
  std::vector<Producer> producers_;
  Tally* accepts_ = nullptr;
  Stalls* stalls_ = nullptr;
  Clock::time_point begun_;
  uint64_t asked_ = 0;
  uint64_t answered_ = 0;
  Clock::time_point silent_since_;  // while an answer is owed
};

// The moment as a stamp, and back; nothing for a stamp that is none of this run.
uint64_t stamp_of(Clock::time_point moment);
std::optional<Clock::time_point> moment_of(uint64_t stamp, Clock::time_point begun,
                                           Clock::time_point now);

}  // namespace holdfast::bench
