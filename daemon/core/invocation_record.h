// The invocation record that destinations receive: AWS Lambda's JSON (Developer Guide,
// "Retaining records of asynchronous invocations"), and the error object of a failed
// function. client/PROTOCOL.md, sections 4 and 9.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "storage/records.h"

namespace holdfast::core {

struct InvocationRecord {
  std::string_view request_id;
  std::string_view function;
  storage::Condition condition;
  uint32_t invoke_count;
  WallTime ended_wall;
  std::string_view payload;
  bool succeeded;
  bool ran;  // false: it ended without an attempt, and has no response
  std::string_view response;  // result, or error object
};
std::string to_json(const InvocationRecord& record);

// {"errorType", "errorMessage", "requestId"}
std::string error_object(std::string_view error_type, std::string_view error_message,
                         std::string_view request_id);

// "Success", "RetriesExhausted", ...
std::string_view name(storage::Condition condition);

// 2019-11-14T18:16:05.568Z
std::string iso_time(WallTime at);

}  // namespace holdfast::core
