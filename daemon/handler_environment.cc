#include "daemon/handler_environment.h"

#include <cstdlib>
#include <map>

#include "storage/base/time.h"

namespace holdfast::daemon {

namespace {

using Variables = std::map<std::string, std::string>;

Variables common(const std::string& function, const config::FunctionSettings& settings) {
  Variables variables;
  for (const char* name : {"PATH", "HOME", "LANG", "TZ"}) {
    if (const char* value = std::getenv(name)) variables[name] = value;
  }
  for (const auto& [name, value] : settings.environment) variables[name] = value;
  variables["HOLDFAST_FUNCTION_NAME"] = function;
  return variables;
}

std::vector<std::string> lines(const Variables& variables) {
  std::vector<std::string> environment;
  environment.reserve(variables.size());
  for (const auto& [name, value] : variables) environment.push_back(name + "=" + value);
  return environment;
}

}  // namespace

std::vector<std::string> handler_environment(const core::StartAttempt& start,
                                             storage::BoxTag box) {
  Variables variables = common(start.function, *start.settings);
  variables["HOLDFAST_REQUEST_ID"] = storage::to_request_id(start.event, box);
  variables["HOLDFAST_ATTEMPT"] = std::to_string(start.attempt.value);
  variables["HOLDFAST_DEADLINE_MS"] = std::to_string(to_ms(start.deadline_wall));
  variables["HOLDFAST_INVOCATION_TYPE"] =
      start.type == storage::InvocationType::event ? "Event" : "RequestResponse";
  if (!start.idempotency_key.empty()) {
    variables["HOLDFAST_IDEMPOTENCY_KEY"] = start.idempotency_key;
  }
  return lines(variables);
}

std::vector<std::string> persistent_environment(const std::string& function,
                                                const config::FunctionSettings& settings) {
  Variables variables = common(function, settings);
  variables["HOLDFAST_FRAMING"] =
      settings.framing == config::Framing::json_lines ? "json-lines" : "length-prefixed";
  return lines(variables);
}

}  // namespace holdfast::daemon
