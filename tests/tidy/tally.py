"""Counts test cases in the logs of meson: gtest's cases, unittest's cases.

usage: tally.py TESTLOG.json...

Prints which layer caught which mutant, then `N passed, N failed, N skipped`, and exits with 1 if anything failed or nothing
ran. A program that dies or is stopped for its time counts as one failure more than the
cases it had finished, so that a crash never looks like a smaller success.
"""

import json
import re
import sys

_GTEST = re.compile(r"\[ +(OK|FAILED|SKIPPED) +\] .*\(\d+ ms\)$", re.MULTILINE)
_GTEST_DISABLED = re.compile(r"YOU HAVE (\d+) DISABLED TEST")
_UNITTEST = re.compile(r"^Ran (\d+) tests? in .*\n\n(OK|FAILED)(?: \((.*)\))?$", re.MULTILINE)
_MUTANT = re.compile(r"^mutant \w+: caught by .*$", re.MULTILINE)


class Tally:
    def __init__(self):
        self.passed = 0
        self.failed = 0
        self.skipped = 0
        self.caught = []  # what is said of mutants

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def _count_gtest(tally, output):
    words = [match.group(1) for match in _GTEST.finditer(output)]
    tally.passed += words.count("OK")
    tally.failed += words.count("FAILED")
    tally.skipped += words.count("SKIPPED")
    tally.skipped += sum(int(n) for n in _GTEST_DISABLED.findall(output))
    return bool(words)


def _count_unittest(tally, output):
    found = False
    for match in _UNITTEST.finditer(output):
        found = True
        counts = dict(re.findall(r"([a-z ]+)=(\d+)", match.group(3) or ""))
        counts = {name.strip(): int(count) for name, count in counts.items()}
        failed = counts.get("failures", 0) + counts.get("errors", 0)
        failed += counts.get("unexpected successes", 0)
        skipped = counts.get("skipped", 0)
        tally.failed += failed
        tally.skipped += skipped
        tally.passed += max(0, int(match.group(1)) - failed - skipped)
    return found


def count(entry, tally):
    """Adds one meson test, a line of testlog.json, to the tally."""
    output = (entry.get("stdout") or "") + "\n" + (entry.get("stderr") or "")
    failed_before = tally.failed
    found = _count_gtest(tally, output)
    found = _count_unittest(tally, output) or found
    tally.caught += _MUTANT.findall(output)
    good = entry["result"] in ("OK", "EXPECTEDFAIL")
    if not found and entry["result"] == "SKIP":
        tally.skipped += 1
    elif not found and good:
        tally.passed += 1
    elif not good and entry["result"] != "SKIP" and tally.failed == failed_before:
        tally.failed += 1


def main(paths):
    tally = Tally()
    for path in paths:
        with open(path, encoding="utf-8") as file:
            for line in file:
                if line.strip():
                    count(json.loads(line), tally)
    for line in tally.caught:
        print(line)
    print(tally)
    return 1 if tally.failed or not tally.passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
