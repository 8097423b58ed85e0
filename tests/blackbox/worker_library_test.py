"""serve() of client/worker.h against the real daemon: worker_program.cc is the worker."""

import os
import signal
import subprocess
import time

import harness
from protocol_client import DEADLINE_S

WORKER_PROGRAM = os.environ.get(
    "WORKER_PROGRAM",
    os.path.join(os.path.dirname(harness.HOLDFASTD), "..", "tests", "worker_program"),
)


class WorkerLibraryTest(harness.BoxTest):
    def setUp(self):
        super().setUp()
        self.box.settings["functions"]["resize"] = {
            "workers": True, "kill_grace": "2s", "retry": {"retries": 0}}

    def function(self, **settings):
        self.box.settings["functions"]["resize"].update(settings)

    def worker(self):
        """The program, with two attempts at once; it dies with this process, too."""
        box = self.box
        program = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", WORKER_PROGRAM, box.socket_path, "resize",
             box.folder],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=box.environment())
        self.addCleanup(self.end, program)
        return program

    @staticmethod
    def end(program):
        program.kill()
        program.communicate()

    def terminated(self, program):
        """Its exit code and what it says after SIGTERM: the number of its answers."""
        program.send_signal(signal.SIGTERM)
        told, _ = program.communicate(timeout=DEADLINE_S)
        return program.returncode, told.decode().strip()

    def waiting(self):
        """An event whose attempt has begun, and lasts until there is a file `go`."""
        request_id = self.box.event("resize", b"wait")
        self.box.noted("began")
        return request_id

    def attached(self):
        """Waits until the worker has attached."""
        def one():
            row, = self.box.call("ListFunctions")["Functions"]
            return len(row["Workers"]) == 1

        harness.wait_for(one, "the worker to attach")

    def runs(self, request_id):
        return [row[1:] for row in self.box.notes(request_id)]

    def assert_one_attempt(self, request_id):
        event = self.box.ended(request_id)
        self.assertEqual((event["State"], event["Result"]), ("succeeded", b"at last"))
        self.assertEqual((event["Attempt"], event["Failures"], event["Interruptions"]), (1, 0, 0))
        self.assertEqual(self.runs(request_id), [(1, "began")])

    # --- the life of an attempt

    def test_events_and_calls_are_served(self):
        box = self.box
        box.start()
        program = self.worker()
        payloads = [bytes([n]) * 10_000 for n in range(20)]
        events = [box.event("resize", payload) for payload in payloads]
        for request_id, payload in zip(events, payloads):
            event = box.ended(request_id)
            self.assertEqual((event["State"], event["Attempt"], event["Result"]),
                             ("succeeded", 1, payload))
        self.assertEqual(box.invoke("resize", b"cat")["Payload"], b"cat")
        self.assertEqual(self.terminated(program), (0, "21"))

    def test_failures_are_told_in_the_handlers_words(self):
        box = self.box
        box.start()
        self.worker()
        for payload, words in {b"fail": ("NoCat", "no cat in it", "looked everywhere"),
                               b"throw": ("Exception", "no cat at all", "")}.items():
            event = box.ended(box.event("resize", payload))
            self.assertEqual((event["State"], event["ErrorType"]), ("dead", words[0]))
            row, = event["Attempts"]
            self.assertEqual(row["Outcome"], "failed")
            self.assertEqual((row["ErrorType"], row["ErrorMessage"], row["LogTail"]), words)

    def test_heartbeats_keep_a_slow_attempt(self):
        box = self.box
        self.function(timeout="500ms")
        box.start()
        self.worker()
        request_id = self.waiting()
        time.sleep(1.5)
        box.touch("go")
        self.assert_one_attempt(request_id)

    def test_a_cancelled_attempt_is_stopped(self):
        box = self.box
        box.start()
        program = self.worker()
        request_id = self.waiting()
        self.assertEqual(box.call("CancelEvent", RequestId=request_id)["State"], "cancelled")
        self.assertEqual(self.runs(request_id), [(1, "began"), (1, "stopped")])
        self.assertEqual(self.terminated(program), (0, "1"))

    # --- restarts

    def test_an_attempt_goes_on_when_the_daemon_was_killed(self):
        box = self.box
        box.start()
        program = self.worker()
        request_id = self.waiting()
        box.crash_and_start()
        self.attached()
        event = box.get(request_id)
        self.assertEqual((event["State"], event["Attempt"]), ("running", 1))
        box.touch("go")
        self.assert_one_attempt(request_id)
        self.assertEqual(self.terminated(program), (0, "1"))

    def test_an_attempt_that_ends_while_there_is_no_daemon_is_answered_to_the_next(self):
        box = self.box
        box.start()
        self.worker()
        request_id = self.waiting()
        box.kill()
        box.touch("go")
        time.sleep(0.5)
        box.start()
        self.assert_one_attempt(request_id)

    def test_an_attempt_goes_on_when_the_daemon_was_stopped(self):
        box = self.box
        box.start(daemon={"drain_timeout": "100ms"})
        self.worker()
        request_id = self.waiting()
        self.assertEqual(box.stop(), 0)
        box.start()
        box.touch("go")
        self.assert_one_attempt(request_id)

    def test_a_call_is_stopped_with_its_connection_and_the_worker_comes_back(self):
        box = self.box
        box.start()
        self.worker()
        self.attached()
        box.client().send("Invoke", FunctionName="resize", Payload=b"wait")
        box.noted("began")
        box.kill()
        box.noted("stopped")
        box.start()
        self.attached()
        self.assertEqual(box.ended(box.event("resize", b"cat"))["Result"], b"cat")

    def test_an_attempt_is_stopped_with_the_window_before_the_next_one_begins(self):
        box = self.box
        box.start(limits={"worker_reattach_window": "300ms"})
        self.worker()
        request_id = self.waiting()
        box.kill()
        box.noted("stopped")
        box.touch("go")
        box.start()
        event = box.ended(request_id)
        self.assertEqual((event["State"], event["Attempt"], event["Interruptions"]),
                         ("succeeded", 2, 1))
        self.assertEqual(self.runs(request_id), [(1, "began"), (1, "stopped"), (2, "began")])

    # --- the end of the worker

    def test_a_worker_that_is_stopped_finishes_what_it_holds_and_takes_no_more(self):
        box = self.box
        box.start()
        program = self.worker()
        held = self.waiting()
        program.send_signal(signal.SIGTERM)
        # Detached, it is not listed as having room; what comes now waits for another.
        time.sleep(0.3)
        left = box.event("resize", b"cat")
        self.assertEqual(box.get(held)["State"], "running")
        box.touch("go")
        self.assert_one_attempt(held)
        told, _ = program.communicate(timeout=DEADLINE_S)
        self.assertEqual((program.returncode, told), (0, b"1\n"))
        event = box.get(left)
        self.assertEqual((event["State"], event["Attempt"]), ("pending", 0))
        self.worker()
        self.assertEqual(box.ended(left)["Result"], b"cat")

    def test_a_worker_may_be_started_before_the_daemon(self):
        box = self.box
        program = self.worker()
        time.sleep(0.2)
        box.start()
        self.assertEqual(box.ended(box.event("resize", b"cat"))["Result"], b"cat")
        self.assertEqual(self.terminated(program), (0, "1"))


if __name__ == "__main__":
    harness.main()
