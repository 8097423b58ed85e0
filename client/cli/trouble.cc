#include "client/cli/trouble.h"

#include "client/cli/output.h"
#include "client/wire/message.h"

namespace holdfast::cli {
namespace {

// Empty when there is no bound, or it is far. In floating point, because byte
// counts times a hundred need not fit in an integer.
std::string fullness(const msgpack::object& map, std::string_view used_key,
                     std::string_view max_key) {
  const auto used = static_cast<double>(number_of(map, used_key));
  const auto max = static_cast<double>(number_of(map, max_key));
  if (max <= 0 || used * 100 < max * static_cast<double>(kFullPercent)) return "";
  return std::to_string(static_cast<int64_t>(used * 100 / max)) + " % full";
}

void look_at_function(const msgpack::object& function, std::vector<std::string>& trouble) {
  const std::string name = text_field(function, "FunctionName");
  if (!is_true(function, "Configured") && number_of(function, "Backlog") > 0) {
    trouble.push_back("function " + name + " is not configured, but " +
                      number_field(function, "Backlog") +
                      " events wait for it: configure it again, or cancel them");
  }
  const msgpack::object* pool = wire::find(function, "Pool");
  if (pool != nullptr && wire::find(*pool, "Broken") != nullptr) {
    trouble.push_back("the command of function " + name +
                      " does not start: " + text_field(*pool, "Broken"));
  }
  const std::string full = fullness(function, "DeadLettersBytes", "DeadLettersBytesMax");
  if (!full.empty()) {
    trouble.push_back("the dead letters of function " + name + " are " + full +
                      ": redrive or discard them");
  }
}

}  // namespace

std::vector<std::string> find_trouble(const msgpack::object& status) {
  std::vector<std::string> trouble;
  const std::string_view state = bytes_of(status, "State");
  if (state == "damaged") {
    trouble.push_back("data is damaged: " + text_field(status, "Damage"));
  } else if (!is_true(status, "Accepting")) {
    trouble.push_back("new events are refused: " + text_field(status, "Refusal"));
  }
  const std::string keys = fullness(status, "IdempotencyBytes", "IdempotencyBytesMax");
  if (!keys.empty()) {
    trouble.push_back("the idempotency keys are " + keys +
                      ": when they are full, events with a key are refused. They expire by "
                      "themselves, or raise idempotency_bytes_max and reload");
  }
  if (is_true(status, "StartsWaitForDisk")) {
    trouble.push_back("attempts wait for disk space: free some, discard dead letters, or receive "
                      "and delete messages");
  }
  if (state != "running" && state != "damaged") {
    trouble.push_back("the daemon is " + text_field(status, "State"));
  }
  for (const msgpack::object* function : rows_of(status, "Functions")) {
    look_at_function(*function, trouble);
  }
  for (const msgpack::object* queue : rows_of(status, "Queues")) {
    const std::string full = fullness(*queue, "Bytes", "BytesMax");
    if (full.empty()) continue;
    trouble.push_back("queue " + text_field(*queue, "QueueName") + " is " + full +
                      ": receive and delete its messages");
  }
  return trouble;
}

}  // namespace holdfast::cli
