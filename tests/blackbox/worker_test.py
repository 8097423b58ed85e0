"""Attached workers: client/PROTOCOL.md, section 8, with the real daemon."""

import os
import re
import signal
import subprocess
import sys
import time

import harness
import msgpack
from protocol_client import Client

ROOT = os.environ.get("HOLDFAST_SOURCE_ROOT", os.path.join(os.path.dirname(__file__), "..", ".."))


class Worker(Client):
    """A connection that has attached; attempt() gives the next push."""

    def __init__(self, box, function, concurrency=1, **more):
        super().__init__(box.socket_path)
        box.clients.insert(0, self)  # the newest one stays the client
        self.pushes = []
        self.attached = self.call("AttachWorker", FunctionName=function,
                                  Concurrency=concurrency, **more)

    def next_reply(self):
        while True:
            for kind, *rest in self.unpacker:
                if kind == 1:
                    return rest
                self.pushes.append((rest[0], rest[1][0]))
            data = self.socket.recv(1 << 18)
            if not data:
                raise ConnectionError("the daemon closed the connection")
            self.unpacker.feed(data)

    def push(self, method):
        """The next push, which must be this one."""
        while not self.pushes:
            self.unpacker.feed(self.receive())
            for kind, name, params in self.unpacker:
                assert kind == 2, kind
                self.pushes.append((name, params[0]))
        name, params = self.pushes.pop(0)
        assert name == method, (name, params)
        return params

    def receive(self):
        data = self.socket.recv(1 << 18)
        if not data:
            raise ConnectionError("the daemon closed the connection")
        return data

    def answer(self, attempt, result=b""):
        return self.call("SendAttemptSuccess", RequestId=attempt["RequestId"],
                         Attempt=attempt["Attempt"], Result=result)

    def fail(self, attempt, **words):
        return self.call("SendAttemptFailure", RequestId=attempt["RequestId"],
                         Attempt=attempt["Attempt"], **words)


