#include "daemon/core/invocation_record.h"

#include <array>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>

#include "storage/base/check.h"

namespace holdfast::core {
namespace {

std::string base64(std::string_view bytes) {
  static constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t n = 0; n < bytes.size(); n += 3) {
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k) {
      group = (group << 8) | (n + k < bytes.size() ? static_cast<uint8_t>(bytes[n + k]) : 0u);
    }
    for (size_t k = 0; k < 4; ++k) {
      const bool padding = n + k > bytes.size();
      out.push_back(padding ? '=' : kDigits[(group >> (18 - 6 * k)) & 63]);
    }
  }
  return out;
}

std::string quoted(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// JSON goes in as it is, byte for byte, so that no number loses a digit; everything
// else as a base64 string that says so beside it.
void append_payload(std::string& out, std::string_view name, std::string_view bytes) {
  const bool json = nlohmann::json::accept(bytes.begin(), bytes.end());
  out += ",\"";
  out += name;
  out += "\":";
  if (json) {
    out += bytes;
    return;
  }
  out += "\"" + base64(bytes) + "\",\"";
  out += name;
  out += "Encoding\":\"base64\"";
}

}  // namespace

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
  append_payload(out, "requestPayload", record.payload);
  if (record.ran) {
    out += ",\"responseContext\":{\"statusCode\":200,\"executedVersion\":\"$LATEST\"";
    if (!record.succeeded) out += ",\"functionError\":\"Unhandled\"";
    out += "}";
    append_payload(out, "responsePayload", record.response);
  }
  out += "}";
  return out;
}

}  // namespace holdfast::core
