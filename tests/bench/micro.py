"""Pieces of the daemon on their own, by Google Benchmark."""

import figures
import report
from setting import say

NAME = "micro"
TITLE = "Micro-benchmarks"
MIN_S, MIN_S_FULL = 0.05, 0.5
PATIENCE_S = 1200


def seconds(setting):
    return 15 * setting.rounds * (MIN_S_FULL if setting.full else MIN_S) * 2


def measure(setting):
    say("micro-benchmarks")
    found = setting.run("bench_micro", "--benchmark_format=json",
                        f"--benchmark_min_time={MIN_S_FULL if setting.full else MIN_S}",
                        f"--benchmark_repetitions={setting.rounds}", patience_s=PATIENCE_S)
    rounds = {}
    for one in found["benchmarks"]:
        if one["run_type"] == "iteration":
            # What waits for the disk is measured by the clock, and has it in its name.
            time = "real_time" if one["run_name"].endswith("/real_time") else "cpu_time"
            rounds.setdefault(one["run_name"], []).append([one[time], one["time_unit"]])
    return {"rounds": rounds}


def tables(found):
    rows = [[name, figures.text(figures.spread([time for time, _ in rounds])), rounds[0][1]]
            for name, rounds in found["rounds"].items()]
    return [report.Table("", ["", "time", "unit"], rows)]


def goals(_):
    return []
