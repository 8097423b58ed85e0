"""Each promise, broken on purpose: the tests must notice.

    mutants_test.py                    all mutants of storage/base/mutant.h
    mutants_test.py Mutants.test_sync_off

A test here runs one layer's program with HOLDFAST_MUTANT set, and passes if that fails. It
prints `mutant NAME: caught by LAYER`; a mutant that survives is a failure, and so is one
that no layer is named for. A program that fails without any mutant would catch everything:
that is looked at first.
"""

import os
import re
import subprocess
import sys
import time
import unittest

ROOT = os.environ.get("HOLDFAST_SOURCE_ROOT", os.path.join(os.path.dirname(__file__), "..", ".."))
HOLDFASTD = os.path.abspath(os.environ.get("HOLDFASTD", "build-test/daemon/holdfastd"))
PROGRAMS = os.path.join(os.path.dirname(HOLDFASTD), "..", "tests")
TIME_MAX_S = 240

LAYERS = {
    "simulation": [os.path.join(PROGRAMS, "sim_test"), "--seeds", "300"],
    "power cuts": [os.path.join(PROGRAMS, "crash_test"), "--gtest_filter=PowerCuts.*",
                   "--cuts", "300"],
    "damage matrix": [os.path.join(PROGRAMS, "crash_test"),
                      "--gtest_filter=DamageMatrix.a_changed_byte_is_harmless_or_named"],
    # Of some seeds none of the handlers that are left alone meets the next attempt.
    "kills": [sys.executable, os.path.join(ROOT, "tests", "crash", "kill_test.py"),
              "--cycles", "30", "--seed", "11"],
}
# The seed at which a rare one was caught last: from there on the simulation looks for it
# again. When seeds come to mean something else it only takes longer.
LAST_CAUGHT = {
    "cancelled_event_retried": 44,
    "expiry_by_wall_clock": 108,
    "interruptions_not_counted": 71,
    "late_outcome_not_fenced": 62,
    "worker_not_fenced": 26,
}
# Long enough to run into what is always wrong. The damage matrix and the kills run whole
# elsewhere.
HEALTHY = {
    "simulation": LAYERS["simulation"][:1] + ["--seeds", "20"],
    "power cuts": LAYERS["power cuts"][:2] + ["--cuts", "20"],
}

# Who catches it, and with which words (a regular expression): a program that fails for
# another reason has caught nothing.
CAUGHT_BY = {
    "sync_off": ("power cuts", "acknowledged commits are lost|does not start any more"),
    "failed_sync_ignored": ("power cuts", "acknowledged commits are lost"),
    "audit_skipped": ("damage matrix", "had been acknowledged"),
    "handlers_outlive": ("kills", "two attempts at once"),
    "reply_before_commit": ("simulation", "was accepted and has not ended"),
    "start_before_commit": ("simulation", "an attempt started before it was on disk"),
    "dead_letter_apart": ("simulation", "half an ending"),
    "destination_apart": ("simulation", "0 records in the step of its ending"),
    "answer_apart": ("simulation", "has no answer, and its event does not live"),
    "late_outcome_not_fenced": ("simulation", "ended as a success that no handler had"),
    "expiry_by_wall_clock": ("simulation", "its key names another event"),
    "cancelled_event_retried": ("simulation", "something lives, and nothing waits for it"),
    "lookup_answered_stale": ("simulation", "its key names another event"),
    "generation_not_raised": ("simulation", r"memory_store\.cc.* CHECK\(!disk\.dead"),
    "redrive_copies": ("simulation", r"dead_letters\.cc.* CHECK\(counts\.dead_letters > 0|"
                                     "something lives, and nothing waits for it|did not drain"),
    "interruptions_not_counted": ("simulation", "was started too often"),
    "broken_command_used": ("simulation", r"world\.cc.* CHECK\(!broken_commands_"),
    "not_started_counts": ("simulation", "counts as a failure"),
    "worker_not_fenced": ("simulation", "ended as a success that no handler had"),
    "silent_worker_kept": ("simulation", r"two attempts at once|world_workers\.cc.* CHECK\(first"),
    "adrift_settled_at_once": ("simulation", "a clean stop interrupted something"),
    "adrift_forgotten": ("simulation", "something lives, and nothing waits for it"),
    "page_boundary_skipped": ("simulation", r"backlog\.cc.* CHECK\(function\.fresh\.size"),
    "page_row_doubled": ("simulation", r"memory_store\.cc.* CHECK\(rows\.emplace|"
                                       r"ending\.cc.* CHECK\(state\.reserved_bytes"),
}


def names_in_the_source():
    with open(os.path.join(ROOT, "storage", "base", "mutant.h"), encoding="utf-8") as file:
        table = re.search(r"kMutantNames\[\] = \{(.*?)\};", file.read(), re.DOTALL).group(1)
    return set(re.findall(r'"(\w+)"', table)) - {"none"}


def run(command, mutant=None):
    environment = {key: value for key, value in os.environ.items() if key != "HOLDFAST_SOAK"}
    if mutant:
        environment["HOLDFAST_MUTANT"] = mutant
    begun = time.monotonic()
    # A core dump of a mutant is of no use, and slow.
    done = subprocess.run(["/bin/sh", "-c", 'ulimit -c 0; exec "$@"', "sh"] + command,
                          env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=TIME_MAX_S, check=False)
    return done.returncode, time.monotonic() - begun, done.stdout.decode("utf-8", "replace")


class Mutants(unittest.TestCase):
    def test_every_mutant_has_its_layer(self):
        self.assertEqual(set(CAUGHT_BY), names_in_the_source())

    def test_without_a_mutant_nothing_is_caught(self):
        for layer, command in HEALTHY.items():
            with self.subTest(layer):
                status, _, output = run(command)
                self.assertEqual(status, 0, output[-2000:])

    def test_a_mutant_that_does_not_exist_ends_the_program(self):
        status, _, output = run(HEALTHY["simulation"], "no_such_mutant")
        self.assertEqual((status, "there is no mutant" in output), (2, True))

    def is_caught(self, mutant):
        layer, words = CAUGHT_BY[mutant]
        from_seed = ["--from", str(LAST_CAUGHT[mutant])] if mutant in LAST_CAUGHT else []
        status, seconds, output = run(LAYERS[layer] + from_seed, mutant)
        self.assertNotEqual(status, 0, f"mutant {mutant}: SURVIVED {layer}\n{output[-2000:]}")
        self.assertRegex(output, words, f"mutant {mutant}: {layer} failed for another reason")
        print(f"mutant {mutant}: caught by {layer} ({seconds:.0f} s)", flush=True)


def _add(mutant):
    setattr(Mutants, "test_" + mutant, lambda self: self.is_caught(mutant))


for _mutant in CAUGHT_BY:
    _add(_mutant)

if __name__ == "__main__":
    unittest.main(verbosity=2)
