// A configuration file as anybody may have edited it, and short texts as an operator
// may write lengths of time, sizes and modes.
//
//    input := the text
//
// What must hold
//   - It gives Settings that obey every rule, or complaints that can be printed, in the
//     order of the file's lines.
//   - Settings print as a file that gives the same Settings.
//   - A length, a size or a mode is printed as a text of which the same one is read.
#include "config/load.h"
#include "config/print.h"
#include "config/reload.h"
#include "config/units.h"
#include "config/validate.h"
#include "storage/base/check.h"
#include "tests/fuzz/target.h"

namespace holdfast::config {
namespace {

constexpr std::string_view kSource = "fuzz.toml";
constexpr size_t kUnitBytesMax = 64;

// An operator sees it on a terminal.
bool can_be_shown(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char character) {
    const auto byte = static_cast<unsigned char>(character);
    return byte < 0x20 || byte == 0x7F;
  });
}

void check_complaints(const Complaints& complaints) {
  CHECK(!complaints.list.empty());
  CHECK(complaints.source_name == kSource);
  uint32_t line = 0;
  for (const Complaint& complaint : complaints.list) {
    CHECK(!complaint.message.empty());
    CHECK(complaint.line >= line);
    line = complaint.line;
    CHECK(can_be_shown(to_text(complaint, kSource)));
  }
  CHECK(!to_text(complaints).empty());
}

void check_settings(const Settings& settings) {
  CHECK(validate(settings).empty());
  const Parsed again = parse(to_toml(settings), kSource);
  CHECK(std::holds_alternative<Settings>(again));
  CHECK(std::get<Settings>(again) == settings);
  CHECK(needs_restart(settings, std::get<Settings>(again)).empty());
}

void check_units(std::string_view text) {
  if (const auto duration = parse_duration(text)) {
    CHECK(parse_duration(duration_text(*duration)) == duration);
    CHECK(parse_duration(duration_in_words(*duration)) == duration);
  }
  if (const auto bytes = parse_bytes(text)) {
    const std::string again = bytes_text(*bytes);
    CHECK(parse_bytes(again) == bytes || again == std::to_string(*bytes));
  }
  if (const auto mode = parse_mode(text)) CHECK(parse_mode(mode_text(*mode)) == mode);
}

}  // namespace
}  // namespace holdfast::config

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdfast::config;
  const std::string_view text = holdfast::fuzz::view_of(data, size);
  if (text.size() <= kUnitBytesMax) check_units(text);
  const Parsed parsed = parse(text, kSource);
  if (const auto* complaints = std::get_if<Complaints>(&parsed)) {
    check_complaints(*complaints);
  } else {
    check_settings(std::get<Settings>(parsed));
  }
  return 0;
}
