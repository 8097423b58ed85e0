"""What the black-box tests share: a real holdfastd in a folder of its own, a client that
speaks the protocol down to its bytes, and handlers that leave notes outside of the daemon.

    class EchoTest(harness.BoxTest):
        def test_an_event_runs(self):
            self.box.function("echo", "cat")
            self.box.start()
            self.assertEqual(self.box.ended(self.box.event("echo", b"x"))["State"], "succeeded")

Everything waits for conditions, with a deadline. Whatever a test started, the daemon's
handlers too, is dead when it ends; a test that fails shows the daemon's log.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from protocol_client import DEADLINE_S, Client, Refused

HOLDFASTD = os.environ.get("HOLDFASTD", "build/daemon/holdfastd")
HOLDFAST = os.environ.get("HOLDFAST", "build/client/holdfast")
HOLDFASTD, HOLDFAST = os.path.abspath(HOLDFASTD), os.path.abspath(HOLDFAST)
NOBODY = 65534
LIVING = ("pending", "running")
with open(HOLDFASTD, "rb") as program:
    SANITIZED = b"__asan_init" in program.read()


def wait_for(condition, what, seconds=DEADLINE_S):
    """Waits until condition() is true, and gives what it gave."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s in vain: {what}")
        time.sleep(0.01)


# Handlers begin with this. A note is one line in a file, written at once: request id,
# attempt, words.
_SH = """#!/bin/sh
here={folder}
note() {{ echo "$HOLDFAST_REQUEST_ID $HOLDFAST_ATTEMPT $*" >> "$here/notes"; }}
wait_for() {{ while [ ! -e "$here/$1" ]; do sleep 0.02; done; }}
"""


def toml(settings):
    """A configuration file of nested dicts; JSON spells strings, lists and numbers alike."""
    lines = []

    def table(path, values):
        if path:
            lines.append("[" + ".".join(path) + "]")
        for key, value in values.items():
            if not isinstance(value, dict):
                lines.append(f"{key} = {json.dumps(value)}")
        for key, value in values.items():
            if isinstance(value, dict):
                table(path + [key], value)

    table([], settings)
    return "\n".join(lines) + "\n"


