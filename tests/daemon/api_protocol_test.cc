// client/PROTOCOL.md and the code tell the same: operations, who may call them, their
// fields, error types, and every word of an answer.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <string>

#include "daemon/api/errors.h"
#include "daemon/api/operations.h"

namespace holdfast::api {
namespace {

std::string source_root() {
#ifdef HOLDFAST_SOURCE_DIR
  return HOLDFAST_SOURCE_DIR;
#else
  const char* root = std::getenv("HOLDFAST_SOURCE_ROOT");
  return root == nullptr ? "." : root;
#endif
}

std::string read(const std::string& path) {
  std::ifstream file{source_root() + "/" + path};
  EXPECT_TRUE(file.is_open()) << path;
  return {std::istreambuf_iterator<char>{file}, {}};
}

std::string protocol() { return read("client/PROTOCOL.md"); }

// From its heading to the next one of the same rank.
std::string section(const std::string& text, const std::string& heading) {
  const size_t from = text.find("\n" + heading);
  if (from == text.npos) return {};
  const std::string rank = heading.substr(0, heading.find(' ') + 1);
  size_t to = text.find("\n" + rank, from + 1);
  if (rank == "### ") to = std::min(to, text.find("\n## ", from + 1));
  return text.substr(from, to == text.npos ? to : to - from);
}

std::string with_thousands(int64_t number) {
  std::string digits = std::to_string(number);
  for (size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, ",");
  return digits;
}

bool has_word(const std::string& text, const std::string& word) {
  return std::regex_search(text, std::regex{"(^|[^A-Za-z0-9_])" + word + "($|[^A-Za-z0-9_])"});
}

// What the document says of an operation: its own section, or its row of a table.
std::string passage_of(const std::string& text, const std::string& operation) {
  const std::string own = section(text, "### " + operation);
  if (!own.empty()) return own;
  const size_t from = text.find("\n| `" + operation + "` |");
  if (from == text.npos) return {};
  return text.substr(from, text.find('\n', from + 1) - from);
}

TEST(Protocol, TellsOfEveryOperationItsFieldsAndTheirLimits) {
  const std::string text = protocol();
  for (const Operation& operation : operations()) {
    SCOPED_TRACE(operation.name);
    const std::string passage = passage_of(text, std::string{operation.name});
    ASSERT_FALSE(passage.empty());
    for (const Field& field : operation.fields) {
      SCOPED_TRACE(field.name);
      EXPECT_TRUE(has_word(passage, std::string{field.name}));
      for (const std::string_view word : field.words) {
        EXPECT_TRUE(has_word(text, std::string{word})) << word;
      }
      if (field.type == FieldType::number || field.type == FieldType::bytes) {
        EXPECT_TRUE(has_word(passage, std::to_string(field.max)) ||
                    has_word(passage, with_thousands(field.max)))
            << field.max;
      }
    }
  }
}

TEST(Protocol, MarksTheOperationsOfTheGroupAndNoOthers) {
  const std::string text = protocol();
  const std::string tables =
      section(text, "### Queues (group)") + section(text, "### Workers (group)");
  for (const Operation& operation : operations()) {
    const std::string name{operation.name};
    const bool marked = text.find("\n### " + name + " (group)") != text.npos ||
                        tables.find("| `" + name + "` |") != tables.npos;
    EXPECT_EQ(marked, operation.role == Role::group) << name;
  }
}

TEST(Protocol, NamesNoOperationThatIsNotThere) {
  const std::string operations_text = section(protocol(), "## 4. Operations");
  const std::regex names{R"(\n(?:### |\| `)([A-Z][A-Za-z]+)(?:` \|| \(group\)\n|\n))"};
  size_t found = 0;
  for (std::sregex_iterator at{operations_text.begin(), operations_text.end(), names}, end;
       at != end; ++at) {
    const std::string name = (*at)[1];
    const Field* field = nullptr;
    for (const Field& candidate : find_operation("Invoke")->fields) {
      if (candidate.name == name) field = &candidate;
    }
    if (field != nullptr || name == "Queues" || name == "Workers") continue;
    EXPECT_NE(find_operation(name), nullptr) << name;
    ++found;
  }
  EXPECT_EQ(found, operations().size());
}

TEST(Protocol, ItsTableOfErrorsIsTheListOfErrorTypes) {
  const std::string errors = section(protocol(), "## 5. Errors");
  std::set<std::string> told;
  const std::regex row{R"(\n\| `([A-Za-z]+)` \|)"};
  for (std::sregex_iterator at{errors.begin(), errors.end(), row}, end; at != end; ++at) {
    told.insert((*at)[1]);
  }
  EXPECT_EQ(told, (std::set<std::string>{kErrorTypes.begin(), kErrorTypes.end()}));
}

// The words of an answer stand in the code as first arguments of the writers.
TEST(Protocol, TellsEveryFieldOfEveryAnswer) {
  const std::string text = protocol();
  const std::regex field{
      R"re((?:text|bytes|number|count|boolean|map|array)\(\s*"([A-Z][A-Za-z]+)")re"};
  std::set<std::string> names;
  for (const char* path : {"daemon/api/answers.cc", "daemon/api/status.cc"}) {
    const std::string code = read(path);
    for (std::sregex_iterator at{code.begin(), code.end(), field}, end; at != end; ++at) {
      names.insert((*at)[1]);
    }
  }
  EXPECT_GT(names.size(), 60u);
  for (const std::string& name : names) EXPECT_TRUE(has_word(text, name)) << name;
}

}  // namespace
}  // namespace holdfast::api
