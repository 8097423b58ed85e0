// FORMAT.md is what another program would be written from: its tables are the ones
// of the code, row by row.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "storage/codec_layout.h"
#include "storage/families.h"

namespace holdfast::storage {
namespace {

using Cells = std::vector<std::string>;

std::string trimmed(const std::string& text) {
  const size_t from = text.find_first_not_of(" `");
  if (from == std::string::npos) return {};
  return text.substr(from, text.find_last_not_of(" `") - from + 1);
}

// The rows of the first table below a heading, without its head.
std::vector<Cells> table_below(const std::string& heading) {
  const char* root = std::getenv("HOLDFAST_SOURCE_ROOT");
  std::ifstream file{std::string{root != nullptr ? root : "."} + "/storage/FORMAT.md"};
  EXPECT_TRUE(file) << "run it from the top, or set HOLDFAST_SOURCE_ROOT";
  std::vector<Cells> rows;
  bool below = false;
  for (std::string line; std::getline(file, line);) {
    if (line == heading) below = true;
    if (!below) continue;
    if (!line.starts_with('|')) {
      if (!rows.empty()) break;
      continue;
    }
    Cells cells;
    for (size_t at = 1; at < line.size();) {
      const size_t end = line.find('|', at);
      cells.push_back(trimmed(line.substr(at, end - at)));
      at = end + 1;
    }
    rows.push_back(std::move(cells));
  }
  EXPECT_GT(rows.size(), 2u) << heading;
  if (rows.size() > 2) rows.erase(rows.begin(), rows.begin() + 2);
  return rows;
}

std::string_view word(KeyLife life) {
  switch (life) {
    case KeyLife::once:
      return "once";
    case KeyLife::rewritten:
      return "rewritten";
    case KeyLife::cut_off:
      return "cut_off";
  }
  return "";
}

TEST(FormatDocument, ShowsEveryFamilyAsItIs) {
  const std::vector<Cells> rows = table_below("## 1. Families");
  ASSERT_EQ(rows.size(), kFamilyCount);
  for (size_t n = 0; n < kFamilyCount; ++n) {
    const FamilyRow& family = kFamilies[n];
    ASSERT_EQ(rows[n].size(), 7u) << n;
    EXPECT_EQ(rows[n][0], std::to_string(n));
    EXPECT_EQ(rows[n][1], family.name);
    EXPECT_EQ(rows[n][2], family.key);
    if (family.family != Family::meta) {
      EXPECT_EQ(rows[n][3], family.value);
    }
    EXPECT_EQ(rows[n][4], word(family.life));
    EXPECT_FALSE(rows[n][5].empty()) << family.name << " is written by nobody";
    EXPECT_FALSE(rows[n][6].empty()) << family.name << " is deleted by nobody";
  }
}

// Walks a layout for the names of its fields.
struct NameCollector {
  template <class Record>
  using Ref = const Record&;

  template <class... Any>
  void value(const char* name, Any&&...) {
    names.emplace_back(name);
  }
  template <class... Any>
  void later(const char* name, Any&&...) {
    names.emplace_back(name);
  }
  template <class... Any>
  void text(const char* name, Any&&...) {
    names.emplace_back(name);
  }
  template <class... Any>
  void bytes(const char* name, Any&&...) {
    names.emplace_back(name);
  }
  template <class... Any>
  void hash(const char* name, Any&&...) {
    names.emplace_back(name);
  }
  template <class... Any>
  void body(const char* name, Any&&...) {
    names.emplace_back(name);
  }
  template <class... Any>
  void optional(const char* name, Any&&...) {
    names.emplace_back(name);
  }
  template <class... Any>
  void nested(const char* name, Any&&...) {
    names.emplace_back(name);
  }
  template <class... Any>
  void list(const char* name, Any&&...) {
    names.emplace_back(name);
  }
  template <class... Any>
  void attributes(const char* name, Any&&...) {
    names.emplace_back(name);
  }

  std::vector<std::string> names;
};

template <class Record>
void expect_positions(const std::string& heading, size_t first) {
  NameCollector collector;
  fields(collector, Record{});
  const std::vector<Cells> rows = table_below(heading);
  ASSERT_EQ(rows.size(), collector.names.size()) << heading;
  for (size_t n = 0; n < rows.size(); ++n) {
    ASSERT_EQ(rows[n].size(), 3u) << heading;
    EXPECT_EQ(rows[n][0], std::to_string(first + n)) << heading;
    EXPECT_EQ(rows[n][1], collector.names[n]) << heading;
  }
}

TEST(FormatDocument, ShowsEveryFieldAtItsPosition) {
  // The version stands at position 0 of a record.
  expect_positions<EventRecord>("### EventRecord", 1);
  expect_positions<WaitingRecord>("### WaitingRecord", 1);
  expect_positions<RunningRecord>("### RunningRecord", 1);
  expect_positions<AttemptRecord>("### AttemptRecord", 1);
  expect_positions<IdempotencyRecord>("### IdempotencyRecord", 1);
  expect_positions<HistoryRecord>("### HistoryRecord", 1);
  expect_positions<DeadLetterRecord>("### DeadLetterRecord", 1);
  expect_positions<MessageRecord>("### MessageRecord", 1);
  expect_positions<FunctionRecord>("### FunctionRecord", 1);
  expect_positions<QueueRecord>("### QueueRecord", 1);
  expect_positions<StateRecord>("### StateRecord", 1);
  expect_positions<EventId>("### Nested: EventId", 0);
  expect_positions<Spent>("### Nested: Spent", 0);
  expect_positions<StoredAnswer>("### Nested: StoredAnswer", 0);
  expect_positions<HistoryMark>("### Nested: HistoryMark", 0);
  expect_positions<ClockStamp>("### Nested: ClockStamp", 0);
}

}  // namespace
}  // namespace holdfast::storage
