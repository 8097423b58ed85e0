"""What the disk has to bear when a hundred events a second come, and each ends at once."""

import cycles
import figures
import report
from setting import say
from systems import Holdfast, Redis, split
from writes import during, per

NAME = "trickle"
TITLE = "Wear, at a low rate"
SYSTEMS = (Holdfast, Redis)
RATE = 100
PRODUCERS = 4
WORKERS = 32  # so many that the rate is kept when each answer lingers
LINGERS = ("5ms", "20ms", "50ms")
RATE_S, RATE_S_FULL = 10, 60
COMMITS_PER_EVENT_MAX = 2.0
BYTES_PER_COMMIT_MAX = 6 << 10


def rate_s(setting):
    return RATE_S_FULL if setting.full else RATE_S


def seconds(setting):
    return (len(SYSTEMS) + len(LINGERS)) * (rate_s(setting) + 5)


def at_rate(box):
    with box:
        return during(box, lambda: cycles.run(box, PRODUCERS, WORKERS, rate_s(box.setting),
                                              "--rate", RATE))


def measure(setting):
    found = {"rate_s": rate_s(setting), "systems": {}, "lingers": {}}
    systems, found["skipped"] = split(SYSTEMS)
    for system in systems:
        say(f"trickle: {system.name}")
        found["systems"][system.name] = at_rate(system(setting))
    for linger in LINGERS:
        say(f"trickle: commit_linger = {linger}")
        more = [("daemon", f'commit_linger = "{linger}"')]
        found["lingers"][linger] = at_rate(Holdfast(setting, more=more))
    return found


def tables(found):
    named = {**found["systems"],
             **{f"holdfast, commit_linger {key}": one for key, one in found["lingers"].items()}}
    rows = [[name, *(figures.number(per(one, what, one["done"]))
                     for what in ("commits", "flushes", "device_bytes", "process_bytes")),
             figures.number(per(one, "device_bytes", one.get("commits"))),
             figures.number(one["cycle_p50_us"])] for name, one in named.items()]
    return [report.Table(f"{found['rate_s']} s of {RATE} events/s",
                         ["", "commits per event", "flushes per event", "device bytes per event",
                          "process bytes per event", "device bytes per commit",
                          "p50 of a cycle, µs"], rows)]


def goals(found):
    steady = found["systems"]["holdfast"]
    words = f"{RATE} events/s"
    return [
        figures.goal_at_most(f"{words}, commits per event", COMMITS_PER_EVENT_MAX,
                             figures.spread([per(steady, "commits", steady["done"])])),
        figures.goal_at_most(f"{words}, device bytes per commit", BYTES_PER_COMMIT_MAX,
                             figures.spread([per(steady, "device_bytes", steady["commits"])])),
    ]
