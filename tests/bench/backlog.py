"""What an event costs while many wait.

Two boxes run side by side: in one a thousand events wait throughout, in the other more and
more. At each size the rounds alternate between them. An event's cost is the time of a full
cycle (accept, start, end), with as many accepted as ended, so that the backlogs keep their
sizes; and the processor's time that the daemon took for it.
"""

import contextlib

import cycles
import figures
import kernel
import report
from setting import PAYLOAD_BYTES, say
from systems import Holdfast

NAME = "backlog"
TITLE = "Backlog"
FEW = 1_000
SIZES = (10_000, 50_000)
SIZES_FULL = (10_000, 100_000, 1_000_000, 10_000_000)
PRODUCERS = WORKERS = 16
CYCLES_PER_S = 15_000  # so that a round takes about as long as was asked for
FILL_PER_S = 50_000
COST_MAX = 1.15
MEMORY_MAX_MB = 64


def sizes(setting):
    return SIZES_FULL if setting.full else SIZES


def seconds(setting):
    rounds = 2 * len(sizes(setting)) * setting.rounds * (setting.seconds + 0.5)
    return rounds + 2.5 * sizes(setting)[-1] / FILL_PER_S


def fill(box, count):
    """Lets so many more events wait, a bounded number by each call of the generator."""
    if count > 0:
        found = box.setting.run("bench_load", box.dialect, box.place, 8, 32, 1, PAYLOAD_BYTES,
                                "--count", count, patience_s=120 + count / 1_000)
        box.accepted(found["answers"])


def one_round(box):
    count = max(1_000, int(CYCLES_PER_S * box.setting.seconds))
    cpu_s = kernel.cpu_s(box.pid)
    found = cycles.run(box, PRODUCERS, WORKERS, 1, "--count", count, patience_s=600)
    found["cpu_us_per_event"] = (kernel.cpu_s(box.pid) - cpu_s) / found["done"] * 1e6
    found["cost_us"] = 1e6 / found["per_s"]
    found["memory_bytes"] = kernel.memory_bytes(box.pid, "VmHWM")
    return found


def waiting(box):
    return box.status()["Functions"][0]["Backlog"]


def measure(setting):
    found = {"few_waiting": FEW, "few": {}, "many": {}, "waiting": {}}
    with contextlib.ExitStack() as stack:
        few, many = (stack.enter_context(Holdfast(setting)) for _ in range(2))
        fill(few, FEW)
        for size in sizes(setting):
            say(f"backlog: {size:,}")
            fill(many, size - waiting(many))
            found["few"][str(size)], found["many"][str(size)] = [], []
            for _ in range(setting.rounds):
                found["few"][str(size)].append(one_round(few))
                found["many"][str(size)].append(one_round(many))
            found["waiting"][str(size)] = [waiting(few), waiting(many)]
        say("backlog: verification")
    return found


def ratio(found, size, key):
    return figures.ratios([one[key] for one in found["many"][size]],
                          [one[key] for one in found["few"][size]])


def tables(found):
    rows = []
    for size, rounds in found["many"].items():
        columns = ("per_s", "accept_p50_us", "accept_p99_us", "cpu_us_per_event")
        spreads = [figures.spread([one[key] for one in rounds]) for key in columns]
        rows.append([f"{int(size):,}", *map(figures.text, spreads),
                     figures.text(ratio(found, size, "cost_us")),
                     figures.text(ratio(found, size, "cpu_us_per_event")),
                     figures.number(rounds[-1]["memory_bytes"] / 1e6)])
    heads = ["waiting", "cycles/s", "accept p50, µs", "accept p99, µs", "processor, µs an event",
             f"time / that with {FEW:,}", f"processor / that with {FEW:,}", "VmHWM, MB"]
    return [report.Table(f"Cycles with {PRODUCERS}+{WORKERS} while others wait", heads, rows)]


def goals(found):
    size = max(found["many"], key=int)
    words = f"cost of an event with {int(size):,} waiting, against {FEW:,}"
    memory = figures.spread([one["memory_bytes"] / 1e6 for one in found["many"][size]])
    return [
        figures.goal_at_most(words, COST_MAX, ratio(found, size, "cost_us")),
        figures.goal_at_most(words + ", processor's time", COST_MAX,
                             ratio(found, size, "cpu_us_per_event")),
        figures.goal_at_most(f"VmHWM with {int(size):,} waiting", MEMORY_MAX_MB, memory, "MB"),
    ]
