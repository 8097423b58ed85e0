// Plan: what one seed's run is made of. Each run leaves most kinds of trouble out and
// has much of the others, because a fault that is always rare never meets another.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/settings.h"
#include "storage/base/random.h"

namespace holdfast::sim {

// What may happen next, in the order of Weights::all().
enum class Move : uint8_t {
  submit,
  repeat_key,
  burst,
  call,
  cancel,
  await,
  redrive,
  queue,
  finish_handler,
  outdated_report,
  turn_command,
  attach,
  answer,
  lose_worker,
  odd_worker,
  commit,
  read,
  time,
  tick,
  crash,
  power_cut,
  drain,
  reload,
  disk,
  step_wall,
  dark_time,
};

// How often each kind of move is made, relative to the others. Zero: never.
struct Weights {
  uint32_t submit = 20;
  uint32_t repeat_key = 0;
  uint32_t burst = 0;
  uint32_t call = 0;
  uint32_t cancel = 0;
  uint32_t await = 0;
  uint32_t redrive = 0;
  uint32_t queue = 0;
  uint32_t finish_handler = 20;
  uint32_t outdated_report = 0;
  uint32_t turn_command = 0;  // a persistent command breaks, or is mended
  uint32_t attach = 0;
  uint32_t answer = 0;
  uint32_t lose_worker = 0;
  uint32_t odd_worker = 0;  // heartbeats, foreign and late answers, detaching
  uint32_t commit = 40;
  uint32_t read = 40;
  uint32_t time = 15;
  uint32_t tick = 2;
  uint32_t crash = 0;
  uint32_t power_cut = 0;
  uint32_t drain = 0;
  uint32_t reload = 0;
  uint32_t disk = 0;
  uint32_t step_wall = 0;
  uint32_t dark_time = 0;

  std::vector<uint32_t> all() const;
};

struct Plan {
  uint32_t moves = 0;
  uint32_t functions = 1;
  uint32_t functions_idle = 0;  // take part in nothing, but make the windows small
  uint32_t keys = 1;            // different ones in use
  uint32_t burst_events = 0;
  uint32_t delayed_percent = 0;
  uint32_t failing_percent = 0;  // of attempts
  uint32_t hanging_percent = 0;
  uint32_t verify_interval = 1;
  Duration time_move_max{0};
  Weights weights;
  config::Settings settings;

  static Plan roll(Random& random);
  // For a real store under power cuts: no windows of thousands of functions, and the
  // disk decides when the daemon dies.
  static Plan roll_for_cuts(Random& random);
  // For a script: few keys and functions, no chance that is not one half.
  static Plan of_script(Random& random);
};

// "f0", "f1", ... take part; "idle0", ... do not.
std::string function_name(uint32_t number);

inline constexpr const char* kSuccessQueue = "successes";
inline constexpr const char* kFailureQueue = "failures";
inline constexpr const char* kDeadLetterQueue = "dead";
inline constexpr const char* kClientQueue = "clients";

}  // namespace holdfast::sim
