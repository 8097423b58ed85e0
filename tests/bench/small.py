"""Small things: the size of the program, and how long `holdfast status` takes."""

import os
import subprocess
import tempfile
import time

import backlog
import figures
import report
from setting import say
from systems import Holdfast

NAME = "small"
TITLE = "Size and status"
TIMES = 20
WAITING = 10_000
BINARY_MAX_MB = 5
STATUS_MAX_MS = 20


def seconds(_):
    return 5


def stripped_bytes(path):
    with tempfile.TemporaryDirectory() as folder:
        copy = os.path.join(folder, "stripped")
        subprocess.run(["strip", "-o", copy, path], check=True)
        return os.path.getsize(copy)


def status_ms(setting, box):
    began_at = time.monotonic()
    subprocess.run([setting.holdfast, "--socket", box.place, "status"], check=True,
                   stdout=subprocess.DEVNULL)
    return 1000 * (time.monotonic() - began_at)


def measure(setting):
    say("small things")
    with Holdfast(setting) as box:
        backlog.fill(box, WAITING)
        took_ms = [status_ms(setting, box) for _ in range(TIMES)]
    return {"status_ms": took_ms, "holdfastd": stripped_bytes(setting.holdfastd),
            "holdfast": stripped_bytes(setting.holdfast)}


def status(found):
    return figures.spread(found["status_ms"])


def tables(found):
    rows = [["holdfastd, stripped, MB", figures.number(found["holdfastd"] / 1e6)],
            ["holdfast, stripped, MB", figures.number(found["holdfast"] / 1e6)],
            [f"`holdfast status` with {WAITING:,} waiting, ms", figures.text(status(found))]]
    return [report.Table("", ["", ""], rows)]


def goals(found):
    size = figures.spread([found["holdfastd"] / 1e6])
    return [figures.goal_at_most("holdfastd, stripped", BINARY_MAX_MB, size, "MB"),
            figures.goal_at_most("`holdfast status`", STATUS_MAX_MS, status(found), "ms")]
