#include "client/cli/output.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <string>
#include <utility>

#include "client/utf8.h"
#include "client/wire/message.h"

namespace holdfast::cli {
namespace {

using client::utf8_character_bytes;

constexpr std::string_view kBase64Digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

uint8_t byte_at(std::string_view bytes, size_t index) { return static_cast<uint8_t>(bytes[index]); }

// C0 and C1 controls; the latter begin escape sequences on some terminals too.
bool is_control(std::string_view character) {
  const uint8_t first = byte_at(character, 0);
  if (character.size() == 1) return first < 0x20 || first == 0x7F;
  return first == 0xC2 && byte_at(character, 1) < 0xA0;
}

size_t width(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char byte) {
    return (static_cast<uint8_t>(byte) & 0xC0) != 0x80;
  }));
}

std::string key_text(const msgpack::object& key) {
  if (const auto text = wire::as_bytes(key)) {
    return is_utf8(*text) ? std::string{*text} : base64(*text);
  }
  return to_json(key).dump();
}

Json map_to_json(const msgpack::object_map& map) {
  Json json = Json::object();
  for (uint32_t n = 0; n < map.size; ++n) {
    const std::string key = key_text(map.ptr[n].key);
    const auto bytes = wire::as_bytes(map.ptr[n].val);
    json[key] = to_json(map.ptr[n].val);
    if (bytes && !is_utf8(*bytes)) json[key + "Encoding"] = "base64";
  }
  return json;
}

}  // namespace

bool is_utf8(std::string_view bytes) {
  while (!bytes.empty()) {
    const size_t length = utf8_character_bytes(bytes);
    if (length == 0) return false;
    bytes.remove_prefix(length);
  }
  return true;
}

std::string base64(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t at = 0; at < bytes.size(); at += 3) {
    const size_t count = std::min<size_t>(3, bytes.size() - at);
    uint32_t group = 0;
    for (size_t n = 0; n < 3; ++n) group = (group << 8) | (n < count ? byte_at(bytes, at + n) : 0u);
    for (size_t n = 0; n < 4; ++n) {
      text.push_back(n <= count ? kBase64Digits[(group >> (18 - 6 * n)) & 0x3F] : '=');
    }
  }
  return text;
}

Json to_json(const msgpack::object& object) {
  switch (object.type) {
    case msgpack::type::BOOLEAN:
      return object.via.boolean;
    case msgpack::type::POSITIVE_INTEGER:
      return object.via.u64;
    case msgpack::type::NEGATIVE_INTEGER:
      return object.via.i64;
    case msgpack::type::FLOAT32:
    case msgpack::type::FLOAT64:
      return object.via.f64;
    case msgpack::type::STR:
    case msgpack::type::BIN: {
      const std::string_view bytes = *wire::as_bytes(object);
      return is_utf8(bytes) ? std::string{bytes} : base64(bytes);
    }
    case msgpack::type::ARRAY: {
      Json json = Json::array();
      for (uint32_t n = 0; n < object.via.array.size; ++n) {
        json.push_back(to_json(object.via.array.ptr[n]));
      }
      return json;
    }
    case msgpack::type::MAP:
      return map_to_json(object.via.map);
    case msgpack::type::NIL:
    case msgpack::type::EXT:
      return nullptr;
  }
  return nullptr;
}

std::string printable(std::string_view text) {
  std::string safe;
  while (!text.empty()) {
    const size_t length = utf8_character_bytes(text);
    if (length > 0 && !is_control(text.substr(0, length))) {
      safe.append(text.substr(0, length));
      text.remove_prefix(length);
      continue;
    }
    const size_t hidden = std::max<size_t>(length, 1);
    for (size_t n = 0; n < hidden; ++n) {
      char escape[5];
      std::snprintf(escape, sizeof escape, "\\x%02x", byte_at(text, n));
      safe += escape;
    }
    text.remove_prefix(hidden);
  }
  return safe;
}

std::string time_text(int64_t ms_since_1970) {
  const std::time_t seconds = ms_since_1970 / 1000;
  std::tm parts{};
  char text[64];
  if (localtime_r(&seconds, &parts) == nullptr) return "-";
  if (std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts) == 0) return "-";
  return text;
}

