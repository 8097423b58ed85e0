"""The systemd files are valid and keep the relations that their comments promise.

usage: unit_test.py HOLDFASTD
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
UNIT = os.path.join(ROOT, "systemd", "holdfast.service")
SYSUSERS = os.path.join(ROOT, "systemd", "holdfast.sysusers")
HOLDFASTD = "/usr/bin/holdfastd"


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def unit_values(text):
    return dict(re.findall(r"^([A-Za-z]+)=(.*)$", text, re.MULTILINE))


def verify(text):
    """What systemd-analyze has to say about a unit; empty if nothing.

    It names an unknown key but exits with 0, so only silence counts as valid.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "holdfast.service")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace(HOLDFASTD, shutil.which("true")))
        run = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", path],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        said = [line for line in run.stdout.splitlines() if path in line]
        return "\n".join(said) if run.returncode == 0 else run.stdout


class UnitTest(unittest.TestCase):
    def setUp(self):
        self.values = unit_values(read(UNIT))

    @unittest.skipUnless(shutil.which("systemd-analyze"), "systemd-analyze is not installed")
    def test_systemd_accepts_the_unit(self):
        self.assertEqual(verify(read(UNIT)), "")

    @unittest.skipUnless(shutil.which("systemd-analyze"), "systemd-analyze is not installed")
    def test_a_misspelt_key_would_be_noticed(self):
        self.assertIn("WatchdgoSec", verify(read(UNIT).replace("WatchdogSec", "WatchdgoSec")))

    @unittest.skipUnless(shutil.which("systemd-sysusers"), "systemd-sysusers is not installed")
    def test_systemd_accepts_the_user(self):
        run = subprocess.run(
            ["systemd-sysusers", "--dry-run", SYSUSERS],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        self.assertNotRegex(run.stdout, r"Unknown|ignoring|[Ii]nvalid|Failed")

    def test_the_unit_runs_as_the_user_that_sysusers_creates(self):
        created = re.search(r"^u (\S+)", read(SYSUSERS), re.MULTILINE).group(1)
        self.assertEqual(self.values["User"], created)
        self.assertEqual(self.values["Group"], created)

    def test_stopping_waits_longer_than_draining_and_killing(self):
        settings = read(os.path.join(ROOT, "config", "settings.h"))
        drain_s = int(re.search(r"drain_timeout = (\d+)s;", settings).group(1))
        grace_s = int(re.search(r"kKillGrace\{0s, (\d+)s\}", settings).group(1))
        stop_s = int(re.fullmatch(r"(\d+)s", self.values["TimeoutStopSec"]).group(1))
        self.assertGreater(stop_s, drain_s + grace_s)

    def test_the_directories_are_those_of_the_default_settings(self):
        settings = read(os.path.join(ROOT, "config", "settings.h"))
        state = re.search(r'state_directory = "(.*?)"', settings).group(1)
        socket = re.search(r'path = "(.*?)"', settings).group(1)
        self.assertEqual(state, "/var/lib/" + self.values["StateDirectory"])
        self.assertEqual(os.path.dirname(socket), "/run/" + self.values["RuntimeDirectory"])

    def test_it_comes_back_for_ever_and_outlives_a_handler_without_memory(self):
        self.assertEqual(self.values["Restart"], "always")
        self.assertEqual(self.values["StartLimitIntervalSec"], "0")
        self.assertEqual(self.values["OOMPolicy"], "continue")

    def test_nothing_hides_whether_the_clock_is_synchronised(self):
        self.assertNotIn("ProtectClock", self.values)
        self.assertNotIn("SystemCallFilter", self.values)

    def test_the_built_daemon_is_the_one_that_is_started(self):
        self.assertEqual(os.path.basename(DAEMON), os.path.basename(HOLDFASTD))
        self.assertTrue(os.access(DAEMON, os.X_OK))
        self.assertTrue(self.values["ExecStart"].startswith(HOLDFASTD + " "))


if __name__ == "__main__":
    DAEMON = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)
