"""The quickstart's counting: right traces pass, and each trace that is wrong makes it fail."""

import contextlib
import gzip
import io
import json
import os
import sys
import tempfile
import types
import unittest
from unittest import mock

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "config", "quickstart"))

import evidence
import run

FILES, UNREADABLE = 10, 2


class Traces:
    """Stands in for the daemon: what each place where it keeps a trace has to say."""

    def __init__(self, folder):
        self.archive = folder
        self.attempts_log = os.path.join(folder, "attempts")
        self.digests = {}
        self.events, self.records, self.rows, self.letters, self.attempts = {}, [], [], [], []
        for n in range(FILES):
            dead = n < UNREADABLE
            self.add(f"id-{n}", b"file %d" % n, dead)
        self.cut_short("id-5")

    def add(self, request_id, data, dead):
        digest = self.digests[request_id] = evidence.sha256(data)
        attempts = 1 + run.RETRIES if dead else 1
        self.events[request_id] = {
            "RequestId": request_id,
            "State": "dead" if dead else "succeeded",
            "Attempt": attempts,
            "Interruptions": 0,
            **({} if dead else {"Result": digest.encode()}),
        }
        self.records.append((request_id, "RetriesExhausted" if dead else "Success"))
        self.rows.append((request_id, self.events[request_id]["State"]))
        self.attempts += [(request_id, str(1 + n)) for n in range(attempts)]
        if dead:
            self.letters.append(request_id)
        else:
            with gzip.open(os.path.join(self.archive, request_id + ".gz"), "wb") as file:
                file.write(data)

    def cut_short(self, request_id):
        self.events[request_id]["Interruptions"] = 1
        self.events[request_id]["Attempt"] += 1
        self.attempts.append((request_id, "2"))

    # --- what Evidence asks of the daemon

    @contextlib.contextmanager
    def connect(self):
        yield self

    def pipeline(self, method, requests):
        if method == "GetEvent":
            return [(n, self.events[r["RequestId"]]) for n, r in enumerate(requests)]
        self.records = []  # DeleteMessage
        return []

    def call(self, method, **_):
        assert method == "ReceiveMessage"
        bodies = [{"requestContext": {"requestId": r, "condition": c}} for r, c in self.records]
        return {"Messages": [{"Body": json.dumps(b), "ReceiptHandle": "x"} for b in bodies]}

    def holdfast(self, *words):
        with open(self.attempts_log, "w", encoding="utf-8") as file:
            file.writelines(" ".join(attempt) + "\n" for attempt in self.attempts)
        if words[0] == "events":
            return json.dumps({"Events": [{"RequestId": r, "State": s} for r, s in self.rows]})
        return json.dumps({"DeadLetters": [{"RequestId": r} for r in self.letters]})

    def clean_up(self):
        pass


def damaged_copy(traces):
    with gzip.open(os.path.join(traces.archive, "id-7.gz"), "wb") as file:
        file.write(b"something else")


WRONG = {
    "a copy that is missing": lambda t: os.unlink(os.path.join(t.archive, "id-7.gz")),
    "a copy of something else": damaged_copy,
    "a wrong result": lambda t: t.events["id-7"].update(Result=b"0" * 64),
    "an event that still waits": lambda t: t.events["id-7"].update(State="pending"),
    "a dead event without its dead letter": lambda t: t.letters.pop(),
    "an event that died": lambda t: (t.events["id-7"].update(State="dead"),
                                     t.letters.append("id-7")),
    "two records of one ending": lambda t: t.records.append(("id-7", "Success")),
    "two rows of one event": lambda t: t.rows.append(("id-7", "succeeded")),
    "an ending without a record": lambda t: t.records.pop(),
    "an attempt number given twice": lambda t: t.attempts.append(("id-7", "1")),
    "an attempt that nobody recorded": lambda t: t.attempts.append(("id-7", "2")),
    "an attempt that nobody wrote down": lambda t: t.attempts.__delitem__(slice(0, 2)),
    "an attempt too many": lambda t: (t.events["id-7"].update(Attempt=2),
                                      t.attempts.append(("id-7", "2"))),
    "an interruption that the start did not count": lambda t: t.cut_short("id-7"),
    "an event too few": lambda t: t.digests.pop("id-7"),
}


class QuickstartTest(unittest.TestCase):
    def problems_of(self, damage):
        """The exit code, and what is said of WRONG, after counting traces damaged like this."""
        with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as patches:
            traces = Traces(folder)
            damage(traces)

            def count_only(story):
                story.request_ids = dict(enumerate(traces.digests))
                story.digests = list(traces.digests.values())
                story.interrupted_by_kill = 1
                story.count()

            for name, value in (("FILES", FILES), ("UNREADABLE", UNREADABLE),
                                ("Daemon", lambda *_: traces)):
                patches.enter_context(mock.patch.object(run, name, value))
            patches.enter_context(mock.patch.object(run.Story, "run", count_only))
            patches.enter_context(contextlib.redirect_stdout(io.StringIO()))
            told = patches.enter_context(contextlib.redirect_stderr(io.StringIO()))
            arguments = types.SimpleNamespace(holdfastd="", holdfast="")
            return run.run_in(folder, arguments), told.getvalue()

    def test_it_ends_with_0_when_every_count_is_right(self):
        self.assertEqual(self.problems_of(lambda traces: None), (0, ""))

    def test_it_ends_with_1_and_says_why_for_each_count_that_is_off(self):
        for name, damage in WRONG.items():
            with self.subTest(name):
                code, told = self.problems_of(damage)
                self.assertEqual(code, 1)
                self.assertIn("quickstart: WRONG: ", told)


if __name__ == "__main__":
    unittest.main(verbosity=2)
