"""The systems side by side. Each is started in an empty folder on the disk in question.

    with Holdfast(setting) as box:
        found = setting.run("bench_load", box.dialect, box.place, ...)
        box.accepted(found["answers"])

On leaving the block the system is stopped, Holdfast is held to what it acknowledged
(`holdfastd --verify`), and the folder goes. Nothing durable is off in any of them: each
answers after a sync, Redis with `appendfsync always` and beanstalkd with `-f 0`. That
Redis never rewrites its log favours Redis.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from setting import guarded, say

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "blackbox"))
import protocol_client  # noqa: E402

START_S = 30
STOP_S = 120
FUNCTION = "bench"


def wait_for(condition, what, seconds=START_S, pause_s=0.005):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s in vain for {what}")
        time.sleep(pause_s)


class System:
    """One system in a folder of its own; what it wrote goes with it."""

    name = dialect = package = None
    load_words = ()  # what bench_load is told beyond the system's name

    @classmethod
    def available(cls):
        return cls.package is None or shutil.which(cls.package) is not None

    def __init__(self, setting):
        self.setting = setting
        self.folder = self.socket_folder = self.process = None

    @property
    def pid(self):
        return self.process.pid

    @property
    def place(self):
        return os.path.join(self.socket_folder, "s")

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def command(self):
        """The command line; files it needs are written first."""
        raise NotImplementedError

    def variables(self):
        """What its environment has beyond ours."""
        return {}

    def check(self):
        """Raises if something acknowledged is missing. The system is stopped by then."""

    def accepted(self, count):
        """What the system has acknowledged, and must be found later."""

    def launch(self):
        with open(self.path("log"), "ab") as log:
            self.process = subprocess.Popen(guarded(self.command()), stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log,
                                            env={**os.environ, **self.variables()})

    def serves(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.name} ended at its start:\n{self.log()}")
        with socket.socket(socket.AF_UNIX) as one:
            return one.connect_ex(self.place) == 0

    def log(self):
        with open(self.path("log"), encoding="utf-8", errors="replace") as file:
            return file.read()[-2000:]

    def start(self):
        self.launch()
        wait_for(self.serves, f"{self.name} to serve")

    def end(self, signum=signal.SIGTERM):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signum)
            self.process.wait(STOP_S)

    def __enter__(self):
        self.folder = tempfile.mkdtemp(dir=self.setting.directory, prefix="holdfast-bench-")
        self.socket_folder = tempfile.mkdtemp(prefix="holdfast-bench-")  # a short path
        try:
            self.start()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, kind, *_):
        try:
            self.end(signal.SIGTERM if kind is None else signal.SIGKILL)
            if kind is None:
                self.check()
        finally:
            shutil.rmtree(self.folder)
            shutil.rmtree(self.socket_folder)


def toml(sections):
    """A configuration file of {section: its lines}."""
    return "\n".join(f"[{name}]\n" + "\n".join(lines) for name, lines in sections.items()) + "\n"


class Holdfast(System):
    """With the settings of its file but for some bounds, which are raised."""

    name = dialect = "holdfast"

    def __init__(self, setting, function="workers = true", concurrency=256, more=()):
        """`more` are (section, line) pairs of the configuration."""
        super().__init__(setting)
        self.function, self.concurrency, self.more = function, concurrency, more
        self.accepted_count = self.ended_count = 0

    def sections(self):
        made = {
            "daemon": [f'state_directory = "{self.path("state")}"'],
            "socket": [f'path = "{self.place}"', 'group = ""'],
            "limits": ["attempts_running_max = 256", 'idempotency_bytes_max = "4GiB"'],
            f"functions.{FUNCTION}": [f"concurrency_max = {self.concurrency}", 'timeout = "5m"',
                                      'event_age_max = "14d"', self.function],
        }
        for section, line in self.more:
            made.setdefault(section, []).append(line)
        return made

    def command(self):
        with open(self.path("holdfast.toml"), "w", encoding="utf-8") as file:
            file.write(toml(self.sections()))
        return [self.setting.holdfastd, "--config", self.path("holdfast.toml")]

    def accepted(self, count):
        self.accepted_count += count

    def ended(self, count):
        self.ended_count += count

    def client(self):
        return protocol_client.Client(self.place)

    def status(self):
        client = self.client()
        try:
            return client.call("GetStatus")
        finally:
            client.close()

    def check(self):
        done = subprocess.run([self.setting.holdfastd, "--verify", self.path("state")],
                              capture_output=True, text=True, check=False)
        found = found_by_verify(done.stdout)
        if (done.returncode != 0 or found.get("accepted", -1) < self.accepted_count
                or found.get("ended", -1) < self.ended_count):
            raise RuntimeError(
                f"acknowledged: {self.accepted_count} accepted, {self.ended_count} ended; "
                f"--verify, status {done.returncode}:\n{done.stdout}{done.stderr}")


def found_by_verify(text):
    """The numbers of `holdfastd --verify`, by the words in front of them."""
    return {name: int(count) for name, count in re.findall(r"^  (\S.*?) +(\d+)$", text, re.M)}


class HoldfastKeyed(Holdfast):
    name, load_words = "holdfast, keyed", ("keyed",)


class Ceiling(System):
    """The same keys through the same database and socket, and nothing else."""

    name = dialect = "ceiling"

    def command(self):
        return [self.setting.program("bench_ceiling"), self.place, self.path("db"),
                *self.load_words]


class CeilingKeyed(Ceiling):
    name, load_words = "ceiling, keyed", ("keyed",)


class Redis(System):
    name = dialect = "redis"
    package = "redis-server"

    def command(self):
        return ["redis-server", "--port", "0", "--unixsocket", self.place, "--dir", self.folder,
                "--appendonly", "yes", "--appendfsync", "always", "--save", "",
                "--auto-aof-rewrite-percentage", "0"]


class Beanstalkd(System):
    name = dialect = package = "beanstalkd"

    def command(self):
        os.makedirs(self.path("binlog"), exist_ok=True)
        return ["beanstalkd", "-b", self.path("binlog"), "-f", "0", "-l", "unix:" + self.place]


def interleaved(setting, name, systems, shapes, one_round):
    """Rounds of all shapes of all systems, one after the other, for `report.system_rows`."""
    present, missing = split(systems)
    rounds = {system.name: {shape: [] for shape in shapes} for system in present}
    for count in range(setting.rounds):
        say(f"{name}: round {count + 1} of {setting.rounds}")
        for shape in shapes:
            for system in present:
                rounds[system.name][shape].append(one_round(setting, system, shape))
    return {"rounds": rounds, "skipped": missing}


def split(systems):
    """(those that are installed, {name: why not} of the others)"""
    missing = {one.name: "not installed" for one in systems if not one.available()}
    return [one for one in systems if one.name not in missing], missing
