#include "daemon/core/invocation_record.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace holdfast::core {
namespace {

using storage::Condition;

InvocationRecord exhausted() {
  return InvocationRecord{"e4b46cbf-b738-8880-a18c-df61200e0000",
                          "resize",
                          Condition::retries_exhausted,
                          3,
                          from_ms<WallTime>(1573755365568),
                          R"({"the":"event"})",
                          false,
                          true,
                          R"({"errorType":"E"})"};
}

nlohmann::json parsed(const InvocationRecord& record) {
  return nlohmann::json::parse(to_json(record));
}

TEST(InvocationRecord, HasTheFieldsOfLambda) {
  EXPECT_EQ(parsed(exhausted()), nlohmann::json::parse(R"({
    "version": "1.0",
    "timestamp": "2019-11-14T18:16:05.568Z",
    "requestContext": {
      "requestId": "e4b46cbf-b738-8880-a18c-df61200e0000",
      "functionArn": "arn:aws:lambda:local:000000000000:function:resize:$LATEST",
      "condition": "RetriesExhausted",
      "approximateInvokeCount": 3
    },
    "requestPayload": {"the": "event"},
    "responseContext": {
      "statusCode": 200,
      "executedVersion": "$LATEST",
      "functionError": "Unhandled"
    },
    "responsePayload": {"errorType": "E"}
  })"));
}

TEST(InvocationRecord, ASuccessHasNoFunctionError) {
  InvocationRecord record = exhausted();
  record.succeeded = true;
  record.condition = Condition::success;
  record.response = "null";
  const nlohmann::json json = parsed(record);
  EXPECT_EQ(json["requestContext"]["condition"], "Success");
  EXPECT_FALSE(json["responseContext"].contains("functionError"));
  EXPECT_TRUE(json["responsePayload"].is_null());
}

TEST(InvocationRecord, AnEventThatNeverRanHasNoResponse) {
  InvocationRecord record = exhausted();
  record.ran = false;
  record.invoke_count = 0;
  record.condition = Condition::event_age_exceeded;
  const nlohmann::json json = parsed(record);
  EXPECT_EQ(json["requestContext"]["condition"], "EventAgeExceeded");
  EXPECT_FALSE(json.contains("responseContext"));
  EXPECT_FALSE(json.contains("responsePayload"));
}

TEST(InvocationRecord, LeavesJsonAsItIsByteForByte) {
  InvocationRecord record = exhausted();
  record.payload = R"({"n": 12345678901234567890.12345})";
  EXPECT_NE(to_json(record).find(record.payload), std::string::npos);
}

struct Base64Case {
  const char* name;
  std::string payload;
  const char* expected;
};
class Base64Test : public testing::TestWithParam<Base64Case> {};

TEST_P(Base64Test, CarriesWhatIsNotJson) {
  InvocationRecord record = exhausted();
  record.payload = GetParam().payload;
  record.response = GetParam().payload;
  const nlohmann::json json = parsed(record);
  EXPECT_EQ(json["requestPayload"], GetParam().expected);
  EXPECT_EQ(json["requestPayloadEncoding"], "base64");
  EXPECT_EQ(json["responsePayload"], GetParam().expected);
  EXPECT_EQ(json["responsePayloadEncoding"], "base64");
}

INSTANTIATE_TEST_SUITE_P(
    Payloads, Base64Test,
    testing::Values(Base64Case{"nothing", "", ""},
                    Base64Case{"one_byte", "f", "Zg=="},
                    Base64Case{"two_bytes", "fo", "Zm8="},
                    Base64Case{"three_bytes", "foo", "Zm9v"},
                    Base64Case{"not_utf8", "\"\xFF\xFE\"", "Iv/+Ig=="},
                    Base64Case{"a_zero_byte", std::string{"\0", 1}, "AA=="},
                    Base64Case{"json_with_something_behind", "{} x", "e30geA=="}),
    [](const auto& test) { return std::string{test.param.name}; });

TEST(ErrorObject, SurvivesQuotesAndBrokenUtf8) {
  const nlohmann::json json =
      nlohmann::json::parse(error_object("Type\"", "line\nand \xFF", "id"));
  EXPECT_EQ(json["errorType"], "Type\"");
  EXPECT_EQ(json["errorMessage"], "line\nand \xEF\xBF\xBD");
  EXPECT_EQ(json["requestId"], "id");
}

TEST(IsoTime, HasMillisecondsAlsoBefore1970) {
  EXPECT_EQ(iso_time(from_ms<WallTime>(0)), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(iso_time(from_ms<WallTime>(1)), "1970-01-01T00:00:00.001Z");
  EXPECT_EQ(iso_time(from_ms<WallTime>(-1)), "1969-12-31T23:59:59.999Z");
}

}  // namespace
}  // namespace holdfast::core
