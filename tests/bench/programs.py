"""Events whose handlers are programs: persistent ones, and one started for each attempt.

A rate is counted from the first submit to the last ending, so accepting is part of it. The
bare spawner starts the same command with the same pipes and a process group of its own, and
does nothing else.
"""

import time

import figures
import report
from setting import PAYLOAD_BYTES, say
from systems import Holdfast, wait_for

NAME = "programs"
TITLE = "Handlers that are programs"
PROCESSES = 8
COMMAND = ("/bin/cat",)
PERSISTENT_PER_S_MIN = 10_000
SPAWNER_MIN = 0.8
LOOK_S = 0.01


def seconds(setting):
    return setting.rounds * (3 * setting.seconds + 4)


def quoted(words):
    return "[" + ", ".join(f'"{word}"' for word in words) + "]"


def persistent(setting):
    return (f'command = {quoted([setting.program("bench_handler")])}\nmode = "persistent"\n'
            'framing = "length-prefixed"')


def events_per_s(setting, function, count):
    """So many events, submitted as fast as they are taken, until the last has ended."""
    with Holdfast(setting, function, concurrency=PROCESSES) as box:
        began_at = time.monotonic()
        words = (box.dialect, box.place, 16, 8, 1, PAYLOAD_BYTES, "--count", count)
        with setting.started("bench_load", *words) as load:
            wait_for(lambda: box.status()["Ended"] >= count or load.poll(), "the events to end",
                     120 + count / 100, LOOK_S)
            took_s = time.monotonic() - began_at
            if load.wait(60) != 0:
                raise RuntimeError(f"bench_load: {load.communicate()[1]}")
        succeeded = box.status()["Functions"][0]["Succeeded"]
        if succeeded < count:
            raise RuntimeError(f"{count} events, {succeeded} successes:\n{box.log()}")
        box.accepted(count)
        box.ended(count)
    return count / took_s


def measure(setting):
    found = {"persistent": [], "command": [], "spawner": []}
    for count in range(setting.rounds):
        say(f"programs: round {count + 1} of {setting.rounds}")
        bare = setting.run("bench_spawner", PROCESSES, setting.seconds, PAYLOAD_BYTES, *COMMAND)
        found["spawner"].append(bare["per_s"])
        found["command"].append(events_per_s(setting, f"command = {quoted(COMMAND)}",
                                             max(100, int(bare["per_s"] * setting.seconds))))
        found["persistent"].append(events_per_s(setting, persistent(setting),
                                                int(PERSISTENT_PER_S_MIN * setting.seconds)))
    return found


def ratio(found):
    return figures.ratios(found["command"], found["spawner"])


def tables(found):
    rows = [[f"persistent, {PROCESSES} processes", figures.text(figures.spread(found["persistent"]))],
            [f"command {' '.join(COMMAND)}, {PROCESSES} at once",
             figures.text(figures.spread(found["command"]))],
            ["bare spawner of the same", figures.text(figures.spread(found["spawner"]))],
            ["command / bare spawner", figures.text(ratio(found))]]
    return [report.Table("", ["", "events/s"], rows)]


def goals(found):
    return [
        figures.goal_at_least("persistent handlers, events/s", PERSISTENT_PER_S_MIN,
                              figures.spread(found["persistent"])),
        figures.goal_at_least("command, against a bare spawner", SPAWNER_MIN, ratio(found)),
    ]
