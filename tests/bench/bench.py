"""Holdfast measured, beside its ceiling, Redis Streams and beanstalkd.

Without options: a short run of the most telling measures, under ten minutes. The report is
Markdown on standard output, progress goes to standard error. A run that does not find after
it what was acknowledged in it counts for nothing, and ends with an error.
"""

import argparse
import os
import signal
import sys
import time

import accepts
import backlog
import cycles
import idle
import instructions
import machine
import memory
import micro
import pictures
import programs
import report
import restart
import small
import stalls
import trickle
import wear
from setting import Setting, say

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MEASURES = (accepts, cycles, programs, backlog, restart, memory, stalls, wear, trickle, idle,
            instructions, micro, small)
SHORT = (accepts, cycles, programs, restart, instructions, small)
ROUNDS, SECONDS = 3, 1.5
ROUNDS_FULL, SECONDS_FULL = 5, 20.0


def options(words):
    parser = argparse.ArgumentParser(prog="bench.py", description=__doc__.splitlines()[0])
    parser.add_argument("--build", default=os.path.join(ROOT, "build-bench"),
                        help="the build folder (build-bench at the top)")
    parser.add_argument("--directory", help="where data is written (the build folder)")
    parser.add_argument("--full", action="store_true", help="every goal as it is stated; hours")
    parser.add_argument("--only", action="append", metavar="NAME", default=[],
                        choices=[one.NAME for one in MEASURES],
                        help="this measure alone; may be repeated: %(choices)s")
    parser.add_argument("--rounds", type=int, help=f"{ROUNDS}; with --full {ROUNDS_FULL}")
    parser.add_argument("--seconds", type=float,
                        help=f"of each round: {SECONDS}; with --full {SECONDS_FULL:.0f}")
    parser.add_argument("--json", metavar="FILE",
                        help="written after each measure; what it holds of others is kept")
    parser.add_argument("--pictures", metavar="FOLDER", help="SVG of what was measured")
    parser.add_argument("--report", action="store_true",
                        help="measure nothing: print all that --json holds")
    return parser.parse_args(words)


def setting_of(asked):
    build = os.path.abspath(asked.build)
    return Setting(
        root=ROOT, build=build, directory=os.path.abspath(asked.directory or build),
        full=asked.full, rounds=asked.rounds or (ROUNDS_FULL if asked.full else ROUNDS),
        seconds=asked.seconds or (SECONDS_FULL if asked.full else SECONDS))


def chosen(asked):
    if asked.only:
        return [one for one in MEASURES if one.NAME in asked.only]
    return MEASURES if asked.full else SHORT


def plan(measures, setting):
    lines = [f"  {one.NAME:<14}{one.seconds(setting) / 60:6.1f} min" for one in measures]
    total = sum(one.seconds(setting) for one in measures) / 60
    return "\n".join(["bench: about", *lines, f"  {'all':<14}{total:6.1f} min"])


def measure_all(measures, setting, asked, kept):
    for one in measures:
        began_at = time.monotonic()
        found = one.measure(setting)
        kept[one.NAME] = {"conditions": machine.conditions(setting), "found": found,
                          "took_s": round(time.monotonic() - began_at, 1)}
        if asked.json:
            report.save(asked.json, kept)


def draw(folder, kept):
    """Pictures of all that `kept` has, measured now or before."""
    os.makedirs(folder, exist_ok=True)
    for name, (measure, picture) in pictures.PICTURES.items():
        if measure in kept:
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(picture(kept[measure]["found"]))


def main(words):
    asked = options(words)
    setting, measures = setting_of(asked), chosen(asked)
    kept = report.load(asked.json)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that servers are ended, too
    if not asked.report:
        machine.refuse_memory(setting.directory)
        say(plan(measures, setting))
        measure_all(measures, setting, asked, kept)
    print(report.whole(MEASURES if asked.report else measures, kept))
    if asked.pictures:
        draw(asked.pictures, kept)


if __name__ == "__main__":
    main(sys.argv[1:])
