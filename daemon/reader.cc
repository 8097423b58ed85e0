#include "daemon/reader.h"

#include <utility>

namespace holdfast::daemon {

Reader::Reader(std::function<void()> wake)
    : wake_(std::move(wake)), thread_([this] { run(); }) {}

Reader::~Reader() {
  {
    const std::lock_guard lock{mutex_};
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void Reader::ask(Question question) {
  {
    const std::lock_guard lock{mutex_};
    questions_.push_back(std::move(question));
  }
  changed_.notify_one();
}

std::vector<Reader::Answer> Reader::take_answers() {
  std::vector<Answer> answers;
  {
    const std::lock_guard lock{mutex_};
    answers = std::exchange(answers_, {});
  }
  changed_.notify_one();
  return answers;
}

void Reader::run() {
  std::unique_lock lock{mutex_};
  while (true) {
    changed_.wait(lock, [this] {
      return stopping_ || (!questions_.empty() && answers_.size() < kAnswersWaitingMax);
    });
    if (stopping_) return;
    const Question question = std::move(questions_.front());
    questions_.pop_front();
    lock.unlock();
    Answer answer = question();
    lock.lock();
    answers_.push_back(std::move(answer));
    wake_();
  }
}

}  // namespace holdfast::daemon
