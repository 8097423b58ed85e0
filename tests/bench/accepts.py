"""Accepts of events of 1 KB: how many a second, and how long each takes."""

import figures
import report
from setting import PAYLOAD_BYTES
from systems import (Beanstalkd, Ceiling, CeilingKeyed, Holdfast, HoldfastKeyed, Redis,
                     interleaved)

import kernel

NAME = "accepts"
TITLE = "Accepts"
SYSTEMS = (Holdfast, Ceiling, Redis, HoldfastKeyed, CeilingKeyed, Beanstalkd)
SHAPES = {"1": (1, 1), "16": (16, 1), "64": (64, 1), "256": (256, 1), "8 x 32": (8, 32)}
SETTLE_S = 1.5  # start, stop and verification

CEILING_MIN = 0.85
CEILING_P99_MAX = 1.5
REDIS_MIN = {"1": 1.0, "16": 1.0, "64": 1.25, "256": 1.35, "8 x 32": 1.2}
REDIS_KEYED_MIN = {"1": 1.0, "16": 0.95, "64": 1.1, "256": 1.2}


def seconds(setting):
    return setting.rounds * len(SHAPES) * len(SYSTEMS) * (setting.seconds + SETTLE_S)


def one_round(setting, system, shape):
    connections, in_flight = SHAPES[shape]
    with system(setting) as box:
        found = setting.run("bench_load", box.dialect, box.place, connections, in_flight,
                            setting.seconds, PAYLOAD_BYTES, *box.load_words)
        box.accepted(found["answers"])
        found["memory_bytes"] = kernel.memory_bytes(box.pid, "VmHWM")
    return found


def measure(setting):
    return interleaved(setting, NAME, SYSTEMS, SHAPES, one_round)


def values(found, name, shape, key):
    return [one[key] for one in found["rounds"].get(name, {}).get(shape, [])]


def ratio(found, of, to, shape, key="per_s"):
    return figures.ratios(values(found, of, shape, key), values(found, to, shape, key))


def tables(found):
    heads = [f"{shape} in flight" if "x" in shape else shape for shape in SHAPES]
    rows = report.system_rows(found, SYSTEMS, SHAPES, "per_s")
    for of, to in (("holdfast", "ceiling"), ("holdfast, keyed", "ceiling, keyed"),
                   ("holdfast", "redis"), ("holdfast, keyed", "redis"), ("ceiling", "redis")):
        rows.append([f"{of} / {to}"] + [figures.text(ratio(found, of, to, one)) for one in SHAPES])
    late = report.system_rows(found, SYSTEMS, SHAPES, "p99_us")
    return [report.Table("Accepts a second, by connections", ["", *heads], rows),
            report.Table("p99 of an accept, in µs", ["", *heads], late)]


def goals(found):
    made = []
    for keyed, bounds in (("", REDIS_MIN), (", keyed", REDIS_KEYED_MIN)):
        holdfast, ceiling = "holdfast" + keyed, "ceiling" + keyed
        for shape in SHAPES:
            words = f"accept{keyed}, {shape}, against the "
            made.append(figures.goal_at_least(words + "ceiling", CEILING_MIN,
                                              ratio(found, holdfast, ceiling, shape)))
            made.append(figures.goal_at_most(words + "ceiling's p99", CEILING_P99_MAX,
                                             ratio(found, holdfast, ceiling, shape, "p99_us")))
        for shape, bound in bounds.items():
            made.append(figures.goal_at_least(f"accept{keyed}, {shape}, against Redis", bound,
                                              ratio(found, holdfast, "redis", shape)))
    return made
