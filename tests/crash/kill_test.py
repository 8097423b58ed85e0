"""The real daemon under SIGKILL: is every promise kept, wherever it dies?

    kill_test.py                     200 cycles, from a fresh seed
    kill_test.py --cycles 30         fewer; --seed S (or HOLDFAST_SEED) repeats a run
    HOLDFAST_SOAK=1 kill_test.py     for an hour, or for HOLDFAST_SOAK_SECONDS

Two runs go on side by side, each with a daemon, a seed and a history of its own, and a
last short one has a history that is cut off all the time. What is done to the daemon
stands in cycles.py and points.py, what clients do in traffic.py, and how all of it is
judged in verdict.py and check_history.cc. A run that fails keeps its folder.

The seed gives what is asked and how each life shall end, not when the kernel runs whom;
so a failure repeats often, not always. The history of the failed run has the truth.
"""

import argparse
import collections
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "blackbox"))

import points
from cycles import CrashBox, Plan, deck
from verdict import Verdict

CYCLES = 200
SHORT_HISTORY_CYCLES = 8
WORKERS = 2
SOAK_S = 3600
HEAL_S = 60
REPEATS_OF_A_POINT_MAX = 6
# The traffic must bring about all of this in 200 cycles.
MUST_BE_SEEN = (
    "accepted", "duplicate accepted", "returned", "duplicate returned", "unknown",
    "IdempotencyConflictException", "ResourceNotFoundException", "ServiceUnavailableException",
    "succeeded", "cancelled", "redrive", "discard", "sent", "deleted",
    "on_success", "on_failure", "dead_letter", "RetriesExhausted", "Interrupted",
    "continued", "worker_lost",
)


class Run:
    """One daemon from its first start to the verdict."""

    def __init__(self, seed, short_history=False):
        self.seed = seed
        folder = tempfile.mkdtemp(prefix="holdfast-kill-")
        self.box = CrashBox(folder, seed, short_history)

    def aim_again(self):
        """At what chance has left out."""
        for name, point in points.POINTS.items():
            for _ in range(REPEATS_OF_A_POINT_MAX):
                if point.needs == "history" or self.box.reached[name]:
                    break
                self.box.cycle(Plan("point", name, 1))

    def go(self, cycles, seconds=None):
        until = time.monotonic() + (seconds or 0)
        begun = time.monotonic()
        while True:
            for plan in deck(self.box.chance, cycles, self.box.short_history):
                self.box.cycle(plan)
            if cycles >= CYCLES // WORKERS // 2:
                self.aim_again()
            if time.monotonic() >= until:
                break
        verdict = Verdict(self.box)
        if self.box.heal(HEAL_S):
            verdict.judge()
        complaints = self.box.complaints + self.box.traffic.strange + verdict.complaints
        self.box.history.file.flush()
        print(f"seed {self.seed}: {verdict.summary}; {self.box.lives} lives, "
              f"{self.box.rss_max >> 20} MiB, {time.monotonic() - begun:.0f} s", flush=True)
        return {"complaints": complaints, "reached": self.box.reached,
                "endings": self.box.endings, "seen": verdict.seen, "folder": self.box.folder}


def work(arguments):
    """What a process beside does: one run, and its outcome as JSON in the last line."""
    run = Run(arguments.seed, arguments.short_history)
    outcome = None
    try:
        outcome = run.go(arguments.cycles, arguments.seconds)
    finally:
        if outcome is not None and not outcome["complaints"]:
            run.box.clean_up()
        else:
            run.box.end_everything()
            print(f"seed {arguments.seed} failed; its history, log and state are in "
                  f"{run.box.folder}", flush=True)
    print(json.dumps(outcome))
    return 0


def launch(seed, cycles, seconds=None, short_history=False):
    command = [sys.executable, os.path.abspath(__file__), "--worker", "--seed", str(seed),
               "--cycles", str(cycles)]
    command += ["--short-history"] if short_history else []
    command += ["--seconds", str(seconds)] if seconds else []
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


class KillTest(unittest.TestCase):
    arguments = None
    maxDiff = None

    def setUp(self):
        self.reached = collections.Counter()
        self.endings = collections.Counter()
        self.seen = collections.Counter()

    def outcome_of(self, worker):
        text = worker.communicate()[0]
        *told, last = text.splitlines() or [""]
        print("\n".join(told), flush=True)
        self.assertEqual(worker.returncode, 0, "the driver itself failed, see above")
        outcome = json.loads(last)
        self.reached.update(outcome["reached"])
        self.endings.update(outcome["endings"])
        self.seen.update(outcome["seen"])
        shown = outcome["complaints"][:20]
        self.assertEqual(shown, [], f"{len(outcome['complaints'])} complaints; kept in "
                         f"{outcome['folder']}; repeat with {self.arguments.repeat}")

    def test_every_point_in_the_source_is_aimed_at_and_every_aim_is_there(self):
        named = points.named_in_source(os.path.join(HERE, "..", ".."))
        self.assertEqual(sorted(points.POINTS), sorted(named))
        self.assertEqual([name for name, count in named.items() if count > 1], [])

    def test_every_promise_holds_wherever_the_daemon_dies(self):
        cycles, seed, seconds = (getattr(self.arguments, name)
                                 for name in ("cycles", "seed", "seconds"))
        workers = WORKERS if cycles >= 60 else 1
        shares = [cycles // workers] * workers
        short = min(SHORT_HISTORY_CYCLES, cycles // 10)
        shares[0] -= short
        running = [launch(seed + n, share, seconds) for n, share in enumerate(shares)]
        if short:
            running.append(launch(seed + workers, short, short_history=True))
        for worker in running:
            with self.subTest(" ".join(worker.args[3:])):
                self.outcome_of(worker)
        print(f"ended by {dict(self.endings)}\nreached {dict(self.reached)}\n"
              f"seen {dict(self.seen)}", flush=True)
        if cycles >= CYCLES:
            self.assertEqual(sorted(set(points.POINTS) - set(self.reached)), [],
                             "these points were never reached")
            self.assertEqual([word for word in MUST_BE_SEEN if not self.seen[word]], [],
                             "this never came about")


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    seed = os.environ.get("HOLDFAST_SEED") or random.SystemRandom().randrange(1 << 32)
    parser.add_argument("--cycles", type=int, default=CYCLES)
    parser.add_argument("--seed", type=int, default=int(seed))
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--worker", action="store_true")
    parser.add_argument("--short-history", action="store_true")
    arguments = parser.parse_args()
    if os.environ.get("HOLDFAST_SOAK") and not arguments.seconds:
        arguments.seconds = float(os.environ.get("HOLDFAST_SOAK_SECONDS", SOAK_S))
    arguments.repeat = f"kill_test.py --cycles {arguments.cycles} --seed {arguments.seed}"
    return arguments


if __name__ == "__main__":
    KillTest.arguments = parse()
    if KillTest.arguments.worker:
        sys.exit(work(KillTest.arguments))
    print(f"HOLDFAST_SEED={KillTest.arguments.seed}", flush=True)
    unittest.main(argv=sys.argv[:1], verbosity=2)