class Box:
    """A folder with a configuration, a state directory, and at most one daemon."""

    def __init__(self, folder):
        self.folder = folder
        self.config_path = self.path("holdfast.toml")
        self.socket_path = self.path("holdfast.sock")
        self.log_path = self.path("daemon.log")
        self.state_path = self.path("state")
        self.process = None
        self.run_by = []  # words before holdfastd's own command line
        self.variables = {}  # what its environment has beyond the usual
        self.clients = []
        self.hooks = {}  # HOLDFAST_CRASH_AT and its like, for the daemon alone
        self.settings = {
            "daemon": {"state_directory": self.state_path, "drain_timeout": "5s"},
            "socket": {"path": self.socket_path, "mode": "0666", "group": ""},
            "limits": {"disk_free_min": "1MiB", "attempts_running_max": 16},
            "queues": {},
            "functions": {},
        }
        os.mkdir(self.path("bin"))

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def read(self, name):
        with contextlib.suppress(FileNotFoundError), open(self.path(name), "rb") as file:
            return file.read()
        return b""

    def log(self):
        return self.read("daemon.log").decode("utf-8", "replace")

    def touch(self, name):
        with open(self.path(name), "wb"):
            pass

    # --- handlers and what they tell

    def script(self, name, text):
        path = self.path("bin", name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(_SH.format(folder=self.folder) + text + "\n")
        os.chmod(path, 0o755)
        return path

    def function(self, name, text, **settings):
        """A function whose handler is this shell script."""
        settings["command"] = [self.script(name, text)]
        self.settings["functions"][name] = settings

    def notes(self, request_id=None):
        """(request id, attempt, words) in the order in which handlers wrote them."""
        rows = [line.split(" ", 2) for line in self.read("notes").decode().splitlines()]
        rows = [(row[0], int(row[1]), row[2]) for row in rows]
        return [row for row in rows if request_id in (None, row[0])]

    def noted(self, words, count=1):
        """Waits until handlers noted these words so often."""
        wait_for(
            lambda: sum(row[2] == words for row in self.notes()) >= count,
            f"handlers to note {words!r} {count} times",
        )

    # --- the daemon

    def write_config(self, text=None):
        with open(self.config_path, "w", encoding="utf-8") as file:
            file.write(toml(self.settings) if text is None else text)

    def environment(self):
        kept = ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS", "HOLDFAST_MUTANT")
        environment = {key: os.environ[key] for key in kept if key in os.environ}
        path = os.environ.get("PATH", "/usr/bin:/bin")
        # HOME marks every process that comes of this daemon: see processes().
        usual = {"PATH": path, "HOME": self.folder, "LANG": "C.UTF-8", "TZ": "UTC"}
        return {**environment, **usual, **self.variables}

    def launch(self, config_path=None):
        """A holdfastd, not waited for. It dies with this process, too."""
        with open(self.log_path, "ab") as log:
            return subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *self.run_by, HOLDFASTD]
                + ["--config", config_path or self.config_path],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**self.environment(), **self.hooks},
                start_new_session=True,
            )

    def start(self, **parts):
        """Adds parts to the settings, writes them, and starts the daemon until it serves."""
        for part, values in parts.items():
            self.settings[part].update(values)
        self.write_config()
        self.process = self.launch()
        wait_for(self.serves, "the daemon to serve")

    def serves(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the daemon ended with {self.process.returncode}")
        try:
            self.client()
            return True
        except (FileNotFoundError, ConnectionError):
            return False

    def kill(self, signum=signal.SIGKILL):
        """Sends the signal and waits for the end; gives the exit code."""
        self.process.send_signal(signum)
        return self.process.wait(DEADLINE_S)

    def stop(self):
        return self.kill(signal.SIGTERM)

    def crash_and_start(self):
        self.kill()
        self.start()

    def reload(self, text=None):
        """SIGHUP with the present settings, or with this text; gives the log from there."""
        self.write_config(text)
        before = len(self.log())
        self.process.send_signal(signal.SIGHUP)
        wait_for(
            lambda: re.search(r"reloaded|reload refused", self.log()[before:]),
            "the daemon to have reloaded",
        )
        return self.log()[before:]

    def rss_bytes(self, which="VmRSS"):
        """The daemon's resident memory now, or at its peak (VmHWM)."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            return int(re.search(which + r":\s+(\d+) kB", file.read()).group(1)) << 10

    def forget_peak(self):
        with open(f"/proc/{self.process.pid}/clear_refs", "w", encoding="ascii") as file:
            file.write("5")

    def processes(self):
        """The pids of all that lives and comes of this box's daemons."""
        mark = b"HOME=" + self.folder.encode() + b"\0"
        found = []
        for name in os.listdir("/proc"):
            with contextlib.suppress(OSError):
                if name.isdigit() and int(name) != os.getpid():
                    with open(f"/proc/{name}/environ", "rb") as file:
                        if mark in file.read():
                            found.append(int(name))
        return found

    def spawner_pid(self):
        for pid in self.processes():
            with contextlib.suppress(OSError):
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    if b"--spawner" in file.read().split(b"\0"):
                        return pid
        raise AssertionError("there is no spawner")

    def handler_pids(self):
        return [p for p in self.processes() if p not in (self.process.pid, self.spawner_pid())]

    def clean_up(self):
        for client in self.clients:
            client.close()
        if self.process is not None and self.process.poll() is None:
            self.kill()

        def all_dead():
            living = self.processes()
            for pid in living:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return not living

        wait_for(all_dead, "all processes of the box to die")
        shutil.rmtree(self.folder)

    # --- talking to it

    def client(self, seconds=DEADLINE_S):
        client = Client(self.socket_path, seconds)
        self.clients.append(client)
        return client

    def call(self, method, **params):
        """One request on the newest connection, which start() made."""
        return self.clients[-1].call(method, **params)

    def event(self, function, payload=b"", **more):
        answer = self.call(
            "Invoke", FunctionName=function, InvocationType="Event", Payload=payload, **more
        )
        assert answer["StatusCode"] == 202, answer
        return answer["RequestId"]

    def invoke(self, function, payload=b"", **more):
        return self.call("Invoke", FunctionName=function, Payload=payload, **more)

    def get(self, request_id, wait=0):
        return self.call("GetEvent", RequestId=request_id, WaitSeconds=wait)

    def ended(self, request_id, seconds=DEADLINE_S):
        """The event, once it has ended."""
        deadline = time.monotonic() + seconds
        while True:
            event = self.get(request_id, wait=5)
            if event["State"] not in LIVING:
                return event
            assert time.monotonic() < deadline, f"it did not end: {event}"

    def listed(self, method="ListEvents", rows="Events", **filters):
        """All rows of a list, page by page."""
        found = []
        while True:
            page = self.call(method, **filters)
            found += page[rows]
            if "NextMarker" not in page:
                return found
            filters["Marker"] = page["NextMarker"]

    def received(self, queue, **more):
        return self.call("ReceiveMessage", QueueName=queue, **more)["Messages"]


def is_root():
    return os.geteuid() == 0


def run_as_nobody(words, **more):
    """What comes of running this as the user nobody. Skips where nobody cannot reach it."""
    try:
        return subprocess.run(
            words, user=NOBODY, group=NOBODY, extra_groups=[], cwd="/", capture_output=True,
            text=True, timeout=DEADLINE_S, check=False, **more,
        )
    except PermissionError as denied:
        raise unittest.SkipTest(f"nobody cannot run {words[0]}") from denied


@contextlib.contextmanager
def as_nobody():
    """Connections made inside come from the user nobody, as the kernel tells the daemon."""
    groups, gid = os.getgroups(), os.getegid()
    os.setgroups([])
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(gid)
        os.setgroups(groups)


class BoxTest(unittest.TestCase):
    """A test with a fresh box, and the daemon's log if it fails."""

    maxDiff = None

    def setUp(self):
        folder = tempfile.mkdtemp(prefix="holdfast-")
        os.chmod(folder, 0o755)  # others reach the socket; the state has its own rights
        self.box = Box(folder)
        self.addCleanup(self._end)

    def _end(self):
        self.daemon_log = self.box.log()
        self.box.clean_up()

    def run(self, result=None):
        result = result or self.defaultTestResult()
        bad = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > bad:
            log = getattr(self, "daemon_log", "")
            print(f"--- log of the daemon in {self.id()}:\n{log}---", file=sys.stderr)
        return result

    @contextlib.contextmanager
    def refused(self, error_type, words=""):
        """What runs inside must be refused with this type, and the message hold the words."""
        with self.assertRaises(Refused) as caught:
            yield
        self.assertEqual(caught.exception.type, error_type, caught.exception)
        self.assertIn(words, caught.exception.message)


def main():
    unittest.main(verbosity=2)
