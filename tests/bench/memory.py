"""Resident memory: on an empty directory, and throughout a cycle with 64 attempts running."""

import time

import cycles
import figures
import kernel
import report
from setting import say
from systems import Holdfast

NAME = "memory"
TITLE = "Memory"
REST_S, REST_S_FULL = 5, 60
EMPTY_MAX_MB, BUSY_MAX_MB = 24, 64


def rest_s(setting):
    return REST_S_FULL if setting.full else REST_S


def seconds(setting):
    return rest_s(setting) + setting.rounds * (setting.seconds + 1)


def measure(setting):
    say("memory")
    with Holdfast(setting) as box:
        time.sleep(rest_s(setting))
        empty = kernel.memory_bytes(box.pid)
        spawner = sum(map(kernel.memory_bytes, kernel.children(box.pid)))
        busy = []
        for _ in range(setting.rounds):
            cycles.run(box, 64, 64, setting.seconds)
            busy.append(kernel.memory_bytes(box.pid, "VmHWM"))
    return {"rest_s": rest_s(setting), "empty": empty, "spawner": spawner, "busy": busy}


def tables(found):
    rows = [[f"VmRSS, {found['rest_s']} s after a start on an empty directory",
             figures.number(found["empty"] / 1e6)],
            ["VmRSS of the spawner then", figures.number(found["spawner"] / 1e6)],
            ["VmHWM after cycles with 64+64", figures.number(max(found["busy"]) / 1e6)]]
    return [report.Table("", ["", "MB"], rows)]


def goals(found):
    return [
        figures.goal_at_most(f"VmRSS {found['rest_s']} s after a start on an empty directory",
                             EMPTY_MAX_MB, figures.spread([found["empty"] / 1e6]), "MB"),
        figures.goal_at_most("VmHWM with 64 running", BUSY_MAX_MB,
                             figures.spread([max(found["busy"]) / 1e6]), "MB"),
    ]
