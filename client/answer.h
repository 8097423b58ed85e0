// Answer<T>: what came of a call: a T, or a Failure that tells what is known of
// the request's fate.
//
//    Answer<InvokeReply> answer = client.call(InvokeEvent{...});
//    if (!answer && answer.error().kind == FailureKind::unknown) ...  // repeat with the same key
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>

#include "storage/base/check.h"

namespace holdfast::client {

enum class FailureKind : uint8_t {
  refused,      // the daemon said no, and kept nothing
  unknown,      // it went out, and nobody told what became of it
  unreachable,  // it did not go out: nothing happened
};

struct Failure {
  FailureKind kind;
  std::string type;      // of client/PROTOCOL.md, section 5, when the daemon gave one
  std::string message;   // a sentence for people
  int system_error = 0;  // errno, when unreachable
};

template <class T>
class [[nodiscard]] Answer {
 public:
  Answer(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Answer(Failure failure) : state_(std::in_place_index<1>, std::move(failure)) {}

  explicit operator bool() const { return state_.index() == 0; }

  T& operator*() {
    CHECK(state_.index() == 0);
    return *std::get_if<0>(&state_);
  }
  const T& operator*() const {
    CHECK(state_.index() == 0);
    return *std::get_if<0>(&state_);
  }
  T* operator->() { return &**this; }
  const T* operator->() const { return &**this; }

  const Failure& error() const {
    CHECK(state_.index() == 1);
    return *std::get_if<1>(&state_);
  }

 private:
  std::variant<T, Failure> state_;
};

}  // namespace holdfast::client
