// WorkerBook: the attempts that a worker holds, and what each of them owes. No
// clock, no socket, no thread.
//
//    book.pushed(attempt, now + timeout);
//    book.finished(*attempt, success("a cat"));
//    for (const WorkerBook::Held* held : book.take_unsent()) ...   // send held->result
//    book.settled(which);                                          // its reply has come
//
// Rule    An answer is kept until its reply has come, and sent again over the next
//         connection.
// Reason  A connection that ends without a reply says nothing of the answer's fate.
//
// Rule    With the connection those are lost that were to stop, are over their deadline,
//         or are synchronous calls. They are stopped, and what they give is dropped.
// Reason  The daemon does not wait for them, neither the same one nor its next start.
//
// Rule    After an attachment only those are held that the daemon has said to go
//         on. The others are stopped, and what they give is dropped.
// Reason  They may run elsewhere by now.
//
// Ownership  Attempts are shared with the threads that run them.
// Threads    One at a time.
// Failure    None: what names no attempt of the book changes nothing.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "client/worker_pool.h"

namespace holdfast::client {

class WorkerBook {
 public:
  using Instant = std::chrono::steady_clock::time_point;
  struct Which {
    std::string request_id;
    int64_t number;
  };
  enum class State : uint8_t {
    unanswered,
    unsent,   // has a result
    sent,     // and no reply yet
    put_off,  // the daemon could not take it now
  };
  struct Held {
    SharedAttempt attempt;
    Instant deadline;
    State state = State::unanswered;
    std::optional<AttemptResult> result{};
    bool named = false;  // in the last names()
  };

  // Gives the older attempt of the same event, if there was one: it is over.
  SharedAttempt pushed(SharedAttempt attempt, Instant deadline);
  // False: nobody wants it any more.
  bool finished(const Attempt& attempt, AttemptResult result);
  // The daemon has an outcome of it, or will not have one from here. Gives the attempt.
  SharedAttempt settled(const Which& which);
  void put_off(const Which& which);
  void deadline_moved(const Which& which, Instant deadline);
  // Gives those that are lost with it; they are stopped.
  std::vector<SharedAttempt> connection_lost(Instant now);
  // Gives those of the last names() that are not to go on; they are stopped.
  std::vector<SharedAttempt> attached(const std::set<std::string>& continued, Instant deadline);
  // All are stopped, and the book is empty.
  std::vector<SharedAttempt> give_up();

  // Null: it is not held.
  const Held* find(const Which& which) { return find_held(which); }
  // What an attachment tells as Held.
  std::map<std::string, int64_t> names();
  // They count as sent.
  std::vector<const Held*> take_unsent();
  void resume_put_off();
  std::vector<SharedAttempt> unanswered() const;
  bool empty() const { return held_.empty(); }

 private:
  Held* find_held(const Which& which);
  template <class Predicate>
  std::vector<SharedAttempt> drop_if(Predicate is_lost);

  std::map<std::string, Held> held_;  // by RequestId: an event has one attempt at a time
};

}  // namespace holdfast::client
