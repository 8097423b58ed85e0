"""What is written while nothing happens, after a little work.

Holdfast and Redis rest at the same time: each has its own counters, and those of the disk,
which are of all who write to it, are nobody's if they stay.
"""

import contextlib
import time

import cycles
import figures
import report
from setting import say
from systems import Holdfast, Redis, split
from writes import of_disk, of_process, rise

NAME = "idle"
TITLE = "Wear, idle"
SYSTEMS = (Holdfast, Redis)
WORK_S = 5
SETTLE_S, SETTLE_S_FULL = 5, 30  # from the last event to where idleness begins
IDLE_S, IDLE_S_FULL = 10, 600


def lengths(setting):
    return (SETTLE_S_FULL, IDLE_S_FULL) if setting.full else (SETTLE_S, IDLE_S)


def seconds(setting):
    return len(SYSTEMS) * WORK_S + sum(lengths(setting)) + 5


def counters(boxes, sync):
    disk = of_disk(boxes["holdfast"], sync)
    return {"the whole disk": disk, **{name: of_process(box) for name, box in boxes.items()}}


def measure(setting):
    settle_s, idle_s = lengths(setting)
    systems, skipped = split(SYSTEMS)
    with contextlib.ExitStack() as stack:
        boxes = {system.name: stack.enter_context(system(setting)) for system in systems}
        for box in boxes.values():
            cycles.run(box, 4, 4, WORK_S)
        time.sleep(settle_s)
        say(f"idle: {idle_s} s")
        before = counters(boxes, sync=True)
        time.sleep(idle_s)
        after = counters(boxes, sync=False)
    return {"idle_s": idle_s, "skipped": skipped,
            "rises": {name: rise(before[name], after[name]) for name in before}}


def tables(found):
    columns = ("process_bytes", "commits", "device_bytes", "flushes")
    rows = [[name, *(one.get(what, "-") for what in columns)]
            for name, one in found["rises"].items()]
    return [report.Table(f"{found['idle_s']} s without an event",
                         ["", "process bytes", "commits", "device bytes", "flushes"], rows)]


def goals(found):
    rested = found["rises"]["holdfast"]
    words = f"idle for {found['idle_s']} s"
    return [figures.goal_at_most(f"{words}, bytes of the process", 0,
                                 figures.spread([rested["process_bytes"]])),
            figures.goal_at_most(f"{words}, commits", 0, figures.spread([rested["commits"]]))]
