"""The pure layers link without libuv, RocksDB and spdlog.

usage: links_test.py PROGRAM=LIBRARY,LIBRARY... ...

A call into a library either names that library as needed in the program or, with the
library not on the link line, does not link at all. So a program that was built and
needs none of them proves that nothing it is made of calls them.
"""

import os
import re
import subprocess
import sys
import unittest


def needed(program):
    """The short names of the shared libraries that a program needs: {'stdc++', 'c'}."""
    run = subprocess.run(
        ["readelf", "--dynamic", "--wide", program],
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=True,
    )
    return set(re.findall(r"\(NEEDED\).*\[lib([^\]]+?)\.so", run.stdout))


class LinksTest(unittest.TestCase):
    def test_the_reader_sees_what_a_program_needs(self):
        self.assertIn("c", needed(sys.executable))


def _needs_none_of(program, libraries):
    def test(self):
        self.assertEqual(needed(program) & libraries, set())

    return test


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        path, _, names = argument.rpartition("=")
        made = _needs_none_of(path, set(names.split(",")))
        setattr(LinksTest, f"test_{os.path.basename(path)}_needs_none_of_{names}", made)
    unittest.main(argv=sys.argv[:1], verbosity=2)
