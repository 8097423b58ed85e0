"""What the disk has to bear, by the kernel's counters.

`device` is what the whole disk wrote, so nobody else may write while this runs; `process` is
what the daemon made the kernel write; flushes are the disk's, commits the daemon's own.
"""

import time

import cycles
import figures
import kernel
import report
from setting import PAYLOAD_BYTES, say
from systems import Holdfast, Redis, split

NAME = "wear"
TITLE = "Wear"
SYSTEMS = (Holdfast, Redis)
RATE = 100
RATE_PRODUCERS = 4
RATE_WORKERS = 32  # so many that the rate is kept when each answer lingers
LINGERS = ("5ms", "20ms", "50ms")
CYCLE_S, CYCLE_S_FULL = 10, 300
RATE_S, RATE_S_FULL = 10, 300
IDLE_S, IDLE_S_FULL = 10, 600
SETTLE_S, SETTLE_S_FULL = 5, 30  # from the last event to where idleness begins

BYTES_PER_PAYLOAD_BYTE_MAX = 3.0
COMMITS_PER_EVENT_MAX = 2.0
BYTES_PER_COMMIT_MAX = 6 << 10


def lengths(setting):
    return ((CYCLE_S_FULL, RATE_S_FULL, SETTLE_S_FULL, IDLE_S_FULL) if setting.full
            else (CYCLE_S, RATE_S, SETTLE_S, IDLE_S))


def seconds(setting):
    cycle_s, rate_s, settle_s, idle_s = lengths(setting)
    return len(SYSTEMS) * (cycle_s + rate_s + settle_s + idle_s) + len(LINGERS) * rate_s + 60


def counters(box, sync=True):
    """Without `sync` what others left unwritten stays so, and looking costs no flush."""
    disk = kernel.disk_of(box.folder, sync)
    found = {"process_bytes": kernel.written_bytes(box.pid)}
    if disk is not None:
        found.update(device_bytes=disk.written_bytes, flushes=disk.flushes)
    if isinstance(box, Holdfast):
        found["commits"] = box.status()["Commits"]
    return found


def during(box, work, sync=True):
    """What the counters rose by while work() went on, beside what it gave."""
    before = counters(box)
    found = work() or {}
    after = counters(box, sync)
    return {**found, **{name: after[name] - before[name] for name in before}}


def saturated(setting, system):
    with system(setting) as box:
        found = during(box, lambda: cycles.run(box, 64, 64, lengths(setting)[0]))
        found["memory_bytes"] = kernel.memory_bytes(box.pid, "VmHWM")
        return found


def at_rate(box):
    return during(box, lambda: cycles.run(box, RATE_PRODUCERS, RATE_WORKERS,
                                           lengths(box.setting)[1], "--rate", RATE))


def steady_then_idle(setting, system):
    with system(setting) as box:
        steady = at_rate(box)
        time.sleep(lengths(setting)[2])
        return steady, during(box, lambda: time.sleep(lengths(setting)[3]), sync=False)


def lingering(setting):
    found = {}
    for linger in LINGERS:
        say(f"wear: commit_linger = {linger}")
        with Holdfast(setting, more=[("daemon", f'commit_linger = "{linger}"')]) as box:
            found[linger] = at_rate(box)
    return found


def measure(setting):
    found = {"saturated": {}, "steady": {}, "idle": {}}
    systems, found["skipped"] = split(SYSTEMS)
    found["idle_s"] = lengths(setting)[3]
    for system in systems:
        say(f"wear: {system.name}")
        found["saturated"][system.name] = saturated(setting, system)
        found["steady"][system.name], found["idle"][system.name] = steady_then_idle(setting,
                                                                                    system)
    found["lingers"] = lingering(setting)
    return found


def per(found, what, by):
    """To two digits: one commit more in a thousand events is the start's, not theirs."""
    return round(found[what] / by, 2) if what in found and by else None


def saturated_rows(found):
    return [[name, figures.number(one["per_s"]),
             *(figures.number(per(one, what, PAYLOAD_BYTES * one["done"]))
               for what in ("device_bytes", "process_bytes")),
             figures.number(per(one, "flushes", one["done"]))]
            for name, one in found["saturated"].items()]


def steady_rows(found):
    named = {**found["steady"],
             **{f"holdfast, commit_linger {key}": one for key, one in found["lingers"].items()}}
    return [[name, *(figures.number(per(one, what, one["done"]))
                     for what in ("commits", "flushes", "device_bytes", "process_bytes")),
             figures.number(per(one, "device_bytes", one.get("commits"))),
             figures.number(one["cycle_p50_us"])] for name, one in named.items()]


def tables(found):
    idle = [[name, *(one.get(what, "-") for what in
                     ("process_bytes", "commits", "device_bytes", "flushes"))]
            for name, one in found["idle"].items()]
    return [
        report.Table("Saturated cycle, 64+64", ["", "cycles/s", "device bytes per payload byte",
                                                "process bytes per payload byte",
                                                "flushes per event"], saturated_rows(found)),
        report.Table(f"{RATE} events/s", ["", "commits per event", "flushes per event",
                                          "device bytes per event", "process bytes per event",
                                          "device bytes per commit", "p50 of a cycle, µs"],
                     steady_rows(found)),
        report.Table(f"Idle for {found['idle_s']} s",
                     ["", "process bytes", "commits", "device bytes", "flushes"], idle),
    ]


def goals(found):
    def one(value):
        return figures.spread([value])

    busy, steady, idle = (found[key]["holdfast"] for key in ("saturated", "steady", "idle"))
    return [
        figures.goal_at_most("saturated cycle, device bytes per payload byte",
                             BYTES_PER_PAYLOAD_BYTE_MAX,
                             one(per(busy, "device_bytes", PAYLOAD_BYTES * busy["done"]))),
        figures.goal_at_most(f"{RATE} events/s, commits per event", COMMITS_PER_EVENT_MAX,
                             one(per(steady, "commits", steady["done"]))),
        figures.goal_at_most(f"{RATE} events/s, device bytes per commit", BYTES_PER_COMMIT_MAX,
                             one(per(steady, "device_bytes", steady["commits"]))),
        figures.goal_at_most(f"idle for {found['idle_s']} s, bytes of the process", 0,
                             one(idle["process_bytes"])),
        figures.goal_at_most(f"idle for {found['idle_s']} s, commits", 0, one(idle["commits"])),
    ]
