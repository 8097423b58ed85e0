"""The closing line of tests/run.sh counts what really ran."""

import unittest

import tally

GTEST = """[ RUN      ] Load.Reads
[       OK ] Load.Reads (0 ms)
[ RUN      ] Load.Refuses
noise without a newline[       OK ] Load.Refuses (12 ms)
[ RUN      ] Cases/Load.Skips/0
[  SKIPPED ] Cases/Load.Skips/0 (0 ms)
[ RUN      ] Cases/Load.Breaks/1
[  FAILED  ] Cases/Load.Breaks/1, where GetParam() = 3 (1 ms)
[==========] 4 tests from 2 test suites ran. (13 ms total)
[  PASSED  ] 2 tests.
[  SKIPPED ] 1 test, listed below:
[  SKIPPED ] Cases/Load.Skips/0
[  FAILED  ] 1 test, listed below:
[  FAILED  ] Cases/Load.Breaks/1, where GetParam() = 3
"""


class TallyTest(unittest.TestCase):
    def line(self, result, stdout="", stderr=""):
        counted = tally.Tally()
        tally.count({"result": result, "stdout": stdout, "stderr": stderr}, counted)
        return str(counted)

    def test_gtest_cases_are_counted_once(self):
        self.assertEqual(self.line("FAIL", GTEST), "2 passed, 1 failed, 1 skipped")

    def test_disabled_cases_are_skipped_cases(self):
        said = "[       OK ] A.B (0 ms)\n\n  YOU HAVE 2 DISABLED TESTS\n"
        self.assertEqual(self.line("OK", said), "1 passed, 0 failed, 2 skipped")

    def test_a_program_that_dies_has_failed(self):
        died = "[       OK ] A.B (0 ms)\n[ RUN      ] A.C\n"
        self.assertEqual(self.line("FAIL", died), "1 passed, 1 failed, 0 skipped")
        self.assertEqual(self.line("TIMEOUT", died), "1 passed, 1 failed, 0 skipped")
        self.assertEqual(self.line("FAIL"), "0 passed, 1 failed, 0 skipped")

    def test_a_leak_after_good_cases_has_failed(self):
        good = "[       OK ] A.B (0 ms)\n[  PASSED  ] 1 test.\n"
        self.assertEqual(self.line("FAIL", good, "LeakSanitizer"), "1 passed, 1 failed, 0 skipped")

    def test_unittest_cases_are_counted(self):
        good = "Ran 9 tests in 0.100s\n\nOK\n"
        self.assertEqual(self.line("OK", "", good), "9 passed, 0 failed, 0 skipped")
        some = "Ran 9 tests in 0.100s\n\nOK (skipped=2)\n"
        self.assertEqual(self.line("OK", "", some), "7 passed, 0 failed, 2 skipped")
        bad = "Ran 9 tests in 0.100s\n\nFAILED (failures=1, errors=2, skipped=3)\n"
        self.assertEqual(self.line("FAIL", "", bad), "3 passed, 3 failed, 3 skipped")

    def test_what_is_said_of_mutants_is_kept(self):
        counted = tally.Tally()
        said = "test_a ... mutant sync_off: caught\nmutant audit: caught by kills (2 s)\nok\n"
        tally.count({"result": "OK", "stdout": said}, counted)
        self.assertEqual(counted.caught, ["mutant audit: caught by kills (2 s)"])

    def test_a_plain_program_is_one_case(self):
        self.assertEqual(self.line("OK"), "1 passed, 0 failed, 0 skipped")
        self.assertEqual(self.line("SKIP"), "0 passed, 0 failed, 1 skipped")


if __name__ == "__main__":
    unittest.main(verbosity=2)
