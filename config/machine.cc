#include "config/machine.h"

#include <algorithm>
#include <string_view>

namespace holdfast::config {
namespace {

void lower(uint32_t& setting, uint64_t most, std::string_view name, const Machine& machine,
           std::vector<std::string>& warnings) {
  if (setting <= most) return;
  setting = static_cast<uint32_t>(std::max<uint64_t>(most, 1));
  warnings.push_back(std::string{name} + ": lowered to " + std::to_string(setting) +
                     ", because the daemon may have only " +
                     std::to_string(machine.descriptors_max) +
                     " open files here; raise LimitNOFILE in the systemd unit, or `ulimit -n`");
}

// All in the same proportion, and none below one.
void lower_pools(std::map<std::string, FunctionSettings>& functions, uint64_t processes,
                 uint64_t most, const Machine& machine, std::vector<std::string>& warnings) {
  for (auto& [name, function] : functions) {
    if (!function.is_persistent()) continue;
    lower(function.concurrency_max, function.concurrency_max * most / processes,
          "functions." + name + ".concurrency_max", machine, warnings);
    function.concurrency_min = std::min(function.concurrency_min, function.concurrency_max);
  }
}

uint64_t persistent_processes(const Settings& settings) {
  uint64_t processes = 0;
  for (const auto& [name, function] : settings.functions) {
    if (function.is_persistent()) processes += function.concurrency_max;
  }
  return processes;
}

}  // namespace

std::vector<std::string> fit(Settings& settings, const Machine& machine) {
  std::vector<std::string> warnings;
  LimitSettings& limits = settings.limits;
  if (limits.attempts_running_max == 0) {
    limits.attempts_running_max = 4 * std::max<uint32_t>(machine.processors, 1);
  }
  const uint64_t shared = machine.descriptors_max - std::min(machine.descriptors_max,
                                                             kDescriptorsKept);
  lower(limits.attempts_running_max, shared / 2 / kDescriptorsOfAttempt,
        "limits.attempts_running_max", machine, warnings);
  const uint64_t processes_most = shared / 4 / kDescriptorsOfAttempt;
  if (const uint64_t processes = persistent_processes(settings); processes > processes_most) {
    lower_pools(settings.functions, processes, processes_most, machine, warnings);
  }
  const uint64_t of_attempts =
      kDescriptorsOfAttempt * (limits.attempts_running_max + persistent_processes(settings));
  lower(limits.connections_max, shared - std::min(shared, of_attempts), "limits.connections_max",
        machine, warnings);
  return warnings;
}

}  // namespace holdfast::config
