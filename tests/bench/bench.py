"""Accepts a second, side by side: Holdfast, its ceiling, Redis Streams and beanstalkd.

    bench.py --build FOLDER [--rounds N] [--seconds S] [--json FILE]

Each system syncs before it says yes. Rounds are interleaved, each with fresh directories on
the same disk; a figure is the median of its rounds, with the least and the most. After each
round of Holdfast `holdfastd --verify` must find every event that was acknowledged.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

PAYLOAD_BYTES = 1024
CONNECTIONS = (1, 16, 64, 256)
SHAPES = [(n, 1) for n in CONNECTIONS] + [(8, 32)]  # (connections, in flight on each)
WAIT_S = 20


def wait_for(condition, what):
    deadline = time.monotonic() + WAIT_S
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"waited in vain for {what}")
        time.sleep(0.01)


def connects(place):
    family = socket.AF_UNIX if isinstance(place, str) else socket.AF_INET
    with socket.socket(family) as one:
        try:
            one.connect(place)
            return True
        except OSError:
            return False


class System:
    """Started in a fresh folder, and ended with all it wrote."""

    def __init__(self, build, folder):
        self.build, self.folder = build, folder
        self.place = os.path.join(folder, "s")

    def path(self, *names):
        return os.path.join(self.folder, *names)

    @contextlib.contextmanager
    def running(self):
        with open(self.path("log"), "wb") as log:
            process = subprocess.Popen(self.command(), stdout=log, stderr=log)
        try:
            wait_for(lambda: connects(self.place), type(self).__name__)
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)

    def check(self, answers):
        """That what was acknowledged is there."""


class Holdfast(System):
    name = "holdfast"

    def command(self):
        with open(self.path("holdfast.toml"), "w", encoding="utf-8") as file:
            file.write(f"""[daemon]
state_directory = "{self.path("state")}"
[socket]
path = "{self.place}"
group = ""
[functions.bench]
workers = true
""")
        return [os.path.join(self.build, "daemon", "holdfastd"), "--config",
                self.path("holdfast.toml")]

    def check(self, answers):
        done = subprocess.run([os.path.join(self.build, "daemon", "holdfastd"), "--verify",
                               self.path("state")], capture_output=True, text=True, check=False)
        numbers = [int(word) for word in done.stdout.replace(",", " ").split() if word.isdigit()]
        if done.returncode != 0 or not any(number >= answers for number in numbers):
            raise RuntimeError(f"{answers} events were acknowledged:\n{done.stdout}{done.stderr}")


class Keyed(Holdfast):
    name = "holdfast, keyed"


class Ceiling(System):
    name = "ceiling"
    more = []

    def command(self):
        return [os.path.join(self.build, "tests", "bench", "bench_ceiling"), self.place,
                self.path("db"), *self.more]


class KeyedCeiling(Ceiling):
    name = "ceiling, keyed"
    more = ["keyed"]


class Redis(System):
    name = "redis"

    def command(self):
        return ["redis-server", "--port", "0", "--unixsocket", self.place, "--dir", self.folder,
                "--appendonly", "yes", "--appendfsync", "always", "--save", "",
                "--auto-aof-rewrite-percentage", "0"]


class Beanstalkd(System):
    name = "beanstalkd"

    def command(self):
        os.mkdir(self.path("binlog"))
        return ["beanstalkd", "-b", self.path("binlog"), "-f", "0", "-l", "unix:" + self.place]


SYSTEMS = (Holdfast, Keyed, Ceiling, KeyedCeiling, Redis, Beanstalkd)


def available(system):
    program = {"redis": "redis-server", "beanstalkd": "beanstalkd"}.get(system.name)
    return program is None or shutil.which(program) is not None


def measure(arguments, system, connections, in_flight):
    with tempfile.TemporaryDirectory(dir=arguments.directory, prefix="holdfast-bench-") as folder:
        one = system(arguments.build, folder)
        dialect = system.name.split(",")[0]
        more = ["keyed"] if "keyed" in system.name else []
        load = [os.path.join(arguments.build, "tests", "bench", "bench_load"), dialect, one.place,
                str(connections), str(in_flight), str(arguments.seconds), str(PAYLOAD_BYTES), *more]
        with one.running():
            done = subprocess.run(load, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise RuntimeError(f"{system.name}: {done.stderr}")
        figures = json.loads(done.stdout)
        one.check(figures["answers"])
        return figures


def table(results):
    heads = ["accepts/s"] + [f"{c}" if f == 1 else f"{c} x {f}" for c, f in SHAPES]
    rows = [heads]
    for name in results:
        row = [name]
        for shape in SHAPES:
            rates = [one["per_s"] for one in results[name][shape]]
            row.append(f"{statistics.median(rates):,.0f} ({min(rates):,.0f}..{max(rates):,.0f})")
        rows.append(row)

    def ratio(of, to):
        row = [f"{of} / {to}"]
        for shape in SHAPES:
            each = [a["per_s"] / b["per_s"]
                    for a, b in zip(results[of][shape], results[to][shape])]
            row.append(f"{statistics.median(each):.2f} ({min(each):.2f}..{max(each):.2f})")
        rows.append(row)

    for of, to in (("holdfast", "ceiling"), ("holdfast, keyed", "ceiling, keyed"),
                   ("holdfast", "redis"), ("holdfast, keyed", "redis"), ("ceiling", "redis")):
        if of in results and to in results:
            ratio(of, to)
    return "\n".join("| " + " | ".join(row) + " |" for row in
                     [rows[0], ["---"] * len(heads), *rows[1:]])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True)
    parser.add_argument("--directory", default=".")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--json")
    arguments = parser.parse_args()
    arguments.build = os.path.abspath(arguments.build)
    arguments.directory = os.path.abspath(arguments.directory)
    systems = [system for system in SYSTEMS if available(system)]
    for system in set(SYSTEMS) - set(systems):
        print(f"{system.name}: skipped, it is not installed", file=sys.stderr)
    results = {system.name: {shape: [] for shape in SHAPES} for system in systems}
    for _ in range(arguments.rounds):
        for shape in SHAPES:
            for system in systems:
                results[system.name][shape].append(measure(arguments, system, *shape))
    print(table(results))
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump({name: {f"{c}x{f}": rounds for (c, f), rounds in shapes.items()}
                       for name, shapes in results.items()}, file, indent=1)


if __name__ == "__main__":
    main()
