"""The quickstart's main job; config/quickstart.sh builds and then runs it.

It archives over a thousand real files through holdfastd, kills the daemon with SIGKILL
half way, starts it again, and counts from the traces what became of every event.
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import threading
import time

from client import Lost, Refused
from daemon import Daemon, Trouble
from evidence import Evidence, digest_of_file

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SOURCE_FOLDERS = ("daemon", "storage", "client", "config", "systemd", "tests")

FILES = 1200
FILE_BYTES_MAX = 1 << 20
UNREADABLE = 12  # files on the disk that is not plugged in
RETRIES = 2      # as holdfast.toml has them
EARLY = 800      # submitted at once; the others while the daemon is killed
REPLIES_BEFORE_KILL = 100
KILL_DELAY_SECONDS = 0.004  # so that it comes amid whatever the daemon is doing
WAIT_SECONDS_MAX = 120

BEGUN = time.monotonic()


def say(sentence):
    print(f"[{time.monotonic() - BEGUN:5.1f} s] {sentence}", flush=True)


def real_files():
    """Paths, evenly picked: all of ours as far as half of the list, then /usr/include."""

    def below(folder):
        for parent, folders, names in os.walk(folder):
            folders[:] = sorted(name for name in folders if not name.startswith((".", "__")))
            for name in sorted(names):
                path = os.path.join(parent, name)
                if path.isascii() and len(path) <= 200 and os.path.isfile(path):
                    if not os.path.islink(path) and os.path.getsize(path) <= FILE_BYTES_MAX:
                        yield path

    ours = [path for folder in SOURCE_FOLDERS for path in below(os.path.join(TOP, folder))]
    ours = ours[: FILES // 2]
    theirs = list(below("/usr/include"))
    wanted = FILES - len(ours)
    if len(theirs) < wanted:
        raise Trouble(f"/usr/include has only {len(theirs)} files that can be used")
    return ours + [theirs[n * len(theirs) // wanted] for n in range(wanted)]


class Story:
    def __init__(self, daemon, folder):
        self.daemon = daemon
        self.files = os.path.join(folder, "files")
        self.unplugged = os.path.join(folder, "disk.unplugged")
        self.plugged = os.path.join(folder, "disk")
        self.problems = []
        self.digests = []
        self.requests = []
        self.request_ids = {}  # index into requests: the RequestId that a reply told
        self.replies_of_repeats = []

    def check(self, holds, sentence):
        if not holds:
            self.problems.append(sentence)

    def choose_files(self):
        """Copies them, since a source file may be edited while this runs."""
        os.mkdir(self.files)
        os.mkdir(self.unplugged)
        for index, path in enumerate(real_files()):
            name = f"{index:04}-{os.path.basename(path)}"
            unreadable = index % (FILES // UNREADABLE) == 5
            copy = os.path.join(self.unplugged if unreadable else self.files, name)
            shutil.copyfile(path, copy)
            self.digests.append(digest_of_file(copy))
            path = os.path.join(self.plugged if unreadable else self.files, name)
            self.requests.append(
                {
                    "FunctionName": "archive",
                    "InvocationType": "Event",
                    "Payload": path.encode(),
                    "IdempotencyKey": name,
                }
            )
        say(f"{FILES} files chosen; {UNREADABLE} of them are on a disk that isn't plugged in")

    def submit_early_ones(self):
        begun = time.monotonic()
        with self.daemon.connect() as connection:
            for index, reply in connection.pipeline("Invoke", self.requests[:EARLY]):
                self.request_ids[index] = reply["RequestId"]
        seconds = time.monotonic() - begun
        say(f"{EARLY} events accepted in {seconds:.2f} s, each synced to disk before its 202")

    def wait_until(self, done, what):
        told = began = time.monotonic()
        while True:
            status = self.daemon.status()
            function = next(f for f in status["Functions"] if f["FunctionName"] == "archive")
            if done(status, function):
                return
            if time.monotonic() - began > WAIT_SECONDS_MAX:
                raise Trouble(f"waited {WAIT_SECONDS_MAX} s for {what}, in vain")
            if time.monotonic() - told >= 2:
                told = time.monotonic()
                say(
                    f"  {function['Succeeded']} succeeded, {function['Running']} running, "
                    f"{function['Backlog']} waiting, {function['DeadLetters']} dead letters"
                )
            time.sleep(0.05)

    def kill_while_submitting(self):
        late = self.requests[EARLY:]
        heard = 0
        killer = threading.Timer(KILL_DELAY_SECONDS, self.daemon.process.kill)
        say(f"half has ended; submitting {len(late)} more, and then: kill -9 holdfastd")
        with self.daemon.connect() as connection:
            try:
                for index, reply in connection.pipeline("Invoke", late):
                    self.request_ids[EARLY + index] = reply["RequestId"]
                    heard += 1
                    if heard == REPLIES_BEFORE_KILL:
                        killer.start()
            except Lost:
                pass
        self.daemon.kill()
        say(f"killed; {heard} of the {len(late)} were answered, the fate of the rest is unknown")

    def start_again(self):
        seconds, status = self.daemon.start()
        self.interrupted_by_kill = status["Recovery"]["InterruptedEvents"]
        say(
            f"started again within {seconds:.2f} s: {self.interrupted_by_kill} attempts had been "
            f"interrupted, {status['Recovery']['Waiting']} events wait"
        )

    def repeat_late_ones(self):
        """With the same keys, whether or not they were answered: that's always safe."""
        known = kept_unheard = new = changed = 0
        with self.daemon.connect() as connection:
            for index, reply in connection.pipeline("Invoke", self.requests[EARLY:]):
                before = self.request_ids.get(EARLY + index)
                duplicate = reply.get("Duplicate", False)
                known += before is not None and duplicate
                kept_unheard += before is None and duplicate
                new += before is None and not duplicate
                changed += before is not None and reply["RequestId"] != before
                self.request_ids[EARLY + index] = reply["RequestId"]
        say(
            f"all {FILES - EARLY} repeated with their idempotency keys: {known} were known, "
            f"{kept_unheard} had been kept unheard, {new} are new"
        )
        self.check(changed == 0, f"{changed} repeated submits got another RequestId than before")
        self.check(
            known + kept_unheard + new == FILES - EARLY,
            "an answered submit was not known when it was repeated",
        )

    def wait_for_the_end(self):
        idle = lambda _, f: f["Backlog"] == 0 and f["Running"] == 0
        self.wait_until(idle, "the backlog to become empty")
        say("the backlog is empty")

    def accepted(self):
        return {id: self.digests[index] for index, id in self.request_ids.items()}

    def count(self):
        accepted = self.accepted()
        evidence = Evidence(self.daemon, accepted)
        succeeded, dead = len(evidence.succeeded()), len(evidence.dead())
        interrupted = evidence.sum_of("Interruptions")
        lost, twice = len(evidence.lost()), len(evidence.ended_twice())
        started = evidence.sum_of("Attempt")
        rows = (
            ("files", len(self.requests), "submitted, each with its name as idempotency key"),
            ("accepted", len(accepted), "different RequestIds that the client was told"),
            ("succeeded", succeeded, "so says the history, and the copy has the file's SHA-256"),
            ("dead-lettered", dead, "so says the event, and it is among the dead letters"),
            ("attempts", len(evidence.attempts), "written down by the handler itself"),
            ("interrupted", interrupted, "attempts cut short by the kill, and repeated"),
            ("lost", lost, "accepted, but neither of the two above"),
            ("ended twice", twice, "records in the queue, and rows in the history"),
        )
        print()
        for name, number, source in rows:
            print(f"  {name:<14}{number:>6}   {source}")
        print(flush=True)
        expected = FILES - UNREADABLE + UNREADABLE * (1 + RETRIES) + interrupted
        unwritten = started - len(evidence.attempts)
        for holds, sentence in (
            (len(accepted) == FILES, f"accepted: {len(accepted)} instead of {FILES}"),
            (succeeded == FILES - UNREADABLE, f"succeeded: not {FILES - UNREADABLE}"),
            (dead == UNREADABLE, f"dead-lettered: not {UNREADABLE}"),
            (lost == 0, f"lost: {lost}, the first is {evidence.describe(evidence.lost()[:1])}"),
            (twice == 0, f"ended twice: {twice}, the first is {evidence.describe(evidence.ended_twice()[:1])}"),
            (not evidence.without_record(), "an ending left no record in the queue"),
            (interrupted == self.interrupted_by_kill,
             f"interrupted: {interrupted}, but the start counted {self.interrupted_by_kill}"),
            (started == expected, f"attempts: {started} recorded, but {expected} would be right"),
            # The kill may come after the start is on disk and before the handler's first line.
            (0 <= unwritten <= interrupted,
             f"attempts: {started} recorded, {len(evidence.attempts)} written by the handler"),
            (not evidence.repeated_attempt_numbers(), "attempts: a number was given twice"),
        ):
            self.check(holds, sentence)
        return evidence.dead_letters

    def mend_and_redrive(self, dead_letters):
        if not dead_letters:
            return
        say(f"one of the {len(dead_letters)} dead letters:")
        print(f"\n  $ holdfast dead-letters show {dead_letters[0]}")
        for line in self.daemon.holdfast("dead-letters", "show", dead_letters[0]).splitlines():
            print(f"  {line}".rstrip())
        print(flush=True)
        os.rename(self.unplugged, self.plugged)
        say("the disk is plugged in now; holdfast dead-letters redrive --all archive:")
        say("  " + self.daemon.holdfast("dead-letters", "redrive", "--all", "archive").strip())
        self.wait_for_the_end()
        accepted = self.accepted()
        evidence = Evidence(self.daemon, accepted)
        revived = set(dead_letters) & set(evidence.succeeded())
        again = [id for id, condition in evidence.endings if condition == "Success"]
        left = len(evidence.dead_letters)
        say(
            f"{len(revived)} of {len(dead_letters)} have succeeded now, under their old RequestIds; "
            f"{left} dead letters are left"
        )
        self.check(len(revived) == len(dead_letters), "redrive: not all have succeeded")
        self.check(sorted(again) == sorted(dead_letters), "redrive: not one new ending for each")
        self.check(left == 0, f"redrive: {left} dead letters are left")
        self.check(not evidence.ended_twice(), "redrive: an event has two last words")
        self.check(not evidence.repeated_attempt_numbers(), "redrive: an attempt number came twice")

    def run(self):
        self.choose_files()
        seconds, _ = self.daemon.start()
        say(f"holdfastd answers after {seconds:.2f} s")
        self.submit_early_ones()
        self.wait_until(lambda _, f: f["Succeeded"] >= FILES // 2, "half of the events")
        self.kill_while_submitting()
        self.start_again()
        self.repeat_late_ones()
        self.wait_for_the_end()
        self.mend_and_redrive(self.count())
        code = self.daemon.stop()
        self.check(code == 0, f"holdfastd ended with {code} after SIGTERM")
        say("holdfastd has stopped")


def run_in(folder, arguments):
    daemon = Daemon(arguments.holdfastd, arguments.holdfast, folder)
    story = Story(daemon, folder)
    try:
        story.run()
    except (Lost, OSError):
        daemon.check_alive()  # then that is what there is to say
        raise
    finally:
        daemon.clean_up()
    for problem in story.problems:
        print(f"quickstart: WRONG: {problem}", file=sys.stderr)
    return 1 if story.problems else 0


def main():
    parser = argparse.ArgumentParser(prog="quickstart")
    parser.add_argument("--holdfastd", required=True)
    parser.add_argument("--holdfast", required=True)
    parser.add_argument("--keep", metavar="DIR")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.default_int_handler)
    if arguments.keep:
        folder = os.path.abspath(arguments.keep)
        os.makedirs(folder, exist_ok=True)
        if os.listdir(folder):
            print(f"quickstart: {folder} is not empty", file=sys.stderr)
            return 2
    else:
        folder = tempfile.mkdtemp(prefix="holdfast-quickstart-")
    try:
        code = run_in(folder, arguments)
    except KeyboardInterrupt:
        print("\nquickstart: interrupted; nothing is left running", file=sys.stderr)
        code = 130
    except (Trouble, Lost, Refused, OSError) as trouble:
        print(f"quickstart: {trouble}", file=sys.stderr)
        code = 1
    finally:
        if not arguments.keep:
            shutil.rmtree(folder, ignore_errors=True)
    if arguments.keep:
        say(f"kept: {folder}")
    if code == 0:
        say("every count is right")
    return code


if __name__ == "__main__":
    sys.exit(main())
