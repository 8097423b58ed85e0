"""What a run was asked for, and where its programs are."""

import contextlib
import dataclasses
import json
import os
import subprocess
import sys

PAYLOAD_BYTES = 1024
PATIENCE_S = 60  # beyond what a program was asked to take


class ProgramFailed(Exception):
    """A program of the benchmarks ended with an error; the words are its own."""


@dataclasses.dataclass(frozen=True)
class Setting:
    root: str
    build: str
    directory: str
    full: bool = False
    rounds: int = 3
    seconds: float = 1.5

    @property
    def holdfastd(self):
        return os.path.join(self.build, "daemon", "holdfastd")

    @property
    def holdfast(self):
        return os.path.join(self.build, "client", "holdfast")

    def program(self, name):
        return os.path.join(self.build, "tests", "bench", name)

    def run(self, name, *words, patience_s=None):
        """Runs a program of tests/bench to its end; gives the JSON that it prints."""
        with self.started(name, *words) as process:
            return finish(process, patience_s or self.seconds + PATIENCE_S)

    @contextlib.contextmanager
    def started(self, name, *words):
        """A program of tests/bench beside other work; dead when the block is left."""
        process = subprocess.Popen(
            guarded([self.program(name), *map(str, words)]), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "TMPDIR": self.directory})
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate()


def guarded(words):
    """The command line of a program that dies with us, even if we are killed."""
    return ["setpriv", "--pdeathsig", "KILL", *words]


def finish(process, patience_s):
    """Waits for a started program; gives its JSON."""
    out, errors = process.communicate(timeout=patience_s)
    if process.returncode != 0:
        words = [os.path.basename(process.args[3]), *process.args[4:]]
        raise ProgramFailed(f"{' '.join(words)}: status {process.returncode}: {errors.strip()}")
    return json.loads(out)


def say(words):
    """Progress, for whoever waits; the report goes to standard output."""
    print(words, file=sys.stderr, flush=True)
