// What a persistent command writes, and what it is given.
//
//    input := choice:u8 bytes     framing, bound and spaces before by the choice; bytes as
//                                 they are written, then as a payload and as a result
//
// What must hold
//   - However the bytes are cut into feeds, the same is read; a fault stays.
//   - What is accepted is within its bounds, and so is what the reader keeps.
//   - A line to the handler is one line of JSON, and gives the payload back. So does an
//     answer in base64, and a length-prefixed one.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <variant>
#include <vector>

#include "daemon/core/json_text.h"
#include "daemon/pool/frame.h"
#include "storage/base/check.h"
#include "storage/base/random.h"
#include "storage/limits.h"
#include "tests/fuzz/target.h"

namespace holdfast::pool {
namespace {

using config::Framing;
using nlohmann::json;

constexpr uint64_t kBounds[] = {0, 1, 7, 64, 1000, 6u << 20};

// --- reading -----------------------------------------------------------------

void check_answer(const Answer& answer, uint64_t result_bytes_max) {
  CHECK(!answer.request_id.empty() && answer.request_id.size() <= kHeadBytesMax);
  if (const auto* succeeded = std::get_if<core::Succeeded>(&answer.outcome)) {
    CHECK(succeeded->result.size() <= result_bytes_max);
    return;
  }
  const auto& failed = std::get<core::Failed>(answer.outcome);
  CHECK(failed.error_type.size() <= storage::kErrorTypeBytesMax);
  CHECK(failed.error_message.size() <= storage::kErrorMessageBytesMax);
  // Cut between characters: quoted() would mend a part of one.
  CHECK(json::parse(core::quoted(failed.error_type)) == failed.error_type);
  CHECK(json::parse(core::quoted(failed.error_message)) == failed.error_message);
}

// One of them as text, so that two sequences can be compared.
std::string text_of(const Said& said) {
  if (std::holds_alternative<Ready>(said)) return "ready";
  if (const auto* fault = std::get_if<Fault>(&said)) {
    CHECK(!fault->what.empty());
    return (fault->too_large ? "too large: " : "fault: ") + fault->what;
  }
  const auto& answer = std::get<Answer>(said);
  if (const auto* succeeded = std::get_if<core::Succeeded>(&answer.outcome)) {
    return "succeeded " + answer.request_id + '\0' + succeeded->result;
  }
  const auto& failed = std::get<core::Failed>(answer.outcome);
  return "failed " + answer.request_id + '\0' + failed.error_type + '\0' + failed.error_message;
}

class Reading {
 public:
  Reading(Framing framing, uint64_t result_bytes_max)
      : reader_(framing, result_bytes_max), result_bytes_max_(result_bytes_max) {}

  void feed(std::string_view bytes) {
    reader_.feed(bytes);
    for (;;) {
      const Said said = reader_.next();
      if (std::holds_alternative<NeedMore>(said)) break;
      if (const auto* answer = std::get_if<Answer>(&said)) check_answer(*answer, result_bytes_max_);
      const bool is_fault = std::holds_alternative<Fault>(said);
      if (faulted_) {
        CHECK(is_fault && text_of(said) == said_.back());
      } else {
        said_.push_back(text_of(said));
      }
      faulted_ = is_fault;
      if (is_fault) break;
    }
    // A string grows to twice what it must hold: one frame, and what is not cut off yet.
    const uint64_t frame_bytes_max = result_bytes_max_ / 3 * 4 + 2 * kHeadBytesMax;
    CHECK(reader_.memory_bytes() <= 2 * (frame_bytes_max + kHeadBytesMax + bytes.size()));
  }
  const std::vector<std::string>& said() const { return said_; }

