// One checker for all operations: a map of fields against its row of the table.
#include <algorithm>
#include <array>
#include <bitset>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "daemon/api/errors.h"
#include "daemon/api/operations.h"
#include "daemon/api/text.h"
#include "storage/base/check.h"

namespace holdfast::api {
namespace {

using Checked = std::optional<wire::CallError>;

constexpr size_t kFieldsMax = 32;  // of an operation

std::string type_word(msgpack::type::object_type type) {
  switch (type) {
    case msgpack::type::NIL: return "nil (leave the field out instead)";
    case msgpack::type::BOOLEAN: return "a boolean";
    case msgpack::type::POSITIVE_INTEGER:
    case msgpack::type::NEGATIVE_INTEGER: return "an integer";
    case msgpack::type::FLOAT32:
    case msgpack::type::FLOAT64: return "a float";
    case msgpack::type::STR: return "a str";
    case msgpack::type::BIN: return "a bin";
    case msgpack::type::ARRAY: return "an array";
    case msgpack::type::MAP: return "a map";
    case msgpack::type::EXT: return "an extension";
  }
  return "of an unknown type";
}

std::string range_of(const Field& field) {
  if (field.min == field.max) return std::to_string(field.max);
  return std::to_string(field.min) + " to " + std::to_string(field.max);
}

std::string joined(std::span<const std::string_view> words) {
  std::string text;
  for (const std::string_view word : words) {
    if (!text.empty()) text += ", ";
    text += word;
  }
  return text;
}

std::string_view alphabet_text(Alphabet alphabet) {
  switch (alphabet) {
    case Alphabet::any: return "UTF-8 without a zero byte";
    case Alphabet::name: return "[a-zA-Z0-9-_]";
    case Alphabet::uuid: return "[0-9a-fA-F-], a RequestId as it was answered";
  }
  CHECK(!"an alphabet without a description");
  return {};
}

// What may stand in the field, as the end of a sentence.
std::string allowed(const Field& field) {
  if (!field.words.empty()) return "a str, one of " + joined(field.words);
  switch (field.type) {
    case FieldType::number: return "an integer from " + range_of(field);
    case FieldType::bytes: return "a bin or str of " + range_of(field) + " bytes";
    case FieldType::texts:
      return "a map of str to str, each name given once and not empty, of at most " +
             std::to_string(field.max) + " bytes in all";
    case FieldType::numbers:
      return "a map of at most " + std::to_string(field.max) +
             " entries, RequestIds as they were answered to attempt numbers";
    case FieldType::text:
      return "a str of " + range_of(field) + " bytes of " +
             std::string{alphabet_text(field.alphabet)};
  }
  CHECK(!"a field type without a description");
  return {};
}

wire::CallError wrong(const Field& field, std::string_view what, const std::string& came) {
  return call_error(kInvalidParameterValue, std::string{field.name} + " " + std::string{what} +
                                                " " + came + "; it must be " + allowed(field));
}

wire::CallError too_large(const Field& field, size_t bytes) {
  return call_error(wire::kRequestTooLarge, std::string{field.name} + " has " +
                                                std::to_string(bytes) + " bytes; it must be " +
                                                allowed(field));
}

constexpr std::array<bool, 256> set_of(std::string_view characters) {
  std::array<bool, 256> set{};
  for (const char one : characters) set[static_cast<uint8_t>(one)] = true;
  return set;
}

bool all_in(const std::array<bool, 256>& set, std::string_view text) {
  return std::ranges::all_of(text, [&](char one) { return set[static_cast<uint8_t>(one)]; });
}

bool in_alphabet(std::string_view text, Alphabet alphabet) {
  static constexpr auto kName =
      set_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");
  static constexpr auto kUuid = set_of("0123456789abcdefABCDEF-");
  switch (alphabet) {
    case Alphabet::any: return text.find('\0') == text.npos && is_utf8(text);
    case Alphabet::name: return all_in(kName, text);
    case Alphabet::uuid: return all_in(kUuid, text);
  }
  CHECK(!"an alphabet without a rule");
  return false;
}

Checked check_text(const Field& field, const msgpack::object& value) {
  const std::optional<std::string_view> text = wire::as_text(value);
  if (!text) return wrong(field, "is", type_word(value.type));
  if (!field.words.empty()) {
    for (const std::string_view word : field.words) {
      if (*text == word) return std::nullopt;
    }
    return wrong(field, "is", shown(*text));
  }
  const auto bytes = static_cast<int64_t>(text->size());
  if (bytes < field.min || bytes > field.max) {
    return wrong(field, "has", std::to_string(bytes) + " bytes");
  }
  if (!in_alphabet(*text, field.alphabet)) return wrong(field, "is", shown(*text));
  return std::nullopt;
}

Checked check_bytes(const Field& field, const msgpack::object& value) {
  const std::optional<std::string_view> bytes = wire::as_bytes(value);
  if (!bytes) return wrong(field, "is", type_word(value.type));
  if (static_cast<int64_t>(bytes->size()) > field.max) return too_large(field, bytes->size());
  if (static_cast<int64_t>(bytes->size()) < field.min) {
    return wrong(field, "has", std::to_string(bytes->size()) + " bytes");
  }
  return std::nullopt;
}

Checked check_number(const Field& field, const msgpack::object& value) {
  if (value.type != msgpack::type::POSITIVE_INTEGER &&
      value.type != msgpack::type::NEGATIVE_INTEGER) {
    return wrong(field, "is", type_word(value.type));
  }
  const std::optional<int64_t> number = wire::as_int(value);
  if (!number) return wrong(field, "is", std::to_string(value.via.u64));
  if (*number < field.min || *number > field.max) {
    return wrong(field, "is", std::to_string(*number));
  }
  return std::nullopt;
}

Checked check_texts(const Field& field, const msgpack::object& value) {
  if (value.type != msgpack::type::MAP) return wrong(field, "is", type_word(value.type));
  const std::span entries{value.via.map.ptr, value.via.map.size};
  size_t bytes = 0;
  for (const msgpack::object_kv& entry : entries) {
    const std::optional<std::string_view> name = wire::as_text(entry.key);
    const std::optional<std::string_view> text = wire::as_text(entry.val);
    if (!name) return wrong(field, "has a name that is", type_word(entry.key.type));
    if (!text) {
      return wrong(field, "has under " + shown(*name), type_word(entry.val.type));
    }
    bytes += name->size() + text->size();
  }
  if (static_cast<int64_t>(bytes) > field.max) return too_large(field, bytes);
  std::set<std::string_view> names;
  for (const msgpack::object_kv& entry : entries) {
    const std::string_view name = *wire::as_text(entry.key);
    if (name.empty()) return wrong(field, "has", "an empty name");
    if (!names.insert(name).second) return wrong(field, "has twice the name", shown(name));
    if (!in_alphabet(name, Alphabet::any) ||
        !in_alphabet(*wire::as_text(entry.val), Alphabet::any)) {
      return call_error(kInvalidParameterValue,
                        std::string{field.name} + " has under " + shown(name) +
                            " what is no text; names and values must be " +
                            std::string{alphabet_text(Alphabet::any)});
    }
  }
  return std::nullopt;
}

Checked check_numbers(const Field& field, const msgpack::object& value) {
  if (value.type != msgpack::type::MAP) return wrong(field, "is", type_word(value.type));
  const std::span entries{value.via.map.ptr, value.via.map.size};
  if (static_cast<int64_t>(entries.size()) > field.max) {
    return wrong(field, "has", std::to_string(entries.size()) + " entries");
  }
  for (const msgpack::object_kv& entry : entries) {
    const std::optional<std::string_view> name = wire::as_text(entry.key);
    if (!name) return wrong(field, "has a name that is", type_word(entry.key.type));
    const std::optional<int64_t> number = wire::as_int(entry.val);
    if (!number || *number < 1 || *number > UINT32_MAX) {
      return wrong(field, "has under " + shown(*name), "what is no attempt number");
    }
  }
  return std::nullopt;
}

Checked check_field(const Field& field, const msgpack::object& value) {
  switch (field.type) {
    case FieldType::text: return check_text(field, value);
    case FieldType::bytes: return check_bytes(field, value);
    case FieldType::number: return check_number(field, value);
    case FieldType::texts: return check_texts(field, value);
    case FieldType::numbers: return check_numbers(field, value);
  }
  CHECK(!"a field type without a check");
  return std::nullopt;
}

wire::CallError unknown_field(const Operation& operation, std::string_view name) {
  std::vector<std::string_view> names;
  for (const Field& field : operation.fields) names.push_back(field.name);
  return call_error(kInvalidParameterValue,
                    std::string{operation.name} + " has no field " + shown(name) + "; it takes " +
                        (names.empty() ? "no fields" : joined(names)));
}

}  // namespace

std::optional<wire::CallError> check_params(const Operation& operation,
                                            const msgpack::object& params) {
  CHECK(params.type == msgpack::type::MAP);
  CHECK(operation.fields.size() <= kFieldsMax);
  std::bitset<kFieldsMax> given;
  for (const msgpack::object_kv& entry : std::span{params.via.map.ptr, params.via.map.size}) {
    const std::optional<std::string_view> name = wire::as_text(entry.key);
    if (!name) {
      return call_error(kInvalidParameterValue, "a field's name is " + type_word(entry.key.type) +
                                                    "; it must be a str");
    }
    size_t at = 0;
    while (at < operation.fields.size() && operation.fields[at].name != *name) ++at;
    if (at == operation.fields.size()) return unknown_field(operation, *name);
    if (given[at]) {
      return call_error(kInvalidParameterValue,
                        std::string{*name} + " is given twice; it must be given once");
    }
    given[at] = true;
    if (Checked error = check_field(operation.fields[at], entry.val)) return error;
  }
  for (size_t at = 0; at < operation.fields.size(); ++at) {
    const Field& field = operation.fields[at];
    if (!field.required || given[at]) continue;
    return call_error(kInvalidParameterValue, std::string{field.name} + " is missing; " +
                                                  std::string{operation.name} + " needs it: " +
                                                  allowed(field));
  }
  return std::nullopt;
}

}  // namespace holdfast::api
