// Every operation, declared once: its name, who may call it, its fields and their
// limits. client/PROTOCOL.md, section 4, tells the same to people, and a test holds
// the two against each other.
//
//    const Operation* operation = find_operation("GetEvent");
//    if (auto error = check_params(*operation, params)) ...   // names the field
//
// To add a field: one line in operations.cc, and where calls.cc reads it.
//
// Threads  any: constants. Failure  a CallError for the client, never an abort.
#pragma once

#include <cstdint>
#include <msgpack.hpp>
#include <optional>
#include <span>
#include <string_view>

#include "client/wire/message.h"

namespace holdfast::api {

// Whom the kernel says we talk to: the socket's group, or root and our own user.
enum class Role : uint8_t { group, admin };

enum class FieldType : uint8_t {
  text,     // str: UTF-8 without a zero byte
  bytes,    // bin or str
  number,   // integer
  texts,    // map of str to str, counted with all its names and values
  numbers,  // map of str to integers above 0, counted in entries
};

// Which characters a text may have.
enum class Alphabet : uint8_t {
  any,
  name,  // [a-zA-Z0-9-_]
  uuid,  // [0-9a-fA-F-]
};

struct Field {
  std::string_view name;
  FieldType type = FieldType::text;
  bool required = false;
  // Of a number its value, of everything else its bytes. More bytes or texts than
  // `max` are RequestTooLargeException; the rest is InvalidParameterValueException.
  int64_t min = 0;
  int64_t max = 0;
  Alphabet alphabet = Alphabet::any;
  std::span<const std::string_view> words = {};  // if not empty, the only values
};

struct Operation {
  std::string_view name;
  Role role = Role::admin;  // the least that may call it
  std::span<const Field> fields;
  std::string_view description;
};

std::span<const Operation> operations();
// Null if there is none of this name.
const Operation* find_operation(std::string_view name);

// The first thing that is wrong with the fields, or nothing. `params` is a map.
std::optional<wire::CallError> check_params(const Operation& operation,
                                            const msgpack::object& params);

}  // namespace holdfast::api
