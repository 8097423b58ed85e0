#include "tests/sim/plan.h"

#include <algorithm>

namespace holdfast::sim {

using namespace std::chrono_literals;

namespace {

Duration between(Random& random, Duration least, Duration most) {
  return least + Duration{static_cast<int64_t>(
                     random.up_to(static_cast<uint64_t>((most - least).count())))};
}

config::RetrySettings roll_retry(Random& random) {
  switch (random.up_to(2)) {
    case 0:
      return config::LambdaRetry{static_cast<uint32_t>(random.up_to(2))};
    case 1: {
      config::ListedRetry listed;
      const uint64_t delays = random.up_to(4);
      for (uint64_t n = 0; n < delays; ++n) {
        listed.delays.push_back(between(random, 0ms, random.chance(50) ? 100ms : 5min));
      }
      return listed;
    }
    default:
      return config::ExponentialRetry{static_cast<uint32_t>(random.up_to(12)),
                                      between(random, 1ms, 10s), between(random, 10s, 5min)};
  }
}

config::FunctionSettings roll_function(Random& random) {
  config::FunctionSettings function;
  function.command = {"/bin/true"};
  function.timeout = between(random, 100ms, 20s);
  function.concurrency_max = 1 + static_cast<uint32_t>(random.up_to(random.chance(50) ? 2 : 12));
  function.retry = roll_retry(random);
  function.event_age_max = random.chance(40) ? between(random, 60s, 10min) : Duration{6h};
  function.idempotency_retention = random.chance(50) ? between(random, 1s, 20min) : Duration{24h};
  function.result_bytes_max = 1000;
  if (random.chance(50)) function.on_success = kSuccessQueue;
  if (random.chance(50)) function.on_failure = kFailureQueue;
  if (random.chance(50)) function.dead_letter = kDeadLetterQueue;
  if (random.chance(25)) {
    function.dead_letters_bytes_max = 4000;
    if (random.chance(60)) function.dead_letters_full = config::DeadLettersFull::drop_oldest;
  }
  return function;
}

// About a third of all kinds of trouble, each more or less often.
Weights roll_weights(Random& random) {
  Weights weights;
  const auto maybe = [&](uint32_t& weight, uint32_t most) {
    if (random.chance(35)) weight = 1 + static_cast<uint32_t>(random.up_to(most - 1));
  };
  maybe(weights.repeat_key, 15);
  maybe(weights.burst, 2);
  maybe(weights.call, 10);
  maybe(weights.cancel, 8);
  maybe(weights.await, 4);
  maybe(weights.redrive, 4);
  maybe(weights.queue, 15);
  maybe(weights.outdated_report, 5);
  maybe(weights.crash, 3);
  maybe(weights.power_cut, 2);
  maybe(weights.drain, 2);
  maybe(weights.reload, 3);
  maybe(weights.disk, 4);
  maybe(weights.step_wall, 2);
  maybe(weights.dark_time, 1);
  if (random.chance(20)) weights.commit = 8;  // a slow disk
  if (random.chance(20)) weights.read = 8;    // a slow reader
  if (random.chance(20)) weights.finish_handler = 4;
  return weights;
}

// Some functions are served by workers, alone or beside their command.
void roll_workers(Random& random, Plan& plan) {
  for (uint32_t n = 0; n < plan.functions; ++n) {
    config::FunctionSettings& function = plan.settings.functions[function_name(n)];
    function.workers = random.chance(70);
    if (function.workers && random.chance(60)) function.command.clear();
    function.kill_grace = between(random, 0ms, 5s);
  }
  plan.settings.limits.worker_reattach_window =
      random.chance(10) ? Duration{0} : between(random, 1s, 60s);
  plan.weights.attach = 1 + static_cast<uint32_t>(random.up_to(8));
  plan.weights.answer = 4 + static_cast<uint32_t>(random.up_to(16));
  if (random.chance(50)) plan.weights.lose_worker = 1 + static_cast<uint32_t>(random.up_to(3));
  if (random.chance(50)) plan.weights.odd_worker = 1 + static_cast<uint32_t>(random.up_to(6));
}

// Some commands are persistent: they can break as a whole.
void roll_persistent(Random& random, Plan& plan) {
  for (uint32_t n = 0; n < plan.functions; ++n) {
    config::FunctionSettings& function = plan.settings.functions[function_name(n)];
    if (!function.command.empty() && random.chance(70)) {
      function.mode = config::CommandMode::persistent;
    }
  }
  plan.weights.turn_command = 1 + static_cast<uint32_t>(random.up_to(4));
}

}  // namespace

std::string function_name(uint32_t number) { return "f" + std::to_string(number); }

std::vector<uint32_t> Weights::all() const {
  return {submit,          repeat_key, burst, call, cancel,    await, redrive, queue,
          finish_handler,  outdated_report, turn_command, attach, answer, lose_worker, odd_worker,
          commit,          read,            time,         tick,   crash,  power_cut,   drain,
          reload,          disk,            step_wall,    dark_time};
}

Plan Plan::roll(Random& random) {
  Plan plan;
  plan.moves = 120 + static_cast<uint32_t>(random.up_to(700));
  plan.functions = 1 + static_cast<uint32_t>(random.up_to(random.chance(70) ? 3 : 20));
  plan.keys = 1 + static_cast<uint32_t>(random.up_to(12));
  plan.delayed_percent = random.chance(40) ? static_cast<uint32_t>(random.up_to(60)) : 0;
  plan.failing_percent = random.chance(80) ? static_cast<uint32_t>(random.up_to(70)) : 0;
  plan.hanging_percent = random.chance(40) ? static_cast<uint32_t>(random.up_to(20)) : 0;
  plan.time_move_max = random.chance(50) ? Duration{2s} : Duration{3min};
  plan.weights = roll_weights(random);
  plan.burst_events = 20 + static_cast<uint32_t>(random.up_to(60));
  if (random.chance(7)) {
    // A window of eight entries: each page has a boundary.
    plan.functions_idle = 4070;
    plan.verify_interval = 150;
    plan.moves = std::min(plan.moves, 600u);
    plan.weights.crash = std::min(plan.weights.crash, 1u);
    plan.weights.power_cut = std::min(plan.weights.power_cut, 1u);
    plan.weights.reload = 0;
    plan.weights.drain = 0;
  } else if (random.chance(40)) {
    plan.functions_idle = 100 + static_cast<uint32_t>(random.up_to(500));
    plan.verify_interval = 16;
    plan.weights.burst += 1;
  } else if (random.chance(6)) {
    plan.burst_events = 1500;  // more than the largest window
    plan.weights.burst = 1;
    plan.moves = 250;
    plan.verify_interval = 4;
  }

  config::Settings& settings = plan.settings;
  settings.limits.attempts_running_max = 1 + static_cast<uint32_t>(random.up_to(20));
  settings.limits.interruptions_max = static_cast<uint32_t>(random.up_to(4));
  if (random.chance(20)) settings.limits.memory_max = 16u << 20;
  if (random.chance(15)) settings.limits.history_bytes_max = 40'000;
  if (random.chance(10)) settings.limits.idempotency_bytes_max = 3'000;
  for (const char* queue : {kSuccessQueue, kFailureQueue, kDeadLetterQueue, kClientQueue}) {
    settings.queues[queue] = config::QueueSettings{};
    settings.queues[queue].visibility_timeout = between(random, 0ms, 60s);
    if (random.chance(10)) settings.queues[queue].bytes_max = 10'000;
  }
  for (uint32_t n = 0; n < plan.functions; ++n) {
    settings.functions[function_name(n)] = roll_function(random);
  }
  if (random.chance(45)) roll_workers(random, plan);
  if (random.chance(30)) roll_persistent(random, plan);
  for (uint32_t n = 0; n < plan.functions_idle; ++n) {
    settings.functions["idle" + std::to_string(n)] = config::FunctionSettings{};
  }
  return plan;
}

Plan Plan::roll_for_cuts(Random& random) {
  Plan plan = roll(random);
  for (uint32_t n = 0; n < plan.functions_idle; ++n) {
    plan.settings.functions.erase("idle" + std::to_string(n));
  }
  plan.functions_idle = 0;
  plan.burst_events = std::min(plan.burst_events, 80u);
  plan.verify_interval = 8;
  plan.moves = 300 + static_cast<uint32_t>(random.up_to(600));
  plan.weights.crash = 1;
  plan.weights.commit = 40;
  return plan;
}

Plan Plan::of_script(Random& /*random*/) {
  Plan plan;
  plan.keys = 1;
  plan.failing_percent = 50;
  plan.time_move_max = Duration{1s};
  config::FunctionSettings function;
  function.command = {"/bin/true"};
  function.retry = config::ListedRetry{{Duration{100ms}}};
  function.on_success = kSuccessQueue;
  function.on_failure = kFailureQueue;
  function.dead_letter = kDeadLetterQueue;
  plan.settings.functions[function_name(0)] = function;
  plan.settings.limits.attempts_running_max = 8;
  for (const char* queue : {kSuccessQueue, kFailureQueue, kDeadLetterQueue, kClientQueue}) {
    plan.settings.queues[queue] = config::QueueSettings{};
  }
  return plan;
}

}  // namespace holdfast::sim
