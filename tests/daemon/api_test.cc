// The table of operations, and the checker that holds requests against it.
#include "daemon/api/operations.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <map>

#include "daemon/api/errors.h"
#include "daemon/api/text.h"
#include "tests/daemon/api_support.h"

namespace holdfast::api {
namespace {

// A value of the field with this many bytes, or of this number.
void pack_sized(wire::MapWriter& map, const Field& field, int64_t size) {
  const auto bytes = static_cast<size_t>(std::max<int64_t>(size, 0));
  switch (field.type) {
    case FieldType::text:
      map.text(field.name, std::string(bytes, 'a'));
      return;
    case FieldType::bytes:
      map.bytes(field.name, std::string(bytes, '\xFF'));
      return;
    case FieldType::number:
      map.number(field.name, size);
      return;
    case FieldType::texts: {
      wire::MapWriter texts = map.map(field.name);
      if (bytes > 0) texts.text("n", std::string(bytes - 1, 'v'));
      return;
    }
    case FieldType::numbers: {
      wire::MapWriter numbers = map.map(field.name);
      for (int64_t n = 1; n <= size; ++n) numbers.number(std::to_string(n), n);
      return;
    }
  }
}

void pack_valid(wire::MapWriter& map, const Field& field) {
  if (!field.words.empty()) {
    map.text(field.name, field.words.front());
  } else {
    pack_sized(map, field, field.min);
  }
}

void pack_required(wire::MapWriter& map, const Operation& operation, std::string_view except) {
  for (const Field& field : operation.fields) {
    if (field.required && field.name != except) pack_valid(map, field);
  }
}

std::optional<wire::CallError> check(const Operation& operation, const PackParams& pack) {
  return check_params(operation, request(operation.name, pack).params.get());
}

// The required fields, and this one with another value.
std::optional<wire::CallError> check_with(const Operation& operation, const Field& field,
                                          const PackParams& pack) {
  return check(operation, [&](wire::MapWriter& map) {
    pack_required(map, operation, field.name);
    pack(map);
  });
}

template <class Visit>
void for_every_field(Visit visit) {
  for (const Operation& operation : operations()) {
    for (const Field& field : operation.fields) {
      SCOPED_TRACE(std::string{operation.name} + "." + std::string{field.name});
      visit(operation, field);
    }
  }
}

void expect_error(const std::optional<wire::CallError>& error, std::string_view type,
                  std::string_view named) {
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->type, type) << error->message;
  EXPECT_NE(error->message.find(named), std::string::npos) << error->message;
  EXPECT_LT(error->message.size(), 512u);
}

// --- the table -------------------------------------------------------------

struct Limit {
  std::string_view operation;
  std::string_view field;
  bool required;
  int64_t min;
  int64_t max;
};
// As client/PROTOCOL.md tells them, written down a second time.
constexpr std::array kLimits{
    Limit{"Invoke", "FunctionName", true, 1, 64},
    Limit{"Invoke", "InvocationType", false, 1, 15},
    Limit{"Invoke", "Payload", false, 0, 6291556},
    Limit{"Invoke", "IdempotencyKey", false, 1, 256},
    Limit{"Invoke", "DelaySeconds", false, 0, 1209600},
    Limit{"GetEvent", "RequestId", true, 36, 36},
    Limit{"GetEvent", "WaitSeconds", false, 0, 20},
    Limit{"ListEvents", "FunctionName", false, 1, 64},
    Limit{"ListEvents", "State", false, 1, 9},
    Limit{"ListEvents", "MaxItems", false, 1, 1000},
    Limit{"ListEvents", "Marker", false, 1, 128},
    Limit{"CancelEvent", "RequestId", true, 36, 36},
    Limit{"GetEventPayload", "RequestId", true, 36, 36},
    Limit{"ListDeadLetters", "FunctionName", false, 1, 64},
    Limit{"ListDeadLetters", "MaxItems", false, 1, 1000},
    Limit{"ListDeadLetters", "Marker", false, 1, 128},
    Limit{"GetDeadLetter", "RequestId", true, 36, 36},
    Limit{"RedriveDeadLetters", "RequestId", false, 36, 36},
    Limit{"RedriveDeadLetters", "FunctionName", false, 1, 64},
    Limit{"RedriveDeadLetters", "Marker", false, 1, 128},
    Limit{"DiscardDeadLetters", "RequestId", false, 36, 36},
    Limit{"DiscardDeadLetters", "FunctionName", false, 1, 64},
    Limit{"DiscardDeadLetters", "Marker", false, 1, 128},
    Limit{"SendMessage", "QueueName", true, 1, 64},
    Limit{"SendMessage", "MessageBody", true, 1, 1048576},
    Limit{"SendMessage", "MessageAttributes", false, 0, 8192},
    Limit{"SendMessage", "DelaySeconds", false, 0, 900},
    Limit{"ReceiveMessage", "QueueName", true, 1, 64},
    Limit{"ReceiveMessage", "MaxNumberOfMessages", false, 1, 10},
    Limit{"ReceiveMessage", "VisibilityTimeout", false, 0, 43200},
    Limit{"DeleteMessage", "QueueName", true, 1, 64},
    Limit{"DeleteMessage", "ReceiptHandle", true, 1, 128},
    Limit{"AttachWorker", "FunctionName", true, 1, 64},
    Limit{"AttachWorker", "Concurrency", true, 1, 1024},
    Limit{"AttachWorker", "Held", false, 0, 1024},
    Limit{"SendAttemptSuccess", "RequestId", true, 36, 36},
    Limit{"SendAttemptSuccess", "Attempt", true, 1, 4294967295},
    Limit{"SendAttemptSuccess", "Result", false, 0, 6291556},
    Limit{"SendAttemptFailure", "RequestId", true, 36, 36},
    Limit{"SendAttemptFailure", "Attempt", true, 1, 4294967295},
    Limit{"SendAttemptFailure", "ErrorType", false, 0, 128},
    Limit{"SendAttemptFailure", "ErrorMessage", false, 0, 1024},
    Limit{"SendAttemptFailure", "LogTail", false, 0, 4096},
    Limit{"SendAttemptHeartbeat", "RequestId", true, 36, 36},
    Limit{"SendAttemptHeartbeat", "Attempt", true, 1, 4294967295},
};

TEST(Operations, FieldsAndLimitsAreThoseThatWerePromised) {
  size_t at = 0;
  for_every_field([&](const Operation& operation, const Field& field) {
    ASSERT_LT(at, kLimits.size());
    const Limit& limit = kLimits[at++];
    EXPECT_EQ(operation.name, limit.operation);
    EXPECT_EQ(field.name, limit.field);
    EXPECT_EQ(field.required, limit.required);
    EXPECT_EQ(field.min, limit.min);
    EXPECT_EQ(field.max, limit.max);
  });
  EXPECT_EQ(at, kLimits.size());
}

TEST(Operations, EveryFieldPassesAtItsLimitsAndFailsOneBeyond) {
  for_every_field([](const Operation& operation, const Field& field) {
    if (!field.words.empty()) return;
    const auto sized = [&](int64_t size) {
      return check_with(operation, field,
                        [&](wire::MapWriter& map) { pack_sized(map, field, size); });
    };
    for (const int64_t size : {field.min, field.max}) {
      const auto error = sized(size);
      EXPECT_FALSE(error.has_value()) << size << ": " << error->message;
    }
    const bool large = field.type == FieldType::bytes || field.type == FieldType::texts;
    expect_error(sized(field.max + 1), large ? wire::kRequestTooLarge : kInvalidParameterValue,
                 field.name);
    if (field.min > 0 || field.type == FieldType::number) {
      expect_error(sized(field.min - 1), kInvalidParameterValue, field.name);
    }
  });
}

TEST(Operations, AFieldOfWordsTakesEachOfThemAndNoOther) {
  size_t fields = 0;
  for_every_field([&](const Operation& operation, const Field& field) {
    if (field.words.empty()) return;
    ++fields;
    const auto with = [&](std::string_view word) {
      return check_with(operation, field,
                        [&](wire::MapWriter& map) { map.text(field.name, word); });
    };
    for (const std::string_view word : field.words) EXPECT_FALSE(with(word).has_value()) << word;
    for (const std::string_view word : {"", "event", "EVENT ", "Pending"}) {
      expect_error(with(word), kInvalidParameterValue, field.name);
    }
    expect_error(with("nonsense"), kInvalidParameterValue, field.words.back());
  });
  EXPECT_EQ(fields, 2u);
}

TEST(Operations, EveryFieldRefusesEveryOtherType) {
  const std::map<std::string, std::function<void(std::string&)>> values{
      {"nil", [](std::string& out) { wire::append_nil(out); }},
      {"boolean", [](std::string& out) { wire::append_bool(out, true); }},
      {"integer", [](std::string& out) { wire::append_int(out, 1); }},
      {"float",
       [](std::string& out) {
         wire::StringSink sink{out};
         wire::Packer{sink}.pack_double(1.5);
       }},
      {"str", [](std::string& out) { wire::append_str(out, "a"); }},
      {"bin", [](std::string& out) { wire::append_bin(out, "a"); }},
      {"array", [](std::string& out) { wire::append_array_head(out, 0); }},
      {"map", [](std::string& out) { wire::MapWriter{out}; }},
  };
  const std::map<FieldType, std::string> own{{FieldType::text, "str"},
                                             {FieldType::bytes, "str bin"},
                                             {FieldType::number, "integer"},
                                             {FieldType::texts, "map"},
                                             {FieldType::numbers, "map"}};
  for_every_field([&](const Operation& operation, const Field& field) {
    for (const auto& [type, append] : values) {
      if (own.at(field.type).find(type) != std::string::npos) continue;
      SCOPED_TRACE(type);
      const auto error = check_with(operation, field, [&](wire::MapWriter& map) {
        append(map.value_of(field.name));
      });
      expect_error(error, kInvalidParameterValue, field.name);
      if (!error) continue;
      EXPECT_NE(error->message.find(type), std::string::npos) << error->message;
    }
  });
}

TEST(Operations, AMissingAnUnknownAndARepeatedFieldAreNamed) {
  for_every_field([](const Operation& operation, const Field& field) {
    const auto without = check(
        operation, [&](wire::MapWriter& map) { pack_required(map, operation, field.name); });
    if (field.required) {
      expect_error(without, kInvalidParameterValue, field.name);
    } else {
      EXPECT_FALSE(without.has_value()) << without->message;
    }
    const auto twice = check_with(operation, field, [&](wire::MapWriter& map) {
      pack_valid(map, field);
      pack_valid(map, field);
    });
    expect_error(twice, kInvalidParameterValue, field.name);
  });
  for (const Operation& operation : operations()) {
    const auto error = check(operation, [&](wire::MapWriter& map) {
      pack_required(map, operation, "");
      map.text("functionname", "resize");
    });
    expect_error(error, kInvalidParameterValue, "functionname");
  }
}

TEST(Operations, AFieldNameThatIsNoTextOrALongOneIsRefusedBriefly) {
  const Operation& status = *find_operation("GetStatus");
  expect_error(check(status, [](wire::MapWriter& map) {
                 map.text(std::string(100000, '\xFF'), "x");
               }),
               kInvalidParameterValue, "has no field");
  msgpack::zone zone;
  const std::map<int, int> numbers{{1, 2}};
  expect_error(check_params(status, msgpack::object{numbers, zone}), kInvalidParameterValue,
               "a field's name is an integer");
}

TEST(Operations, NumbersBeyondAnyIntegerOfOursAreOutOfRange) {
  const auto wait = [](const std::function<void(std::string&)>& append) {
    return check(*find_operation("GetEvent"), [&](wire::MapWriter& map) {
      map.text("RequestId", request_id(1));
      append(map.value_of("WaitSeconds"));
    });
  };
  expect_error(wait([](std::string& out) {
                 wire::append_uint(out, std::numeric_limits<uint64_t>::max());
               }),
               kInvalidParameterValue, "18446744073709551615");
  expect_error(wait([](std::string& out) {
                 wire::append_int(out, std::numeric_limits<int64_t>::min());
               }),
               kInvalidParameterValue, "-9223372036854775808");
}

TEST(Operations, TextsAreUtf8WithoutAZeroByteAndNamesHaveTheirLetters) {
  const auto key = [](std::string_view text) {
    return check(*find_operation("Invoke"), [&](wire::MapWriter& map) {
      map.text("FunctionName", "resize").text("IdempotencyKey", text);
    });
  };
  EXPECT_FALSE(key("order 4711, caf\xC3\xA9").has_value());
  expect_error(key("\xFF"), kInvalidParameterValue, "IdempotencyKey");
  expect_error(key(std::string_view{"a\0b", 3}), kInvalidParameterValue, "IdempotencyKey");
  const auto name = [](std::string_view text) {
    return check(*find_operation("Invoke"),
                 [&](wire::MapWriter& map) { map.text("FunctionName", text); });
  };
  EXPECT_FALSE(name("azAZ09-_").has_value());
  for (const char* text : {"a b", "a.b", "a/b", "\xC3\xA9", "a\n"}) {
    expect_error(name(text), kInvalidParameterValue, "FunctionName");
  }
}

TEST(Operations, MessageAttributesAreTextsWithDifferentNames) {
  const auto attributes = [](const PackParams& pack) {
    return check(*find_operation("SendMessage"), [&](wire::MapWriter& map) {
      map.text("QueueName", "done").bytes("MessageBody", "b");
      wire::MapWriter texts = map.map("MessageAttributes");
      pack(texts);
    });
  };
  using wire::MapWriter;
  EXPECT_FALSE(attributes([](MapWriter& map) { map.text("a", "").text("b", "1"); }).has_value());
  for (const PackParams& pack : {
           PackParams{[](MapWriter& map) { map.text("a", "1").text("a", "2"); }},
           PackParams{[](MapWriter& map) { map.text("", "1"); }},
           PackParams{[](MapWriter& map) { map.number("a", 1); }},
           PackParams{[](MapWriter& map) { map.bytes("a", "1"); }},
           PackParams{[](MapWriter& map) { map.text("a", "\xFF"); }},
           PackParams{[](MapWriter& map) { map.text("\xFF", "a"); }},
       }) {
    expect_error(attributes(pack), kInvalidParameterValue, "MessageAttributes");
  }
}

TEST(Operations, HeldAttemptsAreNumbersUnderRequestIds) {
  const auto held = [](const PackParams& pack) {
    return check(*find_operation("AttachWorker"), [&](wire::MapWriter& map) {
      map.text("FunctionName", "resize").number("Concurrency", 1);
      wire::MapWriter numbers = map.map("Held");
      pack(numbers);
    });
  };
  using wire::MapWriter;
  EXPECT_FALSE(held([](MapWriter& map) { map.number(request_id(1), 7); }).has_value());
  for (const PackParams& pack : {
           PackParams{[](MapWriter& map) { map.number(request_id(1), 0); }},
           PackParams{[](MapWriter& map) { map.number(request_id(1), -1); }},
           PackParams{[](MapWriter& map) { map.number(request_id(1), int64_t{1} << 32); }},
           PackParams{[](MapWriter& map) { map.text(request_id(1), "7"); }},
       }) {
    expect_error(held(pack), kInvalidParameterValue, "Held");
  }
}

TEST(Text, MendingReplacesEveryByteThatBelongsToNoCharacter) {
  const std::string bad = "\xEF\xBF\xBD";
  const std::map<std::string, std::string> cases{
      {"", ""},
      {"plain", "plain"},
      {"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"},
      {"\xE2\x82", bad + bad},              // cut
      {"a\xFFz", "a" + bad + "z"},
      {"\xC0\x80", bad + bad},              // longer than needed
      {"\xED\xA0\x80", bad + bad + bad},    // a surrogate
      {"\xF4\x90\x80\x80", bad + bad + bad + bad},
      {"\xE0\x9F\xBF", bad + bad + bad},
  };
  for (const auto& [bytes, text] : cases) {
    EXPECT_EQ(mended(bytes), text);
    EXPECT_EQ(is_utf8(bytes), bytes == text);
    EXPECT_TRUE(is_utf8(mended(bytes)));
  }
}

}  // namespace
}  // namespace holdfast::api