std::string bytes_text(uint64_t bytes) {
  constexpr std::array kUnits{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes < 1024) return std::to_string(bytes) + " B";
  auto amount = static_cast<double>(bytes);
  size_t unit = 0;
  while (amount >= 1024 && unit + 1 < kUnits.size()) {
    amount /= 1024;
    ++unit;
  }
  char text[64];
  std::snprintf(text, sizeof text, "%.1f %s", amount, kUnits[unit]);
  return text;
}

void Table::add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }

std::string Table::text() const {
  std::vector<size_t> widths(rows_.front().size(), 0);
  for (const auto& row : rows_) {
    for (size_t n = 0; n < row.size(); ++n) widths[n] = std::max(widths[n], width(row[n]));
  }
  std::string text;
  for (const auto& row : rows_) {
    for (size_t n = 0; n < row.size(); ++n) {
      text += row[n];
      if (n + 1 < row.size()) text.append(widths[n] - width(row[n]) + 2, ' ');
    }
    text += '\n';
  }
  return text;
}

std::string text_field(const msgpack::object& map, std::string_view key) {
  const std::string_view text = bytes_of(map, key);
  return text.empty() ? "-" : printable(text);
}

std::string number_field(const msgpack::object& map, std::string_view key) {
  const auto* field = wire::find(map, key);
  const auto number = field == nullptr ? std::nullopt : wire::as_int(*field);
  return number ? std::to_string(*number) : "-";
}

std::string time_field(const msgpack::object& map, std::string_view key) {
  const auto* field = wire::find(map, key);
  const auto number = field == nullptr ? std::nullopt : wire::as_int(*field);
  return number ? time_text(*number) : "-";
}

std::string bytes_field(const msgpack::object& map, std::string_view key) {
  const auto* field = wire::find(map, key);
  const auto number = field == nullptr ? std::nullopt : wire::as_int(*field);
  return number && *number >= 0 ? bytes_text(static_cast<uint64_t>(*number)) : "-";
}

int64_t number_of(const msgpack::object& map, std::string_view key) {
  const auto* field = wire::find(map, key);
  return field == nullptr ? 0 : wire::as_int(*field).value_or(0);
}

bool is_true(const msgpack::object& map, std::string_view key) {
  const auto* field = wire::find(map, key);
  return field != nullptr && field->type == msgpack::type::BOOLEAN && field->via.boolean;
}

std::string_view bytes_of(const msgpack::object& map, std::string_view key) {
  const auto* field = wire::find(map, key);
  return field == nullptr ? std::string_view{} : wire::as_bytes(*field).value_or("");
}

std::vector<const msgpack::object*> rows_of(const msgpack::object& map, std::string_view key) {
  std::vector<const msgpack::object*> rows;
  const auto* list = wire::find(map, key);
  if (list == nullptr || list->type != msgpack::type::ARRAY) return rows;
  for (uint32_t n = 0; n < list->via.array.size; ++n) rows.push_back(&list->via.array.ptr[n]);
  return rows;
}

void show_attempts(const msgpack::object& event) {
  for (const msgpack::object* attempt : rows_of(event, "Attempts")) {
    print("\nattempt " + number_field(*attempt, "Attempt") + ": " +
          text_field(*attempt, "Outcome") + ", " + time_field(*attempt, "StartedAt") + " to " +
          time_field(*attempt, "EndedAt") + "\n  " + text_field(*attempt, "ErrorMessage") + "\n");
    std::string_view tail = bytes_of(*attempt, "LogTail");
    while (!tail.empty()) {
      const size_t end = std::min(tail.find('\n'), tail.size());
      print("  | " + printable(tail.substr(0, end)) + "\n");
      tail.remove_prefix(std::min(end + 1, tail.size()));
    }
  }
}

// What standard output did not take is noticed at the end, by main().
void print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

void print_json(const Json& json) { print(json.dump(2) + "\n"); }

void warn(std::string_view line) {
  std::fprintf(stderr, "holdfast: %.*s\n", static_cast<int>(line.size()), line.data());
}

}  // namespace holdfast::cli
