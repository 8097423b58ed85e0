#include "daemon/core/invocation_record.h"

#include <array>
#include <cstdio>
#include <ctime>

#include "daemon/core/json_text.h"
#include "storage/base/check.h"

namespace holdfast::core {

std::string_view name(storage::Condition condition) {
  switch (condition) {
    case storage::Condition::success: return "Success";
    case storage::Condition::retries_exhausted: return "RetriesExhausted";
    case storage::Condition::event_age_exceeded: return "EventAgeExceeded";
    case storage::Condition::interrupted: return "Interrupted";
    case storage::Condition::cancelled: return "Cancelled";
    case storage::Condition::function_error: return "FunctionError";
  }
  check_failed("every case has returned", __FILE__, __LINE__);
}

std::string iso_time(WallTime at) {
  const int64_t ms = to_ms(at);
  int64_t seconds = ms / 1000;
  int64_t rest = ms % 1000;
  if (rest < 0) {
    rest += 1000;
    seconds -= 1;
  }
  const std::time_t time = static_cast<std::time_t>(seconds);
  std::tm parts{};
  gmtime_r(&time, &parts);
  std::array<char, 64> text{};
  const size_t bytes = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  std::array<char, 8> fraction{};
  std::snprintf(fraction.data(), fraction.size(), ".%03dZ", static_cast<int>(rest));
  return std::string{text.data(), bytes} + fraction.data();
}

std::string error_object(std::string_view error_type, std::string_view error_message,
                         std::string_view request_id) {
  return "{\"errorType\":" + quoted(error_type) + ",\"errorMessage\":" + quoted(error_message) +
         ",\"requestId\":" + quoted(request_id) + "}";
}

std::string to_json(const InvocationRecord& record) {
  std::string out = "{\"version\":\"1.0\",\"timestamp\":\"" + iso_time(record.ended_wall) + "\"";
  out += ",\"requestContext\":{\"requestId\":" + quoted(record.request_id);
  out += ",\"functionArn\":\"arn:aws:lambda:local:000000000000:function:";
  out += record.function;
  out += ":$LATEST\",\"condition\":\"";
  out += name(record.condition);
  out += "\",\"approximateInvokeCount\":" + std::to_string(record.invoke_count) + "}";
  out += ",";
  append_json(out, "requestPayload", record.payload);
  if (record.ran) {
    out += ",\"responseContext\":{\"statusCode\":200,\"executedVersion\":\"$LATEST\"";
    if (!record.succeeded) out += ",\"functionError\":\"Unhandled\"";
    out += "}";
    out += ",";
    append_json(out, "responsePayload", record.response);
  }
  out += "}";
  return out;
}

}  // namespace holdfast::core
