// What the command prints: tables for people, JSON for programs.
//
// Everything that a handler or a client wrote (payloads, error messages, names)
// reaches a terminal only through printable(), so that it cannot move the cursor
// or forge lines. Result bytes and JSON are the exceptions: programs read them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <msgpack.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::cli {

using Json = nlohmann::ordered_json;

bool is_utf8(std::string_view bytes);
std::string base64(std::string_view bytes);

// An answer as JSON. Bytes are text when they are UTF-8. Otherwise they are
// base64, and the map says so: {"Payload": "/w==", "PayloadEncoding": "base64"}.
Json to_json(const msgpack::object& object);

// One line that is safe on a terminal: control characters and what is not UTF-8
// become \xNN.
std::string printable(std::string_view text);

std::string time_text(int64_t ms_since_1970);  // "2026-03-01 18:16:05", local time
std::string bytes_text(uint64_t bytes);        // "1.5 MiB"

// Columns as wide as their widest cell; the last one is not filled up.
class Table {
 public:
  explicit Table(std::vector<std::string> headings) : rows_{std::move(headings)} {}
  void add(std::vector<std::string> cells);
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;  // the first are the headings
};

// Fields of an answer as cells. What is absent or of another type is "-", so that
// the command also works with a daemon of another version.
std::string text_field(const msgpack::object& map, std::string_view key);
std::string number_field(const msgpack::object& map, std::string_view key);
std::string time_field(const msgpack::object& map, std::string_view key);
std::string bytes_field(const msgpack::object& map, std::string_view key);

// Fields as values; 0, false and nothing when absent.
int64_t number_of(const msgpack::object& map, std::string_view key);
bool is_true(const msgpack::object& map, std::string_view key);
std::string_view bytes_of(const msgpack::object& map, std::string_view key);
std::vector<const msgpack::object*> rows_of(const msgpack::object& map, std::string_view key);

// The failed attempts of an event or a dead letter, as a table.
void show_attempts(const msgpack::object& event);

void print(std::string_view text);  // to standard output
void print_json(const Json& json);
void warn(std::string_view line);  // to standard error, as "holdfast: LINE"

}  // namespace holdfast::cli
