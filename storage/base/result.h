// Result<T>: a value, or what the world did wrong (disk, file, child process).
//
//    Result<Settings> settings = config::load(path);
//    if (!settings) return settings.error();
//    use(*settings);
//
// Six codes, because callers can act on six. `what` is for people and the log;
// nothing ever parses it.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>

#include "storage/base/check.h"

namespace holdfast {

enum class Errc : uint8_t { not_found, corrupt, io, full, invalid, refused };

struct Error {
  Errc code;
  std::string what;
};

template <class T = std::monostate>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

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

  const Error& error() const {
    CHECK(state_.index() == 1);
    return *std::get_if<1>(&state_);
  }

 private:
  std::variant<T, Error> state_;
};

// Success of a call that has nothing to say.
inline Result<> ok() { return Result<>{std::monostate{}}; }

}  // namespace holdfast
