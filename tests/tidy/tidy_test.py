"""Holds the source tree to its rules (rules.py), and the rules to planted offences.

usage: tidy_test.py [unittest arguments]
"""

import os
import sys
import tempfile
import unittest

import rules
import source_text

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class TheTree(unittest.TestCase):
    """One test for each rule: test_<rule>, made below."""


def _holds(rule):
    def test(self):
        complaints = list(rule(ROOT))
        if complaints:
            self.fail("\n" + "\n".join(complaints))

    return test


for _rule in rules.RULES:
    setattr(TheTree, "test_" + _rule.__name__, _holds(_rule))


class PlantedOffences(unittest.TestCase):
    """Each rule is silent about the good example and names the planted offence."""

    def complaints(self, rule, tree):
        with tempfile.TemporaryDirectory() as root:
            for path, text in tree.items():
                full = os.path.join(root, path)
                os.makedirs(os.path.dirname(full), exist_ok=True)
                with open(full, "w", encoding="utf-8") as file:
                    file.write(text)
            return list(rule(root))

    def assert_clean(self, rule, tree):
        self.assertEqual(self.complaints(rule, tree), [])

    def assert_found(self, rule, tree, *wanted):
        found = self.complaints(rule, tree)
        self.assertEqual(len(found), len(wanted), found)
        for complaint, words in zip(found, wanted):
            self.assertIn(words, complaint)

    def assert_include(self, path, header, allowed):
        tree = {path: f"#include {header}\n"}
        found = self.complaints(rules.includes_point_down, tree)
        self.assertEqual(found == [], allowed, f"{path} includes {header}: {found}")

    def test_each_layer_has_its_headers(self):
        for path, header in (
            ("storage/base/check.h", "<cstdint>"),
            ("storage/store.h", '"storage/base/result.h"'),
            ("storage/codec.cc", "<msgpack.hpp>"),
            ("storage/keys.cc", "<xxhash.h>"),
            ("storage/rocks/rocks_store.cc", "<rocksdb/db.h>"),
            ("storage/rocks/side_file.cc", "<unistd.h>"),
            ("config/load.cc", "<toml++/toml.h>"),
            ("client/wire/message.cc", "<msgpack.hpp>"),
            ("client/client.cc", '"client/wire/message.h"'),
            ("client/cli/main.cc", "<CLI/CLI.hpp>"),
            ("client/cli/events.cc", "<nlohmann/json.hpp>"),
            ("daemon/uv/timer.cc", "<uv.h>"),
            ("daemon/core/admit.h", '"config/settings.h"'),
            ("daemon/core/json_text.cc", "<nlohmann/json.hpp>"),
            ("daemon/pool/frame.cc", "<nlohmann/json.hpp>"),
            ("daemon/spawner/spawner.cc", "<sys/prctl.h>"),
            ("daemon/api/invoke.cc", '"daemon/core/admit.h"'),
            ("daemon/session.cc", "<msgpack.hpp>"),
            ("daemon/service.cc", '"daemon/uv/timer.h"'),
            ("daemon/notify.cc", "<systemd/sd-daemon.h>"),
            ("daemon/main.cc", "<spdlog/spdlog.h>"),
            ("daemon/main.cc", '"storage/rocks/rocks_store.h"'),
        ):
            self.assert_include(path, header, allowed=True)

    def test_a_forbidden_library_is_found(self):
        for path, header in (
            ("storage/base/check.h", "<unistd.h>"),
            ("storage/store.cc", "<rocksdb/db.h>"),
            ("storage/records.h", "<msgpack.hpp>"),
            ("storage/rocks/rocks_store.cc", "<spdlog/spdlog.h>"),
            ("config/load.cc", "<nlohmann/json.hpp>"),
            ("client/wire/message.cc", "<unistd.h>"),
            ("client/client.cc", "<nlohmann/json.hpp>"),
            ("client/client.cc", "<uv.h>"),
            ("daemon/uv/timer.cc", "<spdlog/spdlog.h>"),
            ("daemon/core/admit.cc", "<uv.h>"),
            ("daemon/core/admit.cc", "<time.h>"),
            ("daemon/core/admit.cc", "<fmt/format.h>"),
            ("daemon/core/admit.cc", "<nlohmann/json.hpp>"),
            ("daemon/pool/child_pool.cc", "<unistd.h>"),
            ("daemon/spawner/spawner.cc", "<uv.h>"),
            ("daemon/api/invoke.cc", "<spdlog/spdlog.h>"),
            ("daemon/service.cc", "<uv.h>"),
            ("daemon/service.cc", "<rocksdb/db.h>"),
            ("daemon/service.cc", "<systemd/sd-daemon.h>"),
            ("daemon/service.cc", "<boost/asio.hpp>"),
        ):
            self.assert_include(path, header, allowed=False)

    def test_an_arrow_that_points_up_is_found(self):
        for path, header in (
            ("storage/base/check.h", '"storage/records.h"'),
            ("storage/store.h", '"storage/rocks/rocks_store.h"'),
            ("storage/store.h", '"config/settings.h"'),
            ("config/load.cc", '"daemon/core/admit.h"'),
            ("client/wire/message.cc", '"client/client.h"'),
            ("client/client.cc", '"client/cli/verbs.h"'),
            ("client/client.cc", '"daemon/core/admit.h"'),
            ("daemon/uv/timer.cc", '"daemon/core/admit.h"'),
            ("daemon/core/admit.cc", '"daemon/uv/timer.h"'),
            ("daemon/core/admit.cc", '"storage/rocks/rocks_store.h"'),
            ("daemon/core/admit.cc", '"client/client.h"'),
            ("daemon/core/admit.cc", '"daemon/api/invoke.h"'),
            ("daemon/api/invoke.cc", '"daemon/session.h"'),
            ("daemon/service.cc", '"client/client.h"'),
        ):
            self.assert_include(path, header, allowed=False)

    def test_a_folder_without_a_layer_is_found(self):
        self.assert_include("storage/shards/shard.h", "<cstdint>", allowed=False)

    def test_an_included_source_is_found(self):
        tree = {"tests/config/load_test.cc": '#include "config/load.cc"\n'}
        self.assert_found(rules.no_program_is_included, tree, "config/load.cc")

    def test_an_include_relative_to_its_own_folder_is_found(self):
        good = {"config/load.cc": '#include "config/load.h"\n', "config/load.h": ""}
        self.assert_clean(rules.includes_name_files_from_the_top, good)
        bad = {"config/load.cc": '\n#include "load.h"\n', "config/load.h": ""}
        self.assert_found(rules.includes_name_files_from_the_top, bad, "load.cc:2:")

    def test_a_header_without_its_pragma_is_found(self):
        self.assert_clean(rules.headers_are_included_once, {"config/a.h": "#pragma once\n"})
        self.assert_found(rules.headers_are_included_once, {"config/a.h": "// no\n"}, "a.h:1")

    def test_a_file_of_500_lines_passes_and_one_of_501_does_not(self):
        self.assert_clean(rules.files_are_short, {"config/a.cc": "//\n" * 500})
        self.assert_found(rules.files_are_short, {"config/a.cc": "//\n" * 501}, "501 lines")

    def test_a_function_of_70_lines_passes_and_one_of_71_does_not(self):
        def source(lines):
            return "namespace a {\nint f() {\n" + "  g();\n" * (lines - 2) + "}\n}\n"

        self.assert_clean(rules.functions_are_short, {"config/a.cc": source(70)})
        self.assert_found(rules.functions_are_short, {"config/a.cc": source(71)}, "a.cc:2: 71")

    def test_a_line_of_100_columns_passes_and_one_of_101_does_not(self):
        self.assert_clean(rules.lines_are_clean, {"config/a.cc": "x" * 100 + "\n"})
        self.assert_found(rules.lines_are_clean, {"config/a.cc": "x" * 101 + "\n"}, "101")

    def test_blanks_nobody_sees_are_found(self):
        tree = {"config/a.cc": "int a;\n\tint b;\nint c; \nint d;"}
        wanted = ("a.cc:2: a tab", "a.cc:3: space", "a.cc:4: no newline")
        self.assert_found(rules.lines_are_clean, tree, *wanted)

    def test_banned_words_are_found_as_words_only(self):
        good = "// TODOS, mktemp XXXXXX, goto in prose\nconst char* s = \"goto\";\nint goto_end;\n"
        self.assert_clean(rules.no_banned_words, {"config/a.cc": good})
        for text, name in (
            ("// TODO later\n", "TODO"),
            ("using namespace std;\n", "using namespace std"),
            ("goto end;\n", "goto"),
            ("sleep_for(1s);\n", "sleep_for outside of tests"),
        ):
            self.assert_found(rules.no_banned_words, {"config/a.cc": text}, name)
        self.assert_clean(rules.no_banned_words, {"tests/a.cc": "sleep_for(1s);\n"})

    def test_a_hidden_name_that_is_in_two_files_is_found(self):
        def tree(first, second, folder="daemon"):
            hidden = "namespace holdfast::{} {{\nnamespace {{\n{}\n}}  // namespace\n}}\n"
            return {
                "daemon/a.cc": hidden.format("daemon", first),
                f"{folder}/b.cc": hidden.format("daemon", second),
            }

        rule = rules.hidden_names_are_unique
        for first, second in (
            ("int size(int n) {", "int size(const std::string& text) {"),
            ("constexpr size_t kMost = 3;", "constexpr int kMost{4};"),
            ("struct Row {", "class Row final : public Base {"),
            ("template <class T> void put(T t) {", "[[noreturn]] void put();"),
        ):
            with self.subTest(first):
                self.assert_found(rule, tree(first, second), "daemon/a.cc as well")
                self.assert_clean(rule, tree(first, second, folder="client"))
                self.assert_clean(rule, tree(first, "  " + second))  # in a function or a type
                self.assert_clean(rule, tree(first, "// " + second))
        self.assert_clean(rule, tree("}  // namespace\nint size() {", "int size() {"))
        self.assert_clean(rule, tree("TEST(A, b) {", "TEST(A, c) {"))
        self.assert_clean(rule, {"tests/fuzz/a.cc": tree("int f() {", "")["daemon/a.cc"],
                                 "tests/fuzz/b.cc": tree("int f() {", "")["daemon/a.cc"]})

    def test_a_source_that_is_not_built_is_found(self):
        tree = {"config/meson.build": "lib(\n  'a.cc',\n  # 'b.cc',\n)\n"}
        tree.update({"config/a.cc": "", "config/b.cc": ""})
        self.assert_found(rules.sources_are_built, tree, "b.cc:1")
        above = {"tests/meson.build": "'core/a.cc'\n", "tests/core/a.cc": ""}
        self.assert_clean(rules.sources_are_built, above)

    def test_the_top_level_is_exactly_the_plan(self):
        tree = {name + "/x": "" for name in rules.TOP_LEVEL if "." not in name and name.islower()}
        tree.update({"meson.build": "", "README.md": "", "LICENSE": "", ".gitignore": ""})
        self.assert_clean(rules.top_level_is_fixed, {**tree, "build-test/x": ""})
        self.assert_found(rules.top_level_is_fixed, {**tree, "notes.md": ""}, "notes.md")
        del tree["README.md"]
        self.assert_found(rules.top_level_is_fixed, tree, "README.md")


