"""Instructions of the daemon per accepted event and per full cycle, by callgrind.

Each is the difference of two runs with different numbers of events, so that start and stop
do not count. How many events share a commit varies a little, and the figure with it.
"""

import os
import re

import cycles
import figures
import kernel
import report
from setting import PAYLOAD_BYTES, say
from systems import Holdfast, split

NAME = "instructions"
TITLE = "Instructions"
FEW, MANY = 1_000, 5_000
CONNECTIONS = 16
PATIENCE_S = 600

# What was last seen, by which the next run is judged: a change worth a look is beyond 1.1.
WATCHED = {"accept": 21_900, "accept, keyed": 32_600, "cycle": 64_900}
WATCHED_MAX = 1.1


class Counted(Holdfast):
    """Holdfast under callgrind; `instructions` are known when it has stopped."""

    name, package = "holdfast under callgrind", "valgrind"
    instructions = None

    def variables(self):
        """Under valgrind /proc/self/exe, which the daemon starts its spawner from, is another."""
        library = os.path.join(self.setting.build, "tests", "libbench_self_exec.so")
        return {"LD_PRELOAD": library, "HOLDFAST_BENCH_EXE": self.setting.holdfastd}

    def command(self):
        return ["valgrind", "--tool=callgrind", "--callgrind-out-file=" + self.path("callgrind"),
                *super().command()]

    def check(self):
        super().check()
        counted = re.findall(r"^(?:summary|totals): (\d+)", kernel.read(self.path("callgrind")),
                             re.M)
        self.instructions = max(map(int, counted))


def accept(box, count, *more):
    found = box.setting.run("bench_load", box.dialect, box.place, CONNECTIONS, 1, 1,
                            PAYLOAD_BYTES, *more, "--count", count, patience_s=PATIENCE_S)
    box.accepted(found["answers"])
    return found["answers"]


def accept_keyed(box, count):
    return accept(box, count, "keyed")


def cycle(box, count):
    return cycles.run(box, CONNECTIONS, CONNECTIONS, 1, "--count", count,
                      patience_s=PATIENCE_S)["done"]


WORK = {"accept": accept, "accept, keyed": accept_keyed, "cycle": cycle}


def seconds(_):
    return len(WORK) * 25


def per_event(setting, work):
    """(instructions, events) of two runs, and what lies between them."""
    runs = []
    for count in (FEW, MANY):
        with Counted(setting) as box:
            events = work(box, count)
        runs.append((box.instructions, events))
    return (runs[1][0] - runs[0][0]) / (runs[1][1] - runs[0][1])


def measure(setting):
    _, missing = split([Counted])
    if missing:
        return {"per_event": {}, "skipped": "valgrind is not installed"}
    say("instructions: callgrind is slow")
    return {"per_event": {name: per_event(setting, work) for name, work in WORK.items()}}


def tables(found):
    rows = [[name, figures.number(count), figures.number(WATCHED.get(name))]
            for name, count in found["per_event"].items()]
    return [report.Table(f"Of the daemon, with {CONNECTIONS} connections",
                         ["per event", "instructions", "last seen"],
                         rows or [["skipped: " + found["skipped"], "", ""]])]


def goals(found):
    return [figures.goal_at_most(f"instructions per {name}", round(WATCHED_MAX * WATCHED[name]),
                                 figures.spread([count]))
            for name, count in found["per_event"].items() if name in WATCHED]
