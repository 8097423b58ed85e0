"""Starts a holdfastd of our own, kills it, and asks it how it stands."""

import os
import shutil
import signal
import subprocess
import tempfile
import time

from client import Connection, Lost

HERE = os.path.dirname(os.path.abspath(__file__))
START_SECONDS_MAX = 30


class Trouble(Exception):
    """The quickstart cannot go on; the message says why."""


def toml_string(text):
    for plain, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\t", "\\t")):
        text = text.replace(plain, escaped)
    return f'"{text}"'


class Daemon:
    """A daemon whose state, configuration, log and archive are in `folder`."""

    def __init__(self, program, command, folder):
        self.program, self.command = program, command
        self.archive = os.path.join(folder, "archive")
        self.attempts_log = os.path.join(folder, "attempts.log")
        self.log = os.path.join(folder, "holdfastd.log")
        self.config = os.path.join(folder, "holdfast.toml")
        # The path of a socket is short by law, and that of the folder may not be.
        self.socket_folder = tempfile.mkdtemp(prefix="holdfast-", dir="/tmp")
        self.socket = os.path.join(self.socket_folder, "holdfast.sock")
        self.process = None
        os.mkdir(self.archive)
        with open(os.path.join(HERE, "holdfast.toml"), encoding="utf-8") as file:
            text = file.read()
        for name, value in (
            ("STATE", os.path.join(folder, "state")),
            ("SOCKET", self.socket),
            ("HANDLER", os.path.join(HERE, "archive.sh")),
            ("WORK", folder),
            ("ARCHIVE", self.archive),
            ("ATTEMPTS_LOG", self.attempts_log),
        ):
            text = text.replace(f"@{name}@", toml_string(value))
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(text)

    def start(self):
        """Returns the seconds until it answered, and its status."""
        begun = time.monotonic()
        command = [self.program, "--config", self.config]
        if shutil.which("setpriv"):
            command = ["setpriv", "--pdeathsig", "KILL"] + command  # it ends with us, at the latest
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        while True:
            try:
                return time.monotonic() - begun, self.status()
            except (OSError, Lost):
                pass
            self.check_alive()
            if time.monotonic() - begun > START_SECONDS_MAX:
                raise Trouble(f"holdfastd does not answer:\n{self.log_tail()}")
            time.sleep(0.02)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        """Its exit status, after it has drained."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20)

    def clean_up(self):
        if self.process and self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.socket_folder, ignore_errors=True)

    def status(self):
        with self.connect() as connection:
            return connection.call("GetStatus")

    def check_alive(self):
        if self.process.poll() is not None:
            raise Trouble(f"holdfastd ended with {self.process.returncode}:\n{self.log_tail()}")

    def connect(self):
        return Connection(self.socket)

    def holdfast(self, *arguments):
        """What the `holdfast` command prints."""
        done = subprocess.run(
            [self.command, *arguments],
            env={**os.environ, "HOLDFAST_SOCKET": self.socket},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise Trouble(
                f"holdfast {' '.join(arguments)} ended with {done.returncode}: {done.stderr}"
            )
        return done.stdout

    def log_tail(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return "".join(file.readlines()[-15:])
