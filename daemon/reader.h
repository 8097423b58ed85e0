// Reader: the thread that reads the database for the loop, one question at a time, in
// their order.
//
//    reader.ask([&store, hash]() -> Reader::Answer {
//      auto record = storage::load_key(store, hash);          // on the reader's thread
//      return [this, record] { key_known(record); };          // on the loop's
//    });
//
// Rule       It rests while kAnswersWaitingMax answers wait to be taken.
// Reason     An answer may hold a payload; a thousand of them must not gather.
//
// Bounds     of the questions, the askers': each belongs to a load of the core, of which
//            it has few, or to a request in flight.
// Ownership  Destroying it forgets the questions not yet begun.
// Threads    its own; all calls come from the loop. `wake` is called from its thread.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace holdfast::daemon {

inline constexpr size_t kAnswersWaitingMax = 16;

class Reader {
 public:
  using Answer = std::function<void()>;
  using Question = std::function<Answer()>;

  explicit Reader(std::function<void()> wake);
  ~Reader();
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  void ask(Question question);

  // The answers that have come, to be run now.
  std::vector<Answer> take_answers();

 private:
  void run();

  const std::function<void()> wake_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Question> questions_;
  std::vector<Answer> answers_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace holdfast::daemon
