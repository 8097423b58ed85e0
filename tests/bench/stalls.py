"""Stalls over 100 ms under a steady load, beside those of a bare loop of append and fdatasync.

The bare loop runs before the load and after it, on the same disk, for a tenth of its time
each: what it does not show in so little is held against Holdfast all the same.
"""

import figures
import kernel
import report
from setting import PAYLOAD_BYTES, say
from systems import Holdfast

NAME = "stalls"
TITLE = "Stalls"
LOAD_S, LOAD_S_FULL = 10, 600
RATE = 2_000
WORKERS = 16
MEMORY_MAX_MB = 64
SYNC_BYTES = 4096


def load_s(setting):
    return LOAD_S_FULL if setting.full else LOAD_S


def bare_s(setting):
    return load_s(setting) / 10


def seconds(setting):
    return load_s(setting) + 2 * bare_s(setting) + 20


def bare(setting):
    return setting.run("bench_sync", setting.directory, bare_s(setting), SYNC_BYTES,
                       patience_s=bare_s(setting) + 60)


def loaded(setting):
    with Holdfast(setting) as box:
        words = (box.dialect, box.place, 0, WORKERS, load_s(setting) + 2, PAYLOAD_BYTES)
        with setting.started("bench_cycle", *words):
            found = setting.run("bench_load", box.dialect, box.place, 16, 1, load_s(setting),
                                PAYLOAD_BYTES, "--rate", RATE, "--stalls",
                                patience_s=load_s(setting) + 60)
        box.accepted(found["answers"])
        found["memory_bytes"] = kernel.memory_bytes(box.pid, "VmHWM")
    return found


def measure(setting):
    say(f"stalls: {load_s(setting)} s of load")
    before = bare(setting)
    load = loaded(setting)
    return {"load_s": load_s(setting), "load": load, "bare": [before, bare(setting)]}


def tables(found):
    rows = [[name, one["per_s"], one["p50_us"], one["p99_us"], one["max_us"],
             one["stalls_over_100ms"]]
            for name, one in (("bare, before", found["bare"][0]),
                              (f"holdfast, {RATE:,} events/s", found["load"]),
                              ("bare, after", found["bare"][1]))]
    return [report.Table(f"{found['load_s']} s of load", ["", "per s", "p50, µs", "p99, µs",
                                                          "most, µs", "over 100 ms"],
                         [[name, *map(figures.number, numbers)] for name, *numbers in rows])]


def goals(found):
    bare_count = sum(one["stalls_over_100ms"] for one in found["bare"])
    memory = figures.spread([found["load"]["memory_bytes"] / 1e6])
    return [
        figures.goal_at_most(
            f"stalls over 100 ms in {found['load_s']} s, those of bare syncs beside it",
            bare_count, figures.spread([found["load"]["stalls_over_100ms"]])),
        figures.goal_at_most(f"VmHWM after {found['load_s']} s of load", MEMORY_MAX_MB, memory,
                             "MB"),
    ]