class FunctionCounter(unittest.TestCase):
    """What source_text takes for a function, and where it ends."""

    def lengths(self, text):
        return [(line, count) for line, count, _ in source_text.functions(text)]

    def test_a_free_function_counts_from_its_signature(self):
        self.assertEqual(self.lengths("int f(int a,\n      int b) {\n  x();\n}\n"), [(1, 4)])

    def test_braces_in_literals_and_comments_do_not_count(self):
        text = "void f() {\n  g('{', \"}\", R\"(}})\");  // {\n  /* } */\n  h(1'000);\n}\nint a;\n"
        self.assertEqual(self.lengths(text), [(1, 5)])

    def test_members_count_one_by_one(self):
        text = "class A final : public B {\n public:\n  A() : a_{1}, b_{f()} {\n    x();\n  }\n"
        text += "  int g() const { return a_; }\n\n private:\n  int a_{0};\n  B b_ = {};\n};\n"
        self.assertEqual(self.lengths(text), [(3, 3), (6, 1)])

    def test_a_namespace_a_template_and_an_attribute_open_scopes(self):
        text = "namespace a::b {\nnamespace {\ntemplate <class T = int>\nclass [[nodiscard]] R {\n"
        text += "  R(T t)\n      : t_{t} {\n  }\n};\n}\n}\nextern \"C\" {\nvoid f() {\n}\n}\n"
        self.assertEqual(self.lengths(text), [(5, 3), (12, 2)])

    def test_tables_are_not_functions(self):
        text = "constexpr std::array kA{\n  Row{1, f()},\n  Row{2, g()},\n};\nenum class E {\n  a,\n};\n"
        text += "INSTANTIATE(A, testing::Values(\n  Case{1},\n  Case{2}),\n  [](auto& i) { return i; });\n"
        self.assertEqual(self.lengths(text), [])

    def test_a_test_body_is_a_function(self):
        self.assertEqual(self.lengths("TEST(A, B) {\n  if (x) {\n    y();\n  }\n}\n"), [(1, 5)])

    def test_a_macro_with_an_open_brace_changes_nothing(self):
        text = "#define OPEN(x) \\\n  if (x) {\nvoid f() {\n  g();\n}\n"
        self.assertEqual(self.lengths(text), [(3, 3)])

    def test_operators_trailing_types_and_lambdas_inside_belong_to_one(self):
        text = "bool operator()(int a) noexcept(true) {\n  return [&] {\n    return a;\n  }();\n}\n"
        text += "auto f() -> std::vector<int> {\n  return {1, 2};\n}\n"
        self.assertEqual(self.lengths(text), [(1, 5), (6, 3)])


if __name__ == "__main__":
    unittest.main(argv=sys.argv, verbosity=2)