class WorkerTest(harness.BoxTest):
    def setUp(self):
        super().setUp()
        box = self.box
        box.settings["functions"]["resize"] = {"workers": True, "kill_grace": "200ms"}
        box.settings["functions"]["resize"]["retry"] = {"delays": ["0s", "0s"]}

    def retry(self, **retry):
        self.box.settings["functions"]["resize"]["retry"] = retry

    def state(self, request_id):
        return self.box.get(request_id)["State"]

    # --- the life of an attempt

    def test_an_event_is_pushed_and_its_answer_is_its_ending(self):
        box = self.box
        box.start()
        worker = Worker(box, "resize")
        self.assertEqual((worker.attached["Continued"], worker.attached["Lost"]), ([], []))
        request_id = box.event("resize", b"cat", IdempotencyKey="k")
        pushed = worker.push("RunAttempt")
        self.assertEqual(
            {name: pushed[name] for name in ("FunctionName", "RequestId", "Attempt",
                                             "InvocationType", "IdempotencyKey", "Payload")},
            {"FunctionName": "resize", "RequestId": request_id, "Attempt": 1,
             "InvocationType": "Event", "IdempotencyKey": "k", "Payload": b"cat"})
        self.assertEqual(self.state(request_id), "running")
        self.assertEqual(worker.answer(pushed, b"tac"), {})
        event = box.get(request_id)
        self.assertEqual((event["State"], event["Result"]), ("succeeded", b"tac"))

    def test_a_failure_is_told_in_the_workers_words_and_retried(self):
        box = self.box
        box.start()
        worker = Worker(box, "resize")
        request_id = box.event("resize")
        for attempt in (1, 2, 3):
            pushed = worker.push("RunAttempt")
            self.assertEqual(pushed["Attempt"], attempt)
            worker.fail(pushed, ErrorType="NoCat", ErrorMessage="there is no cat in it",
                        LogTail=b"looked everywhere")
        event = box.get(request_id)
        self.assertEqual((event["State"], event["Condition"]), ("dead", "RetriesExhausted"))
        self.assertEqual(event["ErrorType"], "NoCat")
        for row in event["Attempts"]:
            self.assertEqual((row["Outcome"], row["ErrorMessage"], row["LogTail"]),
                             ("failed", "there is no cat in it", "looked everywhere"))

    def test_a_result_that_is_too_large_is_a_failure(self):
        box = self.box
        box.settings["functions"]["resize"]["result_bytes_max"] = 10
        self.retry(retries=0)
        box.start()
        worker = Worker(box, "resize")
        request_id = box.event("resize")
        with self.refused("RequestTooLargeException", "the attempt has failed"):
            worker.answer(worker.push("RunAttempt"), b"x" * 11)
        self.assertEqual(box.get(request_id)["Attempts"][0]["Outcome"], "result_too_large")

    def test_concurrency_bounds_what_is_pushed_and_large_payloads_come_whole(self):
        box = self.box
        box.start()
        worker = Worker(box, "resize", concurrency=3)
        payloads = {box.event("resize", bytes([n]) * 900_000): n for n in range(8)}
        seen = {}
        while len(seen) < 8:
            pushed = worker.push("RunAttempt")
            seen[pushed["RequestId"]] = pushed["Payload"]
            self.assertLessEqual(box.call("GetStatus")["AttemptsRunning"], 3)
            worker.answer(pushed)
        for request_id, n in payloads.items():
            self.assertEqual(seen[request_id], bytes([n]) * 900_000)

    def test_without_a_worker_events_wait_and_calls_are_told(self):
        box = self.box
        box.start()
        request_id = box.event("resize")
        with self.refused("ServiceUnavailableException", "no worker"):
            box.invoke("resize")
        event = box.get(request_id)
        self.assertEqual((event["State"], event["Attempt"], event["Failures"]), ("pending", 0, 0))
        worker = Worker(box, "resize")
        worker.answer(worker.push("RunAttempt"))
        self.assertEqual(self.state(request_id), "succeeded")

    def test_a_call_reaches_a_worker_and_a_command_helps_out(self):
        box = self.box
        box.function("both", "cat", workers=True)
        box.start()
        self.assertEqual(box.invoke("both", b"by command")["Payload"], b"by command")
        worker = Worker(box, "both")
        client = box.client()
        asked = client.send("Invoke", FunctionName="both", Payload=b"x")
        pushed = worker.push("RunAttempt")
        self.assertEqual(pushed["InvocationType"], "RequestResponse")
        # It is busy: the next one goes to the command.
        self.assertEqual(box.invoke("both", b"beside it")["Payload"], b"beside it")
        worker.answer(pushed, b"by worker")
        self.assertEqual(client.reply(asked)["Payload"], b"by worker")

    # --- time

    def test_a_heartbeat_moves_the_deadline_and_silence_ends_the_connection(self):
        box = self.box
        box.settings["functions"]["resize"]["timeout"] = "500ms"
        self.retry(retries=0)
        box.start()
        worker = Worker(box, "resize")
        request_id = box.event("resize")
        pushed = worker.push("RunAttempt")
        for _ in range(5):
            time.sleep(0.2)
            moved = worker.call("SendAttemptHeartbeat", RequestId=request_id, Attempt=1)
            self.assertGreater(moved["DeadlineAt"], pushed["DeadlineAt"])
        stopped = worker.push("StopAttempt")
        self.assertEqual((stopped["RequestId"], stopped["Reason"]), (request_id, "TimedOut"))
        self.assertEqual(worker.replies_until_closed(), [])
        self.assertEqual(box.ended(request_id)["Attempts"][0]["Outcome"], "timed_out")

    def test_a_cancelled_attempt_is_stopped_and_the_worker_stays(self):
        box = self.box
        box.start()
        worker = Worker(box, "resize")
        request_id = box.event("resize")
        pushed = worker.push("RunAttempt")
        asked = box.clients[-1].send("CancelEvent", RequestId=request_id)
        self.assertEqual(worker.push("StopAttempt")["Reason"], "Cancelled")
        worker.fail(pushed)
        self.assertEqual(box.clients[-1].reply(asked)["State"], "cancelled")
        box.event("resize")
        worker.answer(worker.push("RunAttempt"))

    # --- who answers

    def test_late_and_foreign_answers_change_nothing(self):
        box = self.box
        box.start()
        worker, other = Worker(box, "resize"), None
        request_id = box.event("resize")
        pushed = worker.push("RunAttempt")
        other = Worker(box, "resize")
        with self.refused("ResourceConflictException", "does not have that attempt"):
            other.answer(pushed, b"foreign")
        with self.refused("ResourceConflictException", "AttachWorker first"):
            box.call("SendAttemptSuccess", RequestId=request_id, Attempt=1)
        worker.fail(pushed)
        with self.refused("ResourceConflictException"):
            worker.answer(pushed, b"late")
        again = other.push("RunAttempt") if other.pushes else None
        self.assertIn(self.state(request_id), harness.LIVING)
        del again

    def test_a_lost_connection_is_a_failure_of_its_attempts(self):
        box = self.box
        box.start()
        worker = Worker(box, "resize")
        request_id = box.event("resize")
        worker.push("RunAttempt")
        worker.close()
        other = Worker(box, "resize")
        pushed = other.push("RunAttempt")
        self.assertEqual(pushed["Attempt"], 2)
        other.answer(pushed)
        event = box.get(request_id)
        self.assertEqual((event["State"], event["Failures"]), ("succeeded", 1))
        self.assertEqual(event["Attempts"][0]["Outcome"], "worker_lost")

    def test_after_a_detach_nothing_more_is_pushed(self):
        box = self.box
        box.start()
        worker = Worker(box, "resize")
        first = box.event("resize")
        pushed = worker.push("RunAttempt")
        self.assertEqual(worker.call("DetachWorker"), {})
        second = box.event("resize")
        worker.answer(pushed)
        self.assertEqual((self.state(first), self.state(second)), ("succeeded", "pending"))
        self.assertEqual(worker.pushes, [])

    def test_who_may_attach(self):
        box = self.box
        box.function("plain", "cat")
        box.start()
        with self.refused("ResourceConflictException", "workers = true"):
            Worker(box, "plain")
        with self.refused("ResourceNotFoundException", "no function nothing"):
            Worker(box, "nothing")
        worker = Worker(box, "resize")
        with self.refused("ResourceConflictException", "is a worker already"):
            worker.call("AttachWorker", FunctionName="resize", Concurrency=1)
        if not harness.is_root():
            self.skipTest("only root can connect as somebody else")
        with harness.as_nobody(), self.refused("AccessDeniedException", "worker_users"):
            Worker(box, "resize")
        box.settings["functions"]["resize"]["worker_users"] = ["nobody"]
        self.assertIn("reloaded", box.reload())
        with harness.as_nobody():
            Worker(box, "resize")

    # --- restarts

    def test_a_worker_that_comes_back_keeps_its_attempt(self):
        box = self.box
        box.start()
        worker = Worker(box, "resize", concurrency=2)
        kept, dropped = box.event("resize", b"kept"), box.event("resize", b"dropped")
        pushed = [worker.push("RunAttempt"), worker.push("RunAttempt")]
        self.assertEqual({row["RequestId"] for row in pushed}, {kept, dropped})
        box.settings["limits"]["worker_reattach_window"] = "3s"
        box.crash_and_start()
        back = Worker(box, "resize", concurrency=1, Held={kept: 1})
        self.assertEqual((back.attached["Continued"], back.attached["Lost"]), ([kept], []))
        self.assertEqual((self.state(kept), self.state(dropped)), ("running", "running"))
        back.answer({"RequestId": kept, "Attempt": 1}, b"at last")
        event = box.get(kept)
        self.assertEqual((event["State"], event["Result"], event["Attempt"],
                          event["Interruptions"]), ("succeeded", b"at last", 1, 0))
        again = back.push("RunAttempt")
        self.assertEqual((again["RequestId"], again["Attempt"]), (dropped, 2))
        self.assertEqual(box.get(dropped)["Interruptions"], 1)

    def test_who_comes_too_late_has_lost_its_attempt(self):
        box = self.box
        box.start(limits={"worker_reattach_window": "200ms"})
        worker = Worker(box, "resize")
        request_id = box.event("resize")
        worker.push("RunAttempt")
        box.crash_and_start()
        harness.wait_for(lambda: self.state(request_id) == "pending", "the window to end")
        late = Worker(box, "resize", Held={request_id: 1})
        self.assertEqual((late.attached["Continued"], late.attached["Lost"]), ([], [request_id]))
        self.assertEqual(late.push("RunAttempt")["Attempt"], 2)

    def test_a_clean_stop_leaves_attempts_to_their_workers(self):
        box = self.box
        box.start(daemon={"drain_timeout": "100ms"})
        worker = Worker(box, "resize")
        request_id = box.event("resize")
        worker.push("RunAttempt")
        self.assertEqual(box.stop(), 0)
        box.start()
        back = Worker(box, "resize", Held={request_id: 1})
        self.assertEqual(back.attached["Continued"], [request_id])
        back.answer({"RequestId": request_id, "Attempt": 1})
        self.assertEqual(self.state(request_id), "succeeded")

    # --- to see, and to copy

    def test_no_attempt_is_pushed_after_the_reply_to_detach(self):
        box = self.box
        box.settings["functions"]["resize"].update(timeout="60s", concurrency_max=8)
        box.start()
        worker = Worker(box, "resize", concurrency=4)
        for _ in range(4):
            box.event("resize", b"x" * 300_000)  # more than the socket takes

        def all_run():
            return box.call("GetStatus")["Functions"][0]["Running"] == 4

        harness.wait_for(all_run, "all four to be given to the worker")
        worker.send("DetachWorker")
        self.assertEqual(worker.next_reply()[1:], [None, {}])
        self.assertEqual([name for name, _ in worker.pushes], ["RunAttempt"] * 4)

    def test_workers_are_listed(self):
        box = self.box
        box.start()
        Worker(box, "resize", concurrency=5)
        row, = box.call("ListFunctions")["Functions"]
        self.assertEqual(row["Kinds"], ["worker"])
        worker, = row["Workers"]
        self.assertEqual((worker["Pid"], worker["Uid"], worker["Concurrency"], worker["Running"]),
                         (os.getpid(), os.getuid(), 5, 0))
        self.assertEqual(box.call("GetStatus")["Functions"][0]["Workers"], 1)

    def test_the_worker_in_the_protocol_document_works(self):
        box = self.box
        with open(os.path.join(ROOT, "client", "PROTOCOL.md"), encoding="utf-8") as file:
            blocks = re.findall(r"```python\n(.*?)```", file.read(), re.DOTALL)
        text, = [block for block in blocks if "class Worker" in block]
        self.assertLessEqual(len([line for line in text.splitlines() if line.strip()]), 30)
        text = text.replace("/run/holdfast/holdfast.sock", box.socket_path)
        box.start()
        with subprocess.Popen([sys.executable, "-c", text]) as program:
            try:
                request_id = box.event("resize", b"tac")
                self.assertEqual(box.ended(request_id)["Result"], b"cat")
            finally:
                program.send_signal(signal.SIGKILL)


if __name__ == "__main__":
    assert msgpack.version >= (1, 0, 0)
    harness.main()
