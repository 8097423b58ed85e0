"""Full cycles of events of 1 KB: accepted, handed to a worker, ended.

Each worker has one attempt under way. Of Redis it is XADD; XREADGROUP; and XACK, XDEL and
the next XREADGROUP in one write.
"""

import figures
import kernel
import report
from setting import PAYLOAD_BYTES
from systems import Beanstalkd, Holdfast, Redis, interleaved

NAME = "cycles"
TITLE = "Full cycles"
SYSTEMS = (Holdfast, Redis, Beanstalkd)
SHAPES = {"1+1": (1, 1), "16+16": (16, 16), "64+64": (64, 64)}  # producers + workers
SETTLE_S = 1.5
REDIS_MIN = {"16+16": 1.2, "64+64": 1.4}


def seconds(setting):
    return setting.rounds * len(SHAPES) * len(SYSTEMS) * (setting.seconds + SETTLE_S)


def run(box, producers, workers, seconds_, *more, patience_s=None):
    """One bench_cycle; what it was told is what the box must show later."""
    found = box.setting.run("bench_cycle", box.dialect, box.place, producers, workers, seconds_,
                            PAYLOAD_BYTES, *more, patience_s=patience_s or seconds_ + 60)
    if isinstance(box, Holdfast):
        box.accepted(found["accepted"])
        box.ended(found["done"])
    return found


def one_round(setting, system, shape):
    with system(setting) as box:
        found = run(box, *SHAPES[shape], setting.seconds)
        found["memory_bytes"] = kernel.memory_bytes(box.pid, "VmHWM")
    return found


def measure(setting):
    return interleaved(setting, NAME, SYSTEMS, SHAPES, one_round)


def ratio(found, of, to, shape):
    rounds = found["rounds"]
    return figures.ratios([one["per_s"] for one in rounds.get(of, {}).get(shape, [])],
                          [one["per_s"] for one in rounds.get(to, {}).get(shape, [])])


def tables(found):
    rows = report.system_rows(found, SYSTEMS, SHAPES, "per_s")
    for to in ("redis", "beanstalkd"):
        rows.append([f"holdfast / {to}"]
                    + [figures.text(ratio(found, "holdfast", to, shape)) for shape in SHAPES])
    late = report.system_rows(found, SYSTEMS, SHAPES, "cycle_p99_us")
    return [report.Table("Cycles a second, by producers + workers", ["", *SHAPES], rows),
            report.Table("p99 from submit to ending, in µs", ["", *SHAPES], late)]


def goals(found):
    return [figures.goal_at_least(f"full cycle, {shape}, against Redis", bound,
                                  ratio(found, "holdfast", "redis", shape))
            for shape, bound in REDIS_MIN.items()]