 private:
  FrameReader reader_;
  const uint64_t result_bytes_max_;
  std::vector<std::string> said_;
  bool faulted_ = false;
};

void check_cuts(Framing framing, uint64_t bound, std::string_view bytes) {
  Reading whole{framing, bound};
  whole.feed(bytes);
  Random random{fuzz::number_of(bytes)};
  for (const uint64_t feed_bytes_max : {100u, 9000u}) {
    Reading cut{framing, bound};
    for (std::string_view rest = bytes; !rest.empty();) {
      const std::string_view feed = rest.substr(0, random.up_to(feed_bytes_max));
      cut.feed(feed);
      rest.remove_prefix(feed.size());
    }
    CHECK(cut.said() == whole.said());
  }
}

// --- writing -----------------------------------------------------------------

EventHead any_head(fuzz::Recipe& recipe) {
  EventHead head;
  head.function = "resize";
  head.request_id = "00000000-0000-8001-8400-00000006abcd";
  head.attempt = storage::AttemptNumber{static_cast<uint32_t>(recipe.number(1))};
  head.type = recipe.up_to(1) == 0 ? storage::InvocationType::event
                                   : storage::InvocationType::synchronous;
  head.deadline = from_ms<WallTime>(static_cast<int64_t>(recipe.number(2)));
  head.idempotency_key = recipe.text(storage::kIdempotencyKeyBytesMax);
  return head;
}

void check_head(const json& read, const EventHead& head) {
  const bool is_event = head.type == storage::InvocationType::event;
  CHECK(read.at("FunctionName") == head.function);
  CHECK(read.at("RequestId") == head.request_id);
  CHECK(read.at("Attempt") == head.attempt.value);
  CHECK(read.at("InvocationType") == (is_event ? "Event" : "RequestResponse"));
  CHECK(read.at("DeadlineAt") == to_ms(head.deadline));
  CHECK(read.contains("IdempotencyKey") == !head.idempotency_key.empty());
  if (head.idempotency_key.empty()) return;
  const json key = json::parse(core::quoted(head.idempotency_key));
  CHECK(read.at("IdempotencyKey") == key);
}

// The parser passes over a byte order mark, and takes a zero byte for the end of the text.
bool is_json_without_more(std::string_view bytes) {
  return bytes.find('\0') == bytes.npos && !bytes.starts_with("\xEF\xBB\xBF") &&
         json::accept(bytes);
}

std::string without_line_ends(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  std::replace(text.begin(), text.end(), '\r', ' ');
  return text;
}

void check_line(const EventHead& head, std::string_view payload) {
  const std::string line = encode(Framing::json_lines, head, payload);
  CHECK(line.find('\n') == line.size() - 1 && line.find('\r') == line.npos);
  const json read = json::parse(line, nullptr, false);
  if (read.is_discarded()) {
    // The parser here cannot hold one of its numbers; other ones can.
    CHECK(!json::accept(payload) && core::is_json(payload) && core::is_json(line));
    return;
  }
  check_head(read, head);
  if (read.contains("PayloadEncoding")) {
    CHECK(read.at("PayloadEncoding") == "base64" && !is_json_without_more(payload));
    CHECK(core::from_base64(read.at("Payload").get<std::string>()) == payload);
  } else {
    CHECK(line.ends_with("\"Payload\":" + without_line_ends(std::string{payload}) + "}\n"));
    CHECK(read.at("Payload") == json::parse(payload));
  }
}

uint32_t length_at(std::string_view bytes) {
  return static_cast<uint32_t>(fuzz::Recipe{bytes}.number(4));
}

void check_prefixed(const EventHead& head, std::string_view payload) {
  const std::string frame = encode(Framing::length_prefixed, head, payload);
  const size_t head_bytes = length_at(frame);
  CHECK(head_bytes <= kHeadBytesMax);
  CHECK(length_at(std::string_view{frame}.substr(4)) == payload.size());
  CHECK(frame.size() == 8 + head_bytes + payload.size());
  CHECK(frame.substr(8 + head_bytes) == payload);
  const json read = json::parse(frame.substr(8, head_bytes));
  CHECK(!read.contains("Payload"));
  check_head(read, head);
}

// --- answers that a good handler gives -----------------------------------------

void check_result_comes_back(Framing framing, const std::string& frame, std::string_view result) {
  FrameReader reader{framing, result.size()};
  reader.feed(frame);
  const Said said = reader.next();
  const auto* answer = std::get_if<Answer>(&said);
  CHECK(answer != nullptr && answer->request_id == "id");
  CHECK(std::get<core::Succeeded>(answer->outcome).result == result);
  CHECK(std::holds_alternative<NeedMore>(reader.next()));
}

void check_answers(std::string_view result) {
  check_result_comes_back(Framing::json_lines,
                          R"({"RequestId":"id","ResultEncoding":"base64","Result":")" +
                              core::base64(result) + "\"}\r\n",
                          result);
  const std::string head = R"({"RequestId":"id"})";
  std::string frame{'\0', '\0', '\0', static_cast<char>(head.size())};
  for (int shift = 24; shift >= 0; shift -= 8) {
    frame.push_back(static_cast<char>(result.size() >> shift));
  }
  check_result_comes_back(Framing::length_prefixed, frame + head + std::string{result}, result);
}

}  // namespace
}  // namespace holdfast::pool

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdfast;
  if (size == 0) return 0;
  const std::string_view bytes = fuzz::view_of(data, size).substr(1);
  const auto framing = static_cast<config::Framing>(data[0] % 2);
  const size_t choice = data[0] / 2;
  const uint64_t bound = pool::kBounds[choice % std::size(pool::kBounds)];
  // An input alone is not long enough for a line that is too long.
  const bool is_long = choice / std::size(pool::kBounds) % 4 == 1;
  std::string written(is_long ? pool::kHeadBytesMax : 0, ' ');
  pool::check_cuts(framing, bound, written.append(bytes));

  fuzz::Recipe recipe{bytes};
  const pool::EventHead head = pool::any_head(recipe);
  for (const std::string_view payload : {bytes, recipe.rest()}) {
    pool::check_line(head, payload);
    pool::check_prefixed(head, payload);
    pool::check_answers(payload);
  }
  return 0;
}
