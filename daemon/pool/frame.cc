#include "daemon/pool/frame.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "daemon/core/json_text.h"
#include "storage/limits.h"

namespace holdfast::pool {

using config::Framing;
using nlohmann::json;

namespace {

constexpr size_t kPrefixBytes = 8;
// Read frames are cut off the buffer when they are this much of it.
constexpr size_t kTakenBytesMax = 64u << 10;

std::string head_of(const EventHead& head) {
  std::string out = "{\"FunctionName\":" + core::quoted(head.function);
  out += ",\"RequestId\":" + core::quoted(head.request_id);
  out += ",\"Attempt\":" + std::to_string(head.attempt.value);
  out += ",\"InvocationType\":\"";
  out += head.type == storage::InvocationType::event ? "Event" : "RequestResponse";
  out += "\",\"DeadlineAt\":" + std::to_string(to_ms(head.deadline));
  if (!head.idempotency_key.empty()) {
    out += ",\"IdempotencyKey\":" + core::quoted(head.idempotency_key);
  }
  return out;
}

void append_length(std::string& out, size_t length) {
  for (int shift = 24; shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>((length >> shift) & 0xFF));
  }
}

uint32_t length_at(std::string_view bytes) {
  uint32_t length = 0;
  for (size_t n = 0; n < 4; ++n) length = length << 8 | static_cast<uint8_t>(bytes[n]);
  return length;
}

std::string cut(std::string text, size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  size_t end = bytes_max;
  while (end > 0 && (static_cast<uint8_t>(text[end]) & 0xC0) == 0x80) --end;
  text.resize(end);
  return text;
}

// The end of the JSON value that begins at `at`, in text that is known to be JSON.
size_t value_end(std::string_view text, size_t at) {
  size_t depth = 0;
  bool in_string = false;
  for (; at < text.size(); ++at) {
    const char character = text[at];
    if (in_string) {
      if (character == '\\') ++at;
      if (character == '"') in_string = false;
    } else if (character == '"') {
      in_string = true;
    } else if (character == '{' || character == '[') {
      ++depth;
    } else if (character == '}' || character == ']') {
      if (depth == 0) return at;
      --depth;
    } else if (character == ',' && depth == 0) {
      return at;
    }
  }
  return at;
}

bool is_space(char character) {
  return character == ' ' || character == '\t' || character == '\n' || character == '\r';
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

// Of JSON; empty for all that is no string.
std::string string_of(std::string_view text) {
  if (text.empty() || text.front() != '"') return {};
  return json::parse(text).get<std::string>();
}

// Each member's name, and its value as it stands in the text, which is known to be JSON.
// Without building the values: a result of some megabytes would become a hundred.
template <class Found>
void each_member(std::string_view object, Found found) {
  for (size_t at = 1; at < object.size();) {
    const size_t quote = object.find('"', at);
    if (quote == object.npos) return;  // no member, or no further one
    size_t end = quote + 1;
    while (object[end] != '"') end += object[end] == '\\' ? 2 : 1;
    const size_t value = object.find(':', end) + 1;
    const size_t next = value_end(object, value);
    found(string_of(object.substr(quote, end + 1 - quote)),
          trimmed(object.substr(value, next - value)));
    at = next + 1;
  }
}

// What an answer may have, each as it stands in the text; of several the last one, as
// parsers have it.
struct Parts {
  std::string_view ready;
  std::string_view request_id;
  std::string_view error;
  std::string_view result;
  std::string_view result_encoding;

  void add(std::string_view name, std::string_view value) {
    if (name == "Ready") ready = value;
    if (name == "RequestId") request_id = value;
    if (name == "Error") error = value == "null" ? std::string_view{} : value;
    if (name == "Result") result = value;
    if (name == "ResultEncoding") result_encoding = value;
  }
};

std::optional<Parts> parts_of(std::string_view object) {
  object = trimmed(object);
  if (!core::is_json(object) || object.front() != '{') return std::nullopt;
  Parts parts;
  each_member(object, [&](std::string_view name, std::string_view value) {
    parts.add(name, value);
  });
  return parts;
}

core::Failed failed_of(std::string_view error) {
  core::Failed failed;
  if (error.front() != '{') return failed;
  each_member(error, [&](std::string_view name, std::string_view value) {
    if (name == "Type") failed.error_type = cut(string_of(value), storage::kErrorTypeBytesMax);
    if (name == "Message") {
      failed.error_message = cut(string_of(value), storage::kErrorMessageBytesMax);
    }
  });
  return failed;
}

// The bytes that a base64 Result stands for; nothing if it is something else.
std::optional<std::string> bytes_of(std::string_view result) {
  if (result.empty()) return std::string{};  // there is none
  if (result.front() != '"') return std::nullopt;
  return core::from_base64(string_of(result));
}

Said said_of(const Parts& parts, std::string_view result) {
  if (parts.ready == "true") return Ready{};
  if (parts.request_id.size() > kHeadBytesMax || parts.error.size() > kHeadBytesMax) {
    return Fault{"its RequestId or Error is too long"};
  }
  std::string request_id = string_of(parts.request_id);
  if (request_id.empty()) return Fault{"its answer has no RequestId"};
  if (!parts.error.empty()) return Answer{std::move(request_id), failed_of(parts.error)};
  return Answer{std::move(request_id), core::Succeeded{std::string{result}}};
}

Said said_in_line(std::string_view line, uint64_t result_bytes_max) {
  const std::optional<Parts> parts = parts_of(line);
  if (!parts) return Fault{"it wrote a line that is no JSON object"};
  std::string_view result = parts->result;
  std::optional<std::string> bytes;
  if (!parts->result_encoding.empty()) {
    if (string_of(parts->result_encoding) != "base64") {
      return Fault{"its ResultEncoding is not base64"};
    }
    bytes = bytes_of(result);
    if (!bytes) return Fault{"its Result is not the base64 that ResultEncoding promises"};
    result = *bytes;
  }
  if (result.size() > result_bytes_max) return Fault{"its result is too large", true};
  return said_of(*parts, result);
}

}  // namespace

std::string encode(Framing framing, const EventHead& head, std::string_view payload) {
  std::string text = head_of(head);
  if (framing == Framing::length_prefixed) {
    text += "}";
    std::string frame;
    frame.reserve(kPrefixBytes + text.size() + payload.size());
    append_length(frame, text.size());
    append_length(frame, payload.size());
    frame += text;
    frame += payload;
    return frame;
  }
  text.reserve(text.size() + payload.size() + 32);
  text += ",";
  core::append_json(text, "Payload", payload);
  // Inside strings JSON has no bare line ends: those that are here mean nothing.
  std::replace(text.begin(), text.end(), '\n', ' ');
  std::replace(text.begin(), text.end(), '\r', ' ');
  text += "}\n";
  return text;
}

Said FrameReader::next() {
  if (fault_) return *fault_;
  Said said = framing_ == Framing::json_lines ? next_line() : next_prefixed();
  if (const auto* fault = std::get_if<Fault>(&said)) {
    fault_ = *fault;
    std::string{}.swap(buffer_);
    taken_ = 0;
    scanned_ = 0;
  }
  return said;
}

void FrameReader::drop_taken() {
  scanned_ = 0;
  if (taken_ < buffer_.size() && taken_ < kTakenBytesMax) return;
  buffer_.erase(0, taken_);
  taken_ = 0;
  if (buffer_.empty() && buffer_.capacity() > kTakenBytesMax) std::string{}.swap(buffer_);
}

Said FrameReader::next_line() {
  // In base64, and with the rest of the line.
  const uint64_t line_bytes_max = result_bytes_max_ / 3 * 4 + 4 + kHeadBytesMax;
  for (;;) {
    const std::string_view rest = std::string_view{buffer_}.substr(taken_);
    const size_t end = rest.find('\n', scanned_);
    if (std::min(end, rest.size()) > line_bytes_max) return Fault{"its line is too long", true};
    if (end == rest.npos) {
      scanned_ = rest.size();
      return NeedMore{};
    }
    const std::string line{trimmed(rest.substr(0, end))};
    taken_ += end + 1;
    drop_taken();
    if (!line.empty()) return said_in_line(line, result_bytes_max_);
  }
}

Said FrameReader::next_prefixed() {
  const std::string_view rest = std::string_view{buffer_}.substr(taken_);
  if (rest.size() < kPrefixBytes) return NeedMore{};
  const uint64_t head_bytes = length_at(rest);
  const uint64_t body_bytes = length_at(rest.substr(4));
  if (head_bytes > kHeadBytesMax) return Fault{"its frame has a head that is too long"};
  if (body_bytes > result_bytes_max_) return Fault{"its result is too large", true};
  const uint64_t frame_bytes = kPrefixBytes + head_bytes + body_bytes;
  if (rest.size() < frame_bytes) return NeedMore{};
  const std::string_view head = rest.substr(kPrefixBytes, head_bytes);
  const std::optional<Parts> parts = parts_of(head);
  if (!parts) return Fault{"it wrote a frame whose head is no JSON object"};
  Said said = said_of(*parts, rest.substr(kPrefixBytes + head_bytes, body_bytes));
  taken_ += frame_bytes;
  drop_taken();
  return said;
}

}  // namespace holdfast::pool
