// What the files of this folder share, and the only header that shows libuv.
//
// libuv uses a handle until its close callback, which comes a turn after its
// owner is gone. So each class keeps its handle and its std::functions in a State
// on the heap, and gives the State to the loop when it is destroyed. A callback
// that destroys its own handle therefore still runs in a living std::function.
//
// Every function given to libuv is noexcept: an exception must not cross C frames.
#pragma once

#include <uv.h>

#include <array>
#include <cstddef>

#include "daemon/uv/loop.h"

namespace holdfast::uv {

// Largest piece that one read hands out.
inline constexpr size_t kReadBytesMax = 64u << 10;

struct Loop::State {
  uv_loop_t loop;
  // Shared by all streams: a piece is consumed before the next one is read.
  std::array<char, kReadBytesMax> read_buffer;
};

inline uv_loop_t* raw(Loop& loop) { return &loop.state().loop; }

// The base of each State.
template <class Handle>
struct HandleState {
  Handle handle;

  uv_handle_t* base() { return reinterpret_cast<uv_handle_t*>(&handle); }
};

// Hands a State to the loop, which frees it after closing.
template <class State>
void release(State* state) noexcept {
  state->handle.data = state;
  uv_close(state->base(),
           [](uv_handle_t* handle) noexcept { delete static_cast<State*>(handle->data); });
}

}  // namespace holdfast::uv
