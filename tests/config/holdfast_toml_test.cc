// config/holdfast.toml shows every setting, and nothing but the defaults.
#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "config/fields.h"
#include "tests/config/support.h"

namespace holdfast::config {
namespace {

std::string read_example() {
  const char* top = std::getenv("HOLDFAST_SOURCE_ROOT");
  std::ifstream file{std::string{top == nullptr ? "." : top} + "/config/holdfast.toml"};
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_FALSE(text.str().empty()) << "HOLDFAST_SOURCE_ROOT must name the top of the sources";
  return text.str();
}

// "#key" is a setting switched off, "# word" a comment.
std::string switched_on(const std::string& text) {
  std::string out;
  std::istringstream lines{text};
  for (std::string line; std::getline(lines, line);) {
    const bool is_setting = line.size() > 1 && line[0] == '#' && line[1] != ' ';
    out += (is_setting ? line.substr(1) : line) + '\n';
  }
  return out;
}

// The keys under each header, switched on or not. Those that only a comment explains,
// such as the other forms of retry, are gathered under "".
std::map<std::string, std::set<std::string>> keys_by_table(const std::string& text) {
  std::map<std::string, std::set<std::string>> keys;
  std::string table;
  std::istringstream lines{text};
  for (std::string line; std::getline(lines, line);) {
    const bool is_comment = line.starts_with("# ");
    line.erase(0, line.find_first_not_of("# "));
    if (line.starts_with('[')) {
      table = line.substr(1, line.find(']') - 1);
      keys[table];
    } else if (const size_t end = line.find(" = "); end != std::string::npos) {
      keys[is_comment ? "" : table].insert(line.substr(0, end));
    }
  }
  return keys;
}

template <class Of>
void expect_each_key(const std::map<std::string, std::set<std::string>>& keys,
                     const std::string& table) {
  ASSERT_TRUE(keys.contains(table)) << table;
  each_field<Of>([&](const auto& field) {
    const std::string key{field.key};
    EXPECT_TRUE(keys.at(table).contains(key) || keys.contains(table + "." + key))
        << "[" << table << "] lacks " << key;
  });
}

TEST(HoldfastToml, AsItStandsIsAllDefaults) { EXPECT_EQ(parse_well(read_example()), Settings{}); }

TEST(HoldfastToml, WithTheExamplesSwitchedOnIsAllDefaultsToo) {
  Settings expected;
  expected.queues["thumbnails"] = {};
  expected.functions["resize"].command = {"/usr/local/bin/resize"};
  EXPECT_EQ(parse_well(switched_on(read_example())), expected);
}

TEST(HoldfastToml, NamesEverySettingInItsTable) {
  const auto keys = keys_by_table(read_example());
  each_section([&](const auto& section) {
    using Of = typename std::decay_t<decltype(section)>::Fields;
    expect_each_key<Of>(keys, std::string{section.key});
  });
  expect_each_key<QueueSettings>(keys, "queues.thumbnails");
  expect_each_key<FunctionSettings>(keys, "functions.resize");
  for (const std::string_view key : {kRetriesKey, kDelaysKey, kBackoffBaseKey, kBackoffCapKey}) {
    EXPECT_TRUE(keys.at("").contains(std::string{key})) << key;
  }
}

TEST(HoldfastToml, SwitchesEverySettingOfTheTablesThatAreInUseOn) {
  const std::string text = read_example();
  each_section([&](const auto& section) {
    using Of = typename std::decay_t<decltype(section)>::Fields;
    each_field<Of>([&](const auto& field) {
      EXPECT_THAT(text, testing::HasSubstr("\n" + std::string{field.key} + " = "));
    });
  });
}

// A setting marked here needs what needs_restart() says it needs.
TEST(HoldfastToml, MarksWhatNeedsARestart) {
  const std::string text = read_example();
  each_section([&](const auto& section) {
    using Of = typename std::decay_t<decltype(section)>::Fields;
    each_field<Of>([&](const auto& field) {
      const size_t setting = text.find("\n" + std::string{field.key} + " = ");
      ASSERT_NE(setting, std::string::npos) << field.key;
      const std::string before = text.substr(0, setting);
      const std::string comment = before.substr(before.rfind("\n\n"));
      EXPECT_EQ(comment.find("RESTART.") != std::string::npos, field.applied == by_restart)
          << field.key;
    });
  });
}

}  // namespace
}  // namespace holdfast::config
